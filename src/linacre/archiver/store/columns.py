"""Rows of a batch as columns of Arrow: whole columns at a time, without a copy where it can be."""

from __future__ import annotations

import itertools
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from linacre.archiver.errors import DamagedError
from linacre.archiver.model import BlobBatch, Int64s, Kind, ScalarBatch
from linacre.archiver.store.part import Columns, arrow_type

Bytes = npt.NDArray[np.uint8]
Rows = slice | npt.NDArray[np.integer[Any]]
"""Which rows of a batch: all of one series, in the order of time."""

_SMALL = 64
"""Up to about this mean size in bytes, values are gathered by one index rather than one by one."""
_LENGTH = struct.Struct("<i")


def scalar_columns(kind: Kind, batch: ScalarBatch, rows: Rows) -> Columns:
    """Return rows of numbers; they share the batch's memory where its types are those of Arrow."""
    return Columns(
        kind=kind,
        time=batch.time[rows],
        value=scalar_values(kind, batch.value[rows]),
        severity=batch.severity[rows],
        status=batch.status[rows],
        tag=batch.tag[rows],
    )


def blob_columns(kind: Kind, batch: BlobBatch, rows: Rows) -> Columns:
    """Return rows of text, arrays or structures; neighbouring values share the batch's memory.

    At most 2 GiB of text at once, by Arrow's string type: raises `OverflowError` beyond.
    Raises `DamagedError` where values are not what the kind says.
    """
    start = batch.offset[:-1][rows]
    length = batch.offset[1:][rows] - start
    return Columns(
        kind=kind,
        time=batch.time[rows],
        value=blob_values(kind, np.frombuffer(batch.data, np.uint8), start, length),
        severity=batch.severity[rows],
        status=batch.status[rows],
        tag=batch.tag[rows],
    )


def scalar_values(kind: Kind, bits: Int64s) -> pa.Array[Any]:
    """Return the values of which a `ScalarBatch` holds the bits."""
    match kind:
        case Kind.FLOAT64:
            value = bits.view(np.float64)
        case Kind.FLOAT32:
            with np.errstate(over="ignore", invalid="ignore"):
                value = bits.view(np.float64).astype(np.float32)
        case Kind.INT64:
            value = bits
        case Kind.UINT64:
            value = bits.view(np.uint64)
        case _:
            value = bits.astype(np.int32)
    return _array(value)


def blob_values(kind: Kind, data: Bytes, start: Int64s, length: Int64s) -> pa.Array[Any]:
    """Return the values of which `data` has the bytes, each at its start; see `BlobBatch`."""
    match kind:
        case Kind.STRING | Kind.STRUCT:
            return _text(data, start, length)
        case Kind.BYTES:
            packed, offset = _pack(data, start, length, align=1)
            return _from_buffers(pa.large_binary(), len(start), offset, packed)
        case Kind.STRING_ARRAY:
            return _text_arrays(data, start, length)
        case _:
            return _number_arrays(kind, data, start, length)


def _number_arrays(kind: Kind, data: Bytes, start: Int64s, length: Int64s) -> pa.Array[Any]:
    item = kind.item
    if item is None:
        raise TypeError(f"{kind} is no array of numbers")
    size = item.itemsize
    if (length % size).any():
        raise DamagedError(f"a value of {kind} has a part of an item of {size} bytes")
    packed, offset = _pack(data, start, length, align=size)
    return _lists(kind, offset // size, _array(packed.view(item)))


def _text_arrays(data: Bytes, start: Int64s, length: Int64s) -> pa.Array[Any]:
    """Walk each value from length to length: nothing but the value tells where its texts are."""
    raw = data.data
    places: list[int] = []
    sizes: list[int] = []
    outer = [0]
    for at, size in zip(start.tolist(), length.tolist(), strict=True):
        end = at + size
        while at < end:
            if at + 4 > end:
                raise DamagedError("an array of text ends within a length")
            (n,) = _LENGTH.unpack_from(raw, at)
            at += 4
            if not 0 <= n <= end - at:
                raise DamagedError(f"an array of text has a text of {n} bytes beyond its end")
            places.append(at)
            sizes.append(n)
            at += n
        outer.append(len(places))
    texts = _text(data, np.array(places, np.int64), np.array(sizes, np.int64))
    return _lists(Kind.STRING_ARRAY, np.array(outer, np.int64), texts)


def _text(data: Bytes, start: Int64s, length: Int64s) -> pa.Array[Any]:
    packed, offset = _pack(data, start, length, align=1)
    if offset[-1] > np.iinfo(np.int32).max:
        raise OverflowError(f"{offset[-1]} bytes of text at once; at most 2 GiB")
    array = _from_buffers(pa.string(), len(start), offset.astype(np.int32), packed)
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        # One server that sends Latin-1 must not make a whole segment unreadable.
        raw = packed.tobytes()
        edges = offset.tolist()
        pairs = itertools.pairwise(edges)
        return pa.array([raw[a:b].decode(errors="replace") for a, b in pairs], pa.string())
    return array


def _pack(data: Bytes, start: Int64s, length: Int64s, *, align: int) -> tuple[Bytes, Int64s]:
    """Return values one after the other, and the n + 1 places where they begin and end.

    A view of `data` where they are so already, at an address that is a multiple of `align`.
    """
    offset = np.zeros(len(start) + 1, np.int64)
    np.cumsum(length, out=offset[1:])
    total = int(offset[-1])
    if total == 0:
        return np.empty(0, np.uint8), offset
    if np.array_equal(start[1:], start[:-1] + length[:-1]):
        found = data[int(start[0]) : int(start[0]) + total]
        if found.ctypes.data % align == 0:
            return found, offset
        return found.copy(), offset
    if total <= _SMALL * len(start):
        return data[np.repeat(start - offset[:-1], length) + np.arange(total)], offset
    packed = np.empty(total, np.uint8)
    to = offset.tolist()
    for k, at in enumerate(start.tolist()):
        packed[to[k] : to[k + 1]] = data[at : at + to[k + 1] - to[k]]
    return packed, offset


def _from_buffers(
    kind: pa.DataType, n: int, offset: npt.NDArray[np.signedinteger[Any]], data: Bytes
) -> pa.Array[Any]:
    buffer: Any = pa.py_buffer
    return pa.Array.from_buffers(kind, n, [None, buffer(offset), buffer(data)])


def _lists(kind: Kind, offset: Int64s, values: pa.Array[Any]) -> pa.Array[Any]:
    arrays: Any = pa.LargeListArray
    return arrays.from_arrays(_array(offset), values, type=arrow_type(kind))


def _array(values: npt.NDArray[Any]) -> pa.Array[Any]:
    # The stubs do not know NumPy's arrays as a source.
    make: Any = pa.array
    return make(values)
