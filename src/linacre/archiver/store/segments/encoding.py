"""How columns are encoded, and which of a segment's files takes a PV.

Measured with pyarrow 26 on 1 M samples in row groups of 64 Ki, bytes a value; in brackets ns to
write one (and to read one) on a busy 2-core machine:

    time, jitter 30 us      DELTA 2.30 (14, 5)      BYTE_STREAM_SPLIT zstd-1 3.2 zstd-9 3.1
                            PLAIN zstd-1 6.6        the jitter alone is 2.1: nothing to be gained
    counter, 10 Hz          dictionary 2.8 (50)     BYTE_STREAM_SPLIT 0.04 (8)    PLAIN 0.9 (25)
    noise, 1000 levels      dictionary 1.39 (16)    BYTE_STREAM_SPLIT 5.9 (18)    PLAIN 2.3 (30)
    noise, all digits       dictionary 9.0 (55)     BYTE_STREAM_SPLIT 6.3 (20)    PLAIN 7.1 (16)
    temperature, 1/min      dictionary zstd-1 1.03 (20)  -3 0.94 (22)  -9 0.85 (35)  -15 0.75 (75)
      in steps of 0.01      BYTE_STREAM_SPLIT zstd-1 3.4 -9 2.7     PLAIN zstd-1 0.9-1.4 -9 0.70-0.9
                            (130)   PLAIN zstd-15 0.6 (920)
      steps of +-0.01       dictionary zstd-1 0.56  -3 0.51  -9 0.47
    enum                    all 0.01

So: time by DELTA_BINARY_PACKED; numbers that come again by dictionary, with the level of zstd
growing with the time that the segment is kept; others by BYTE_STREAM_SPLIT (integers by DELTA) at
level 1 or -1, since more costs much and gains nothing in noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from linacre.archiver.model import Kind
from linacre.archiver.store.part import arrow_type
from linacre.archiver.store.segments.names import Level

ROLLUP = "rollup"
_LEVELS = {Level.FLUSH: 1, Level.HOUR: 1, Level.DAY: 3, Level.MONTH: 9}
_FASTEST = -1
"""As small as level 1 for noise, in 60 % of its time."""
_SAMPLED = 256
_REPEATS = 80
"""One value in so many that comes again among 256 hints at some 10,000 different ones, where the
dictionary (8 bytes a value, 14 bits a row) is still below what BYTE_STREAM_SPLIT makes of noise."""
_PVS_AT_ONCE = 1024
_FAMILIES = {
    Kind.STRING: "string",
    Kind.FLOAT64_ARRAY: "array-float64",
    Kind.FLOAT32_ARRAY: "array-float32",
    Kind.INT64_ARRAY: "array-int64",
    Kind.UINT64_ARRAY: "array-uint64",
    Kind.INT32_ARRAY: "array-int32",
    Kind.INT16_ARRAY: "array-int16",
    Kind.BYTES: "bytes",
    Kind.STRING_ARRAY: "array-string",
    Kind.STRUCT: "struct",
}
"""Arrays' files begin with another word than numbers' so that `float64-*.parquet` are numbers."""
_DELTA = "DELTA_BINARY_PACKED"
_SPLIT = "BYTE_STREAM_SPLIT"
_ELEMENT = "value.list.element"


@dataclass(frozen=True)
class Family:
    """Files of one schema and one way of encoding."""

    name: str
    kind: Kind | None
    """None for roll-ups."""

    @property
    def schema(self) -> pa.Schema:
        """All columns, none of which is ever null; `pv` first."""
        columns: list[tuple[str, pa.DataType]] = [("pv", pa.dictionary(pa.int32(), pa.string()))]
        if self.kind is None:
            columns += [("step", pa.int32()), *_ROLLUP_TYPES]
        else:
            columns += [("time", pa.int64()), ("value", arrow_type(self.kind))]
            columns += [("severity", pa.int8()), ("status", pa.int16()), ("tag", pa.int32())]
        return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns])


_ROLLUP_TYPES: tuple[tuple[str, pa.DataType], ...] = (
    *(("start", pa.int64()), ("count", pa.int64()), ("nan", pa.int64())),
    *(("sum", pa.float64()), ("sum_squares", pa.float64()), ("m2", pa.float64())),
    *(("min", pa.float64()), ("max", pa.float64())),
    *(("first", pa.float64()), ("last", pa.float64())),
    *(("first_time", pa.int64()), ("last_time", pa.int64()), ("severity", pa.int8())),
)


def families() -> dict[str, Family]:
    """Return all by name, in the order in which a segment lists them."""
    found: list[Family] = []
    for kind in Kind:
        if kind.is_scalar:
            found += [Family(f"{kind}-{letter}", kind) for letter in "ds"]
        else:
            found.append(Family(_FAMILIES[kind], kind))
    return {family.name: family for family in (*found, Family(ROLLUP, None))}


def family_name(kind: Kind, *, repeats: bool) -> str:
    """Return which family takes a PV of a kind; `repeats`: its values come again."""
    if not kind.is_scalar:
        return _FAMILIES[kind]
    return f"{kind}-{'d' if repeats or kind is Kind.ENUM else 's'}"


def values_repeat(
    value: npt.NDArray[Any], starts: npt.NDArray[Any], sizes: npt.NDArray[Any]
) -> npt.NDArray[np.bool_]:
    """Return for each PV whether a dictionary serves its values best, from up to 256 of them.

    Rows of PV k are `value[starts[k]:starts[k] + sizes[k]]`; no size is 0.
    """
    bits = value.view(f"i{value.dtype.itemsize}")
    found: list[npt.NDArray[np.bool_]] = []
    step = np.arange(_SAMPLED)
    for at in range(0, len(starts), _PVS_AT_ONCE):
        size = sizes[at : at + _PVS_AT_ONCE, None]
        # Of fewer rows than are looked at the last is taken again: it is one value all the same.
        spread = np.where(size >= _SAMPLED, step * size // _SAMPLED, np.minimum(step, size - 1))
        seen = np.sort(bits[starts[at : at + _PVS_AT_ONCE, None] + spread], axis=1)
        different = 1 + (seen[:, 1:] != seen[:, :-1]).sum(axis=1)
        looked = np.minimum(size[:, 0], _SAMPLED)
        found.append((looked - different) * _REPEATS >= looked)
        found[-1] &= looked > different
    return np.concatenate(found)


def writer_options(family: Family, level: Level) -> dict[str, Any]:
    """Return the arguments for `pyarrow.parquet.ParquetWriter`."""
    # Without Arrow's own schema in the file every reader sees the same plain types.
    common: dict[str, Any] = {
        "store_schema": False,
        "write_page_checksum": True,
        "compression": "zstd",
    }
    # Arrow's 1,024 rows at once cost a sixth more time.
    common["write_batch_size"] = 65_536
    if family.kind is None:
        encodings = dict.fromkeys(("start", "count", "nan", "first_time", "last_time"), _DELTA)
        encodings |= dict.fromkeys(("sum", "sum_squares", "m2"), _SPLIT)
        dictionary = ["pv", "step", "min", "max", "first", "last", "severity"]
        statistics, levels = ["pv", "step", "start"], {}
    else:
        encodings = {"time": _DELTA, "tag": _DELTA}
        dictionary = ["pv", "severity", "status"]
        statistics, levels = ["pv", "time"], {"time": _FASTEST}
        if family.kind in (Kind.STRING, Kind.STRUCT) or family.name.endswith("-d"):
            dictionary.append("value")
            levels["value"] = _LEVELS[level]
        elif family.kind in (Kind.INT64, Kind.UINT64, Kind.INT32):
            encodings["value"] = _DELTA
        elif family.kind.is_scalar:
            encodings["value"] = _SPLIT
            levels["value"] = 1 if level.rank >= Level.DAY.rank else _FASTEST
        elif family.kind.item is not None and family.kind is not Kind.INT16_ARRAY:
            encodings[_ELEMENT] = _SPLIT
        levels = {_leaf(family, name): n for name, n in levels.items()}
    names = [_leaf(family, name) for name in family.schema.names]
    return {
        **common,
        "use_dictionary": dictionary,
        "column_encoding": encodings,
        "compression_level": dict.fromkeys(names, 1) | levels,
        "write_statistics": statistics,
    }


def _leaf(family: Family, name: str) -> str:
    lists = family.kind is not None and family.name.startswith("array-")
    return _ELEMENT if lists and name == "value" else name
