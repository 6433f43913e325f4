"""pvAccess's structures: which kind of series they make, their values, the metadata beside them.

`epics:nt/NTScalar`, `NTScalarArray` and `NTEnum` are the kinds that their values are. Everything
else, an NTTable or NTNDArray too, is a STRUCT: JSON text of its fields, without `timeStamp`, which
the columns of samples hold. In it NaN is null, infinities are "Infinity" and "-Infinity", of a
union stands what was chosen, and arrays are lists.

Values are p4p's raw ones, `p4p.Value`, which have no types that could be checked.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from linacre.archiver.channels._pva_shape import Blob, Shape
from linacre.archiver.model import Kind, Metadata

_SCALARS: dict[str, tuple[Kind, str]] = {
    "?": (Kind.INT32, "boolean"),
    "b": (Kind.INT32, "byte"),
    "B": (Kind.INT32, "ubyte"),
    "h": (Kind.INT32, "short"),
    "H": (Kind.INT32, "ushort"),
    "i": (Kind.INT32, "int"),
    "I": (Kind.INT64, "uint"),
    "l": (Kind.INT64, "long"),
    "L": (Kind.UINT64, "ulong"),
    "f": (Kind.FLOAT32, "float"),
    "d": (Kind.FLOAT64, "double"),
    "s": (Kind.STRING, "string"),
}
_ARRAYS: dict[str, Kind] = {
    "?": Kind.INT32_ARRAY,
    "b": Kind.BYTES,
    "B": Kind.BYTES,
    "h": Kind.INT16_ARRAY,
    "H": Kind.INT32_ARRAY,
    "i": Kind.INT32_ARRAY,
    "I": Kind.INT64_ARRAY,
    "l": Kind.INT64_ARRAY,
    "L": Kind.UINT64_ARRAY,
    "f": Kind.FLOAT32_ARRAY,
    "d": Kind.FLOAT64_ARRAY,
    "s": Kind.STRING_ARRAY,
}
_NT = re.compile(r"epics:nt/(NTScalar|NTScalarArray|NTEnum):1\.\d+")
_PRECISION = re.compile(r"%\d*\.(\d+)[a-zA-Z]")
_DESCRIBING = ("display", "control", "valueAlarm", "descriptor")
_LENGTH = struct.Struct("<i")


class NoSuchFieldError(Exception):
    """A chosen field that the structure does not have."""


def shape_of(value: Any, fields: Sequence[str]) -> Shape:
    """Return what values of a structure are; `NoSuchFieldError` for a field it does not have.

    Chosen `fields` other than `value` make it a STRUCT of only them.
    """
    of = value.type()
    name: str = value.getID()
    match = _NT.fullmatch(name)
    described = tuple(field for field in _DESCRIBING if field in of)
    if match is not None and match[1] == "NTEnum":
        described = (*described, "value.choices")
    found = _normative(match[1], value) if match and _keeps_value(fields) else None
    if found is None:
        found = _any_structure(value, fields)
    kind, suffix, scalar, blob, size = found
    sampled = ("value.index" if kind is Kind.ENUM else "value", "alarm", "timeStamp")
    return Shape(
        kind=kind,
        native=f"{name}{suffix}",
        scalar=scalar,
        blob=blob,
        size=size,
        timed="timeStamp" in of,
        alarmed="alarm" in of,
        described_by=described,
        sampled_by=()
        if kind is Kind.STRUCT
        else tuple(n for n in sampled if n.startswith("value") or n in of),
    )


def request_of(fields: Sequence[str], queue_size: int, *, whole: bool) -> str:
    """Return the pvRequest for chosen fields; `whole`: for all of the structure.

    Without `pipeline`: pvxs's server takes an acknowledgement, but sends what it kept only when
    the PV changes the next time, so that the last values of a burst would stay there.
    """
    chosen = "" if whole or _keeps_value(fields) else ",".join((*fields, "alarm", "timeStamp"))
    return f"field({chosen})record[queueSize={queue_size}]"


def metadata_of(value: Any) -> Metadata:
    """Return what a structure says beside its value.

    Limits that are both 0, or both no number, were not set.
    """
    parts = {name: _parts(value, name) for name in ("display", "control", "valueAlarm")}
    display, control, alarm = parts["display"], parts["control"], parts["valueAlarm"]
    labels: list[str] = []
    if _is_enum(value):
        labels = [str(label) for label in value["value.choices"]]
    described = display.get("description") or (
        value["descriptor"] if "descriptor" in value.type() else ""
    )
    return Metadata(
        units=str(display.get("units") or ""),
        precision=_precision(display),
        display=_limits(display, "limitLow", "limitHigh"),
        control=_limits(control, "limitLow", "limitHigh"),
        warning=_limits(alarm, "lowWarningLimit", "highWarningLimit"),
        alarm=_limits(alarm, "lowAlarmLimit", "highAlarmLimit"),
        labels=tuple(labels),
        description=str(described or ""),
    )


def _keeps_value(fields: Sequence[str]) -> bool:
    return not fields or "value" in fields


_Found = tuple[
    Kind,
    str,
    Callable[[Any], float] | None,
    Callable[[Any], Blob] | None,
    Callable[[Any], int] | None,
]


def _normative(name: str, value: Any) -> _Found | None:
    """Return how the value of a normative type is read; None where it is none of ours."""
    of = value.type()
    if "value" not in of:
        return None
    inner = of["value"]
    if name == "NTEnum":
        return (Kind.ENUM, "", _index, None, None) if _is_enum(value) else None
    if not isinstance(inner, str):
        return None
    code = inner.removeprefix("a")
    if code not in _SCALARS:
        return None
    kind, native = _SCALARS[code]
    if inner != code:
        return _array(_ARRAYS[code], f" {native}[]")
    if kind is Kind.STRING:
        return kind, f" {native}", None, lambda v: _text(v["value"]), None
    read = _by_bits if code == "L" else _plain
    return kind, f" {native}", read, None, None


def _any_structure(value: Any, fields: Sequence[str]) -> _Found:
    paths = tuple(dict.fromkeys(fields))
    for path in paths:
        _field(value, path)
    kept = f" {{{','.join(paths)}}}" if paths else ""
    return Kind.STRUCT, kept, None, lambda v: _structure(v, paths), None


def _array(kind: Kind, native: str) -> _Found:
    if kind is Kind.STRING_ARRAY:
        return kind, native, None, _texts, lambda v: sum(map(len, v["value"]))
    item = np.dtype(np.uint8) if kind is Kind.BYTES else cast("np.dtype[Any]", kind.item)

    def read(value: Any) -> Blob:
        array = value["value"]
        if array.dtype.kind in "ui" and array.itemsize == item.itemsize:
            # A byte is kept as it is.
            array = array.view(item)
        plain: Any = np.ascontiguousarray(array, dtype=item)
        return plain.size, memoryview(plain).cast("B") if plain.size else b""

    return kind, native, None, read, lambda v: v["value"].nbytes


def _plain(value: Any) -> float:
    return value["value"]


def _by_bits(value: Any) -> float:
    number: int = value["value"]
    return number - (1 << 64) if number >= 1 << 63 else number


def _index(value: Any) -> float:
    return value["value.index"]


def _text(text: str) -> Blob:
    data = text.encode("utf-8", "replace")
    return len(data), data


def _texts(value: Any) -> Blob:
    parts: list[bytes] = []
    for text in value["value"]:
        data = text.encode("utf-8", "replace")
        parts += (_LENGTH.pack(len(data)), data)
    return len(parts) // 2, b"".join(parts)


def _structure(value: Any, fields: Sequence[str]) -> Blob:
    if fields:
        found: dict[str, Any] = {}
        for path in fields:
            *above, last = path.split(".")
            inside = found
            for name in above:
                inside = inside.setdefault(name, {})
            inside[last] = _field(value, path)
    else:
        found = value.todict()
        found.pop("timeStamp", None)
    return _text(to_json(found))


def to_json(value: object) -> str:
    """Return JSON of what p4p gives."""
    text = json.dumps(value, default=_as_plain, ensure_ascii=False, separators=(",", ":"))
    if "NaN" in text or "Infinity" in text:
        strict = _strict(json.loads(text))
        text = json.dumps(strict, ensure_ascii=False, separators=(",", ":"))
    return text


def _as_plain(value: Any) -> object:
    if isinstance(value, np.ndarray | np.generic):
        return cast("Any", value).tolist()
    # A structure in a union or a variant.
    return value.todict() if hasattr(value, "todict") else str(value)


def _strict(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, list):
        return [_strict(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in cast("dict[str, Any]", value).items()}
    return value


def _field(value: Any, path: str) -> Any:
    try:
        return value[path]
    except (KeyError, ValueError, AttributeError):
        fields = ", ".join(value.type().keys())
        raise NoSuchFieldError(f"it has no field {path}; it has {fields}") from None


def _is_enum(value: Any) -> bool:
    of = value.type()
    if "value" not in of:
        return False
    inner = of["value"]
    return hasattr(inner, "keys") and {"index", "choices"} <= set(inner.keys())


def _parts(value: Any, name: str) -> Mapping[str, Any]:
    if name not in value.type():
        return {}
    part = value[name]
    return part.todict() if hasattr(part, "todict") else {}


def _precision(display: Mapping[str, Any]) -> int | None:
    if (precision := display.get("precision")) is not None:
        return int(precision)
    match = _PRECISION.search(str(display.get("format") or ""))
    return int(match[1]) if match else None


def _limits(part: Mapping[str, Any], low: str, high: str) -> tuple[float, float] | None:
    if low not in part or high not in part:
        return None
    found = (float(part[low]), float(part[high]))
    return None if found == (0.0, 0.0) or all(map(math.isnan, found)) else found
