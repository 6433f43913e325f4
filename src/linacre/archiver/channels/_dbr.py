"""Channel Access's types: which kind of series they make, and the metadata that come with them."""

from __future__ import annotations

import math
import struct

from linacre.archiver.model import Kind, Metadata

NATIVE = (
    *("DBR_STRING", "DBR_SHORT", "DBR_FLOAT", "DBR_ENUM"),
    *("DBR_CHAR", "DBR_LONG", "DBR_DOUBLE"),
)
"""The native types' names, by number (db_access.h)."""
_STRING, _SHORT, _FLOAT, _ENUM, _CHAR, _LONG, _DOUBLE = range(7)

_SCALARS = {
    _STRING: Kind.STRING,
    _SHORT: Kind.INT32,
    _FLOAT: Kind.FLOAT32,
    _ENUM: Kind.ENUM,
    _CHAR: Kind.INT32,
    _LONG: Kind.INT32,
    _DOUBLE: Kind.FLOAT64,
}
_ARRAYS = {
    _STRING: Kind.STRING_ARRAY,
    _SHORT: Kind.INT16_ARRAY,
    _FLOAT: Kind.FLOAT32_ARRAY,
    # An index is an unsigned short.
    _ENUM: Kind.INT32_ARRAY,
    _CHAR: Kind.BYTES,
    _LONG: Kind.INT32_ARRAY,
    _DOUBLE: Kind.FLOAT64_ARRAY,
}

# Status and severity, for numbers with a fraction their precision, units, then four pairs of
# limits: display, alarm, warning and control (struct dbr_ctrl_...).
_LIMITS = {
    _SHORT: struct.Struct("=hh8s8h"),
    _FLOAT: struct.Struct("=hhhh8s8f"),
    _CHAR: struct.Struct("=hh8s8B"),
    _LONG: struct.Struct("=hh8s8i"),
    _DOUBLE: struct.Struct("=hhhh8s8d"),
}
_LABELS = struct.Struct("=hhh" + 16 * "26s")

Limits = tuple[float, float] | None


def kind_of(native: int, *, is_array: bool) -> Kind | None:
    """Return the kind of a native type, or None where Channel Access has no such type."""
    return (_ARRAYS if is_array else _SCALARS).get(native)


def metadata_of(native: int, raw: bytes) -> Metadata:
    """Decode the beginning of a DBR_CTRL structure in this machine's byte order.

    Limits that are both 0, or both no number, were not set: Channel Access cannot say so.
    """
    if native == _ENUM:
        _, _, count, *labels = _LABELS.unpack_from(raw)
        return Metadata(labels=tuple(_text(label) for label in labels[: max(count, 0)]))
    if native not in _LIMITS:
        return Metadata()
    *head, units, high, low, hihi, high_warning, low_warning, lolo, top, bottom = _LIMITS[
        native
    ].unpack_from(raw)
    return Metadata(
        units=_text(units),
        precision=head[2] if native in (_FLOAT, _DOUBLE) else None,
        display=_limits(low, high),
        control=_limits(bottom, top),
        warning=_limits(low_warning, high_warning),
        alarm=_limits(lolo, hihi),
    )


def _limits(low: float, high: float) -> Limits:
    if low == high == 0 or (math.isnan(low) and math.isnan(high)):
        return None
    return low, high


def _text(raw: bytes) -> str:
    raw = raw.partition(b"\0")[0]
    try:
        return raw.decode()
    except UnicodeDecodeError:
        # As old databases have it: the signs for degree and micro.
        return raw.decode("latin-1")
