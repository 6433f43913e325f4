"""The journal's blocks, as bytes.

A file is blocks, one after the other. A block is a header of 32 bytes and a body, both multiples
of 8 bytes long; all numbers are little endian::

    magic     8 bytes  93 4c 4e 43 52 4a 31 0a
    type      uint32   1 FILE, 2 SERIES, 3 SCALARS, 4 BLOBS
    rows      uint32   samples in the body
    length    uint64   bytes of the body
    body crc  uint32   CRC-32 (zlib's) of the body
    crc       uint32   CRC-32 of the 28 bytes before

FILE is a file's first block, JSON: `format` (1), `opened` (ns since 1970), and `cuts`, a list of
[name, length]: of that file no more than so many bytes count, what followed is written again here.
SERIES is JSON, a list of objects with `id`, `pv`, `kind`, `native`; a series stands in one before
its first sample in each file. JSON is filled with spaces. The others are columns, each filled with
zeros to 8 bytes::

    SCALARS   time int64, value int64, series int32, tag int32, status int16, severity int8
    BLOBS     time int64, offset int64 (rows + 1), series int32, tag int32, count int32,
              status int16, severity int8, data (as many bytes as the last offset says)
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from linacre.archiver.model import BlobBatch, Int64s, Kind, ScalarBatch, Series

MAGIC = b"\x93LNCRJ1\n"
FORMAT = 1
HEADER = struct.Struct("<8sIIQII")
CHECKED = HEADER.size - 4
"""The bytes of a header over which its own checksum goes."""

Bytes = npt.NDArray[np.uint8]


class BlockType(IntEnum):
    """What a block is."""

    FILE = 1
    SERIES = 2
    SCALARS = 3
    BLOBS = 4


@dataclass(frozen=True)
class FileHead:
    """What a file says of itself."""

    opened_ns: int
    cuts: tuple[tuple[str, int], ...] = ()
    """Files of which only the first bytes count, and how many."""


class Views:
    """A file's bytes, a multiple of 8 of them, seen as numbers of each size."""

    def __init__(self, raw: Bytes) -> None:
        self.raw = raw
        self.int64 = raw.view(np.int64)
        self.int32 = raw.view(np.int32)
        self.int16 = raw.view(np.int16)
        self.int8 = raw.view(np.int8)

    def __len__(self) -> int:
        return len(self.raw)


class ScalarPlaces(NamedTuple):
    """Where the columns of SCALARS begin in a body; ints, or arrays of int64 for many blocks."""

    time: Any
    value: Any
    series: Any
    tag: Any
    status: Any
    severity: Any
    end: Any


class BlobPlaces(NamedTuple):
    """The same of BLOBS."""

    time: Any
    offset: Any
    series: Any
    tag: Any
    count: Any
    status: Any
    severity: Any
    data: Any


def scalar_places(rows: Any) -> ScalarPlaces:
    """Return where the columns of so many rows are; rows may be an array."""
    series = 16 * rows
    tag = series + _filled(4 * rows)
    status = tag + _filled(4 * rows)
    severity = status + _filled(2 * rows)
    end = severity + _filled(rows)
    return ScalarPlaces(0 * rows, 8 * rows, series, tag, status, severity, end)


def blob_places(rows: Any) -> BlobPlaces:
    """Return where the columns of so many rows are; rows may be an array."""
    series = 16 * rows + 8
    tag = series + _filled(4 * rows)
    count = tag + _filled(4 * rows)
    status = count + _filled(4 * rows)
    severity = status + _filled(2 * rows)
    data = severity + _filled(rows)
    return BlobPlaces(0 * rows, 8 * rows, series, tag, count, status, severity, data)


def encode_scalars(batch: ScalarBatch) -> memoryview:
    """Return the block of a batch; a copy, so that it can be written again."""
    places = scalar_places(len(batch))
    raw = np.empty(HEADER.size + places.end, np.uint8)
    body = raw[HEADER.size :]
    _put(body, places.time, places.value, batch.time, np.int64)
    _put(body, places.value, places.series, batch.value, np.int64)
    _put(body, places.series, places.tag, batch.series, np.int32)
    _put(body, places.tag, places.status, batch.tag, np.int32)
    _put(body, places.status, places.severity, batch.status, np.int16)
    _put(body, places.severity, places.end, batch.severity, np.int8)
    return _headed(raw, BlockType.SCALARS, len(batch))


def encode_blobs(batch: BlobBatch) -> memoryview:
    """Return the block of a batch; a copy, so that it can be written again."""
    size = int(batch.offset[-1])
    places = blob_places(len(batch))
    end = places.data + _filled(size)
    raw = np.empty(HEADER.size + end, np.uint8)
    body = raw[HEADER.size :]
    _put(body, places.time, places.offset, batch.time, np.int64)
    _put(body, places.offset, places.series, batch.offset, np.int64)
    _put(body, places.series, places.tag, batch.series, np.int32)
    _put(body, places.tag, places.count, batch.tag, np.int32)
    _put(body, places.count, places.status, batch.count, np.int32)
    _put(body, places.status, places.severity, batch.status, np.int16)
    _put(body, places.severity, places.data, batch.severity, np.int8)
    _put(body, places.data, end, np.frombuffer(batch.data, np.uint8, size), np.uint8)
    return _headed(raw, BlockType.BLOBS, len(batch))


def encode_series(series: Sequence[Series]) -> memoryview:
    """Return the block that says what some series are."""
    return _json(
        BlockType.SERIES,
        [{"id": s.id, "pv": s.pv, "kind": s.kind, "native": s.native} for s in series],
    )


def encode_head(head: FileHead) -> memoryview:
    """Return a file's first block."""
    return _json(
        BlockType.FILE, {"format": FORMAT, "opened": head.opened_ns, "cuts": list(head.cuts)}
    )


def decode_series(body: memoryview) -> list[Series]:
    """Return what `encode_series` was given; raises `ValueError`, `KeyError` and `TypeError`."""
    return [
        Series(int(found["id"]), found["pv"], Kind(found["kind"]), found["native"])
        for found in json.loads(bytes(body))
    ]


def decode_head(body: memoryview) -> FileHead:
    """Return what `encode_head` was given; raises `ValueError`, for another format too."""
    found = json.loads(bytes(body))
    if found.get("format") != FORMAT:
        raise ValueError(f"format {found.get('format')} is not {FORMAT}")
    cuts = tuple((str(name), int(length)) for name, length in found["cuts"])
    return FileHead(int(found["opened"]), cuts)


def decode_scalars(file: Views, body: int, rows: int) -> ScalarBatch:
    """Return the batch at a place of a file, without a copy."""
    at = scalar_places(rows)
    time, series = body // 8, (body + at.series) // 4
    tag, status, severity = (body + at.tag) // 4, (body + at.status) // 2, body + at.severity
    return ScalarBatch(
        series=file.int32[series : series + rows],
        time=file.int64[time : time + rows],
        value=file.int64[time + rows : time + 2 * rows],
        severity=file.int8[severity : severity + rows],
        status=file.int16[status : status + rows],
        tag=file.int32[tag : tag + rows],
    )


def gather_scalars(file: Views, place: Int64s, rows: Int64s, body: Int64s) -> ScalarBatch:
    """Return samples of many blocks as one batch.

    Of each sample: its place in its block, the rows of that block, and where its body begins.
    """
    at = scalar_places(rows)
    return ScalarBatch(
        series=file.int32[(body + at.series) // 4 + place],
        time=file.int64[body // 8 + place],
        value=file.int64[(body + at.value) // 8 + place],
        severity=file.int8[body + at.severity + place],
        status=file.int16[(body + at.status) // 2 + place],
        tag=file.int32[(body + at.tag) // 4 + place],
    )


def decode_blobs(file: Views, body: int, rows: int) -> BlobBatch:
    """Return the batch at a place of a file, without a copy."""
    at = blob_places(rows)
    time, series = body // 8, (body + at.series) // 4
    tag, count, status = (body + at.tag) // 4, (body + at.count) // 4, (body + at.status) // 2
    severity, data = body + at.severity, body + at.data
    offset = file.int64[time + rows : time + 2 * rows + 1]
    return BlobBatch(
        series=file.int32[series : series + rows],
        time=file.int64[time : time + rows],
        severity=file.int8[severity : severity + rows],
        status=file.int16[status : status + rows],
        tag=file.int32[tag : tag + rows],
        count=file.int32[count : count + rows],
        offset=offset,
        data=file.raw[data : data + int(offset[-1])].data,
    )


def series_place(kind: BlockType, rows: Any) -> Any:
    """Return where in the body of SCALARS or BLOBS the series are; the times are at 0."""
    return (scalar_places(rows) if kind is BlockType.SCALARS else blob_places(rows)).series


def _filled(size: Any) -> Any:
    return (size + 7) & ~7


def _put(body: Bytes, at: int, end: int, column: npt.NDArray[Any], kind: Any) -> None:
    size = column.size * np.dtype(kind).itemsize
    body[at : at + size].view(kind)[:] = column
    body[at + size : end] = 0


def _headed(raw: Bytes, kind: BlockType, rows: int) -> memoryview:
    block = raw.data
    body = block[HEADER.size :]
    HEADER.pack_into(block, 0, MAGIC, kind, rows, len(body), zlib.crc32(body), 0)
    struct.pack_into("<I", block, CHECKED, zlib.crc32(block[:CHECKED]))
    return block


def _json(kind: BlockType, content: object) -> memoryview:
    text = json.dumps(content, ensure_ascii=False).encode()
    body = text.ljust(_filled(len(text)))
    return _headed(np.frombuffer(bytearray(HEADER.size) + body, np.uint8), kind, 0)
