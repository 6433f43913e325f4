"""Values of one type as those of another that holds them, where a PV's type changed."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

_COMPUTE: Any = pc


def as_type(values: pa.Array[Any], of: pa.DataType) -> pa.Array[Any] | None:
    """Return values as another type: numbers as float64, all else as text; None: there is no way.

    The rule is the store's, for samples that were read apart from those of the other type.
    """
    if values.type == of:
        return values
    if pt.is_string(of):
        return pa.array([_text(value) for value in values.to_pylist()], pa.string())
    try:
        # Safe casts refuse integers that a float64 cannot tell apart.
        return _COMPUTE.cast(values, of, safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return json.dumps(value) if isinstance(value, list) else str(value)
