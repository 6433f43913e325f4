"""The values that an IOC of the truth suite sends, by type, and what an archive has of them.

Each type has `SIZE` values, at the ends of its range too, sent one after the other: neighbours
differ, so that a value which stands where another was is seen. Values are told by digests of 64
bits, which are the same for what is sent and what is archived.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from linacre.archiver.model import Kind
from linacre.archiver.store.part import arrow_type

SIZE = 251
"""A prime: what goes by fours or hundreds meets all of them."""
CA_TYPES = ("string", "short", "float", "enum", "char", "long", "double")
CA_BY_VALUE = ("enum", "long", "double")
"""Those of which a server of Channel Access queues values; of others it has the newest only."""
PVA_CODES = "?bBhHiIlLfds"
LABELS = 4
Uint64s = npt.NDArray[np.uint64]
_ARRAY = "[]"
_LONGEST = 24
_ITEM = {
    **{"short": "i2", "float": "f4", "enum": "u2", "char": "u1", "long": "i4", "double": "f8"},
    **{"?": "?", "b": "i1", "B": "u1", "h": "i2", "H": "u2", "i": "i4", "I": "u4"},
    **{"l": "i8", "L": "u8", "f": "f4", "d": "f8"},
}
_SCALARS = {
    **{"string": Kind.STRING, "short": Kind.INT32, "float": Kind.FLOAT32, "enum": Kind.ENUM},
    **{"char": Kind.INT32, "long": Kind.INT32, "double": Kind.FLOAT64},
    **{"?": Kind.INT32, "b": Kind.INT32, "B": Kind.INT32, "h": Kind.INT32, "H": Kind.INT32},
    **{"i": Kind.INT32, "I": Kind.INT64, "l": Kind.INT64, "L": Kind.UINT64},
    **{"f": Kind.FLOAT32, "d": Kind.FLOAT64, "s": Kind.STRING},
    **{"choice": Kind.ENUM, "table": Kind.STRUCT, "point": Kind.STRUCT},
}
_ARRAYS = {
    **{"string": Kind.STRING_ARRAY, "short": Kind.INT16_ARRAY, "float": Kind.FLOAT32_ARRAY},
    **{"enum": Kind.INT32_ARRAY, "char": Kind.BYTES, "long": Kind.INT32_ARRAY},
    **{"double": Kind.FLOAT64_ARRAY, "?": Kind.INT32_ARRAY, "b": Kind.BYTES, "B": Kind.BYTES},
    **{"h": Kind.INT16_ARRAY, "H": Kind.INT32_ARRAY, "i": Kind.INT32_ARRAY},
    **{"I": Kind.INT64_ARRAY, "l": Kind.INT64_ARRAY, "L": Kind.UINT64_ARRAY},
    **{"f": Kind.FLOAT32_ARRAY, "d": Kind.FLOAT64_ARRAY, "s": Kind.STRING_ARRAY},
}
PVA_TYPES = (*PVA_CODES, *(code + _ARRAY for code in PVA_CODES), "choice", "table", "point")
CA_ALL = (*CA_TYPES, *(name + _ARRAY for name in CA_TYPES))


@dataclass(frozen=True)
class Pool:
    """The values of one type, and what an archive should have of them."""

    kind: Kind
    values: Sequence[Any]
    """Python's and numpy's own: numbers, texts, arrays, dictionaries of a structure's fields."""
    digests: Uint64s


def is_array(name: str) -> bool:
    """Whether values of a type are arrays."""
    return name.endswith(_ARRAY)


def element(name: str) -> str:
    """Return the type of a type's elements, or the type itself."""
    return name.removesuffix(_ARRAY)


def item(name: str) -> np.dtype[Any]:
    """Return what numbers of a type are in memory; `KeyError` where it has none."""
    return np.dtype(_ITEM[element(name)])


@cache
def pool(name: str) -> Pool:
    """Return the values of a type."""
    kind = (_ARRAYS if is_array(name) else _SCALARS)[element(name)]
    rng = np.random.default_rng(SIZE)
    if name in ("table", "point"):
        values: list[Any] = [_table(k) if name == "table" else _point(k) for k in range(SIZE)]
        stored: list[Any] = [json.dumps(value, sort_keys=True) for value in values]
        return Pool(kind, values, digests_of(kind, pa.array(stored, pa.string()), is_json=False))
    if element(name) in ("string", "s"):
        singles: list[Any] = [_text(k, short=element(name) == "string") for k in range(SIZE)]
    else:
        singles = list(_numbers(name, rng))
    if is_array(name):
        values = [_some(singles, int(n)) for n in _lengths(rng)]
        if element(name) not in ("string", "s"):
            values = [np.array(value, item(name)) for value in values]
    else:
        values = singles
    return Pool(kind, values, digests_of(kind, _stored(kind, values)))


def _some(singles: Sequence[Any], place: int) -> list[Any]:
    begin, length = divmod(place, 10_000)
    return [singles[(begin + k) % SIZE] for k in range(length)]


def _lengths(rng: np.random.Generator) -> list[int]:
    """Return where each array begins, and how long it is, as one number."""
    lengths = rng.integers(1, _LONGEST, SIZE)
    lengths[7::50] = 0
    lengths[9::125] = 1000
    return [k * 10_000 + int(n) for k, n in enumerate(lengths)]


def _numbers(name: str, rng: np.random.Generator) -> Sequence[Any]:
    if element(name) in ("enum", "choice"):
        return [int(k) % LABELS for k in range(SIZE)]
    of = item(name)
    if of.kind == "b":
        return [bool(k % 2) for k in range(SIZE)]
    if of.kind == "f":
        found = rng.normal(0.0, 1.0, SIZE).astype(of) * np.logspace(-30, 30, SIZE).astype(of)
        ends = np.finfo(of)
        found[:6] = [0.0, -0.0, np.inf, -np.inf, np.nan, ends.tiny]
        found[6:9] = [ends.max, ends.min, ends.smallest_subnormal]
        return found.tolist() if of.itemsize == 8 else [float(value) for value in found]
    ends_of = np.iinfo(of)
    found = rng.integers(ends_of.min, ends_of.max, SIZE, dtype=of, endpoint=True)
    found[:3] = [ends_of.min, ends_of.max, 0]
    # Two of the same after each other would hide that one was lost or moved.
    for k in range(1, SIZE):
        if found[k] == found[k - 1]:
            found[k] ^= 1
    return [int(value) for value in found]


def _text(k: int, *, short: bool) -> str:
    if k % 50 == 0:
        return "" if k else " "
    if short:
        return f"{k} {'ä°µ€'[k % 4] * (k % 9)}"
    return f"{k} ü" * (1 + 200 * (k % 50 == 1))


def _table(k: int) -> dict[str, Any]:
    return {"x": [k + 0.5 * n for n in range(k % 4)], "name": [f"{k} {n}" for n in range(k % 4)]}


def _point(k: int) -> dict[str, Any]:
    return {"x": k + 0.25, "n": -k, "on": bool(k % 2)}


def _stored(kind: Kind, values: Sequence[Any]) -> pa.Array[Any]:
    if kind is Kind.BYTES:
        # A signed byte is kept by its bits.
        return pa.array([value.tobytes() for value in values], arrow_type(kind))
    if kind in (Kind.INT32, Kind.INT32_ARRAY):
        values = [np.asarray(value).astype(np.int32).tolist() for value in values]
    return pa.array(values, arrow_type(kind))


def digests_of(kind: Kind, column: Any, *, is_json: bool = True) -> Uint64s:
    """Return the digests of values as an archive has them."""
    if kind is Kind.STRUCT and is_json:
        column = pa.array(
            [json.dumps(json.loads(text)["value"], sort_keys=True) for text in column.to_pylist()],
            pa.string(),
        )
    if kind in (Kind.STRING, Kind.STRUCT):
        return _texts(column.cast(pa.large_string()))
    if kind is Kind.BYTES:
        return _blobs(*_buffers(column))
    if kind is Kind.STRING_ARRAY:
        offsets = column.offsets.to_numpy()
        each = _texts(column.values.cast(pa.large_string()))
        return _blobs(each.view(np.uint8), offsets * 8)
    if not kind.is_scalar:
        offsets = column.offsets.to_numpy()
        items = np.ascontiguousarray(column.values.to_numpy(zero_copy_only=False))
        return _blobs(items.view(np.uint8), offsets * items.itemsize)
    numbers = np.ascontiguousarray(column.to_numpy(zero_copy_only=False))
    widened = numbers if numbers.itemsize == 8 else numbers.astype(_WIDE[numbers.dtype.kind])
    return widened.view(np.uint64)


_WIDE: dict[str, type] = {"f": np.float64, "i": np.int64, "u": np.uint64}
_WEIGHTS: Uint64s = np.random.default_rng(1).integers(0, 2**64, 1 << 16, np.uint64) | np.uint64(1)


def _texts(column: Any) -> Uint64s:
    return _blobs(*_buffers(column))


def _buffers(column: Any) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return the bytes of an array of large strings or binaries, and where each begins."""
    _, offsets, data = column.buffers()
    if not len(column):
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    at = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1]
    return (np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)), at


def _blobs(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> Uint64s:
    """Return a digest of each stretch of bytes: the sum of its bytes, each by its place."""
    data, offsets = data[offsets[0] : offsets[-1]], offsets - offsets[0]
    lengths = np.diff(offsets)
    place = np.arange(len(data)) - np.repeat(offsets[:-1], lengths)
    each = (data.astype(np.uint64) + np.uint64(1)) * _WEIGHTS[place & (len(_WEIGHTS) - 1)]
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(each, dtype=np.uint64)])
    return sums[offsets[1:]] - sums[offsets[:-1]] + lengths.astype(np.uint64)


Digests = Callable[[Kind, Any], Uint64s]
