"""Values as text, a column at a time: strict JSON of any kind of value."""

from __future__ import annotations

import json
import math
from typing import Any, TypeAlias, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# The stubs lack large lists, and most functions on columns of any type.
_ARROW: Any = pa
_COMPUTE: Any = pc

Column: TypeAlias = "pa.Array[Any]"


def json_texts(column: Column, *, struct: bool = False) -> Column:
    """Return each value as JSON; NaN, infinities and nulls as null, bytes as lists of numbers.

    `struct`: the strings are JSON of structures and stay so, but strict.
    """
    kind: Any = column.type
    values: Any = column
    if _ARROW.types.is_floating(kind):
        finite = _COMPUTE.if_else(_COMPUTE.is_finite(values), _texts(values), None)
        return _COMPUTE.fill_null(finite, "null")
    if _ARROW.types.is_integer(kind):
        return _COMPUTE.fill_null(_texts(values), "null")
    if _is_list_of_numbers(kind):
        return _lists(values)
    return pa.array([_json(one, struct) for one in values.to_pylist()], pa.string())


def iso_texts(times: Column) -> Column:
    """Return times in ns as ISO 8601 in UTC with nanoseconds."""
    numbers = np.asarray(cast("Any", times).to_numpy(zero_copy_only=False), np.int64)
    texts = np.datetime_as_string(numbers.astype("datetime64[ns]"), unit="ns")
    return pa.array([f"{one}Z" for one in texts.tolist()], pa.string())


def strict(value: object) -> object:
    """Return a value of JSON or Arrow with None for each NaN and infinity, and bytes as a list."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return list(value)
    if isinstance(value, list | tuple):
        return [strict(one) for one in cast("list[object]", value)]
    if isinstance(value, dict):
        return {str(k): strict(one) for k, one in cast("dict[object, object]", value).items()}
    return value


def parsed(text: object) -> object:
    """Return what the JSON text of a structure says, strict; the text where it is not JSON."""
    try:
        return strict(json.loads(str(text)))
    except ValueError:
        return text


def _texts(values: Any) -> Any:
    return _COMPUTE.cast(values, pa.string())


def _is_list_of_numbers(kind: Any) -> bool:
    types = _ARROW.types
    if not (types.is_list(kind) or types.is_large_list(kind)):
        return False
    return types.is_floating(kind.value_type) or types.is_integer(kind.value_type)


def _lists(values: Any) -> Column:
    # flatten() and the lengths also hold for a slice of a longer column, and for nulls.
    lengths = _COMPUTE.fill_null(_COMPUTE.list_value_length(values), 0)
    ends = np.cumsum(np.asarray(lengths.to_numpy(zero_copy_only=False), np.int64))
    offsets = pa.array(np.concatenate([[0], ends]), pa.int64())
    items = _ARROW.LargeListArray.from_arrays(offsets, json_texts(values.flatten()))
    joined = _COMPUTE.binary_join(items, ",")
    bracketed = _COMPUTE.binary_join_element_wise("[", joined, "]", "")
    return _COMPUTE.if_else(_COMPUTE.is_valid(values), bracketed, "null")


def _json(value: object, struct: bool) -> str:
    plain = parsed(value) if struct and value is not None else strict(value)
    return json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
