r"""`index.bin`: where the rows of a PV are, found at the same cost among 10 or 10,000 PVs.

    8 bytes "LINACRE\\x01", uint32 length and uint32 crc32 of the header
    header      JSON: the sections' places in the body, and a copy of segment.json
    body        fanout   uint32, n + 1: the first row of `pvs` for each value of a hash's top bits
                pvs      ENTRY, sorted by hash: one row for each PV and kind, and for each roll-up
                names    UTF-8, one after the other
                groups   GROUP: the row groups, family by family
                footers  a copy of each Parquet file's metadata
    checksums   uint32 crc32 of each 4,096 bytes of the body

Little endian. The hash of a name is the first 8 bytes of its BLAKE2b, as uint64. A reader checks
the pages that it touches and no others.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import struct
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from linacre.archiver.errors import DamagedError
from linacre.archiver.model import Kind
from linacre.archiver.store.segments.description import Description

FILE = "index.bin"
PAGE = 4096
_MAGIC = b"LINACRE\x01"
_START = struct.Struct("<8sII")
_MOST_HEADER = 1 << 26

ENTRY = np.dtype(
    [
        *(("hash", "<u8"), ("name", "<u4"), ("name_bytes", "<u2")),
        *(("kind", "<u1"), ("reserved", "<u1"), ("step_s", "<i4"), ("row", "<u4")),
        *(("group", "<u4"), ("groups", "<u4"), ("rows", "<i8"), ("first", "<i8"), ("last", "<i8")),
    ]
)
"""step_s is 0 for samples; `row` is the place in the first of `groups` row groups from `group`."""
GROUP = np.dtype(
    [
        *(("part", "<u4"), ("within", "<u4"), ("crc32", "<u4"), ("rows", "<u4")),
        *(("offset", "<i8"), ("bytes", "<i8"), ("raw", "<i8"), ("first", "<i8"), ("last", "<i8")),
    ]
)
"""`within` counts the row groups of a part; `raw` is bytes in memory; first and last row's time."""
KINDS = (
    *(Kind.FLOAT64, Kind.FLOAT32, Kind.INT64, Kind.INT32, Kind.ENUM, Kind.STRING),
    *(Kind.FLOAT64_ARRAY, Kind.FLOAT32_ARRAY, Kind.INT64_ARRAY, Kind.INT32_ARRAY),
    *(Kind.INT16_ARRAY, Kind.BYTES, Kind.STRING_ARRAY, Kind.STRUCT),
    # Younger than archives that there are: at the end.
    *(Kind.UINT64, Kind.UINT64_ARRAY),
)
"""By their number in the index."""


class Entry(NamedTuple):
    """The rows of one PV and kind, or of one roll-up of it."""

    pv: str
    kind: Kind
    step_s: int
    group: int
    groups: int
    row: int
    rows: int
    first_ns: int
    last_ns: int


class Group(NamedTuple):
    """A row group: in which part, where, and what its bytes must be."""

    part: int
    within: int
    crc32: int
    rows: int
    offset: int
    bytes: int
    raw: int
    first_ns: int
    last_ns: int


class Source(Protocol):
    """What an index is read from."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Return bytes, fewer at the end."""
        ...


class Memory:
    """An index in memory."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read_at(self, offset: int, size: int) -> bytes:
        """Return bytes, fewer at the end."""
        return self._content[offset : offset + size]


def build(
    description: Description,
    entries: Sequence[Entry],
    groups: npt.NDArray[Any],
    footers: Sequence[bytes],
) -> bytes:
    """Return the content of an index."""
    names = list(dict.fromkeys(entry.pv for entry in entries))
    raw = [name.encode() for name in names]
    places = dict(zip(names, itertools.accumulate((len(x) for x in raw), initial=0), strict=False))
    hashes = dict(zip(names, map(_hash, raw), strict=True))
    sizes = dict(zip(names, map(len, raw), strict=True))
    numbers = {kind: number for number, kind in enumerate(KINDS)}
    rows = [
        (
            *(hashes[e.pv], places[e.pv], sizes[e.pv], numbers[e.kind], 0, e.step_s, e.row),
            *(e.group, e.groups, e.rows, e.first_ns, e.last_ns),
        )
        for e in entries
    ]
    table = np.array(rows, ENTRY)
    table = table[np.lexsort((table["first"], table["name"], table["hash"]))]
    bits = max(0, (len(table) // 8).bit_length())
    fanout = np.searchsorted(_top(table["hash"], bits), np.arange((1 << bits) + 1))
    sections = {
        "fanout": fanout.astype("<u4").tobytes(),
        "pvs": table.tobytes(),
        "names": b"".join(raw),
        "groups": groups.astype(GROUP).tobytes(),
        "footers": b"".join(footers),
    }
    body = b"".join(sections.values())
    ends = list(itertools.accumulate(map(len, sections.values()), initial=0))
    pages = [zlib.crc32(body[at : at + PAGE]) for at in range(0, len(body), PAGE)]
    checksums = np.array(pages, "<u4").tobytes()
    header = {
        "sections": dict(zip(sections, itertools.pairwise(ends), strict=True)),
        "bits": bits,
        "footers": list(itertools.accumulate(map(len, footers), initial=0)),
        "checksums": zlib.crc32(checksums),
        "segment": description.dump().decode(),
    }
    text = json.dumps(header).encode()
    return _START.pack(_MAGIC, len(text), zlib.crc32(text)) + text + body + checksums


class Index:
    """An index that is read a page at a time. All methods raise `DamagedError`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        start = source.read_at(0, _START.size)
        if len(start) != _START.size:
            raise DamagedError(f"{FILE} is too short")
        magic, length, crc = _START.unpack(start)
        if magic != _MAGIC or length > _MOST_HEADER:
            raise DamagedError(f"{FILE} begins with {start!r}")
        text = source.read_at(_START.size, length)
        if zlib.crc32(text) != crc:
            raise DamagedError(f"the header of {FILE} has another checksum")
        header = json.loads(text)
        self.description = Description.load(header["segment"].encode())
        self._sections: dict[str, tuple[int, int]] = header["sections"]
        self._bits: int = header["bits"]
        self._footers: list[int] = header["footers"]
        self._body = _START.size + length
        self._body_bytes = max(end for _, end in self._sections.values())
        pages = -(-self._body_bytes // PAGE)
        checksums = source.read_at(self._body + self._body_bytes, 4 * pages)
        if zlib.crc32(checksums) != header["checksums"]:
            raise DamagedError(f"the checksums of {FILE} have another checksum")
        self._checksums = np.frombuffer(checksums, "<u4")

    def find(self, pv: str) -> list[Entry]:
        """Return a PV's samples and roll-ups, the oldest first; empty where it has none."""
        raw = pv.encode()
        name_hash = _hash(raw)
        bucket = int(_top(np.array([name_hash], np.uint64), self._bits)[0])
        begin, end = np.frombuffer(self._read("fanout", 4 * bucket, 8), "<u4").tolist()
        if begin >= end:
            return []
        content = self._read("pvs", begin * ENTRY.itemsize, (end - begin) * ENTRY.itemsize)
        rows = np.frombuffer(content, ENTRY)
        rows = rows[(rows["hash"] == name_hash) & (rows["name_bytes"] == len(raw))]
        names: dict[int, bytes] = {}
        found: list[Entry] = []
        for row in rows:
            at = int(row["name"])
            if at not in names:
                names[at] = self._read("names", at, len(raw))
            if names[at] == raw:
                found.append(_entry(pv, row.tolist()))
        return found

    def entries(self) -> list[Entry]:
        """Return all, in no order."""
        names = self._all("names")
        rows = np.frombuffer(self._all("pvs"), ENTRY).tolist()
        return [_entry(names[row[1] : row[1] + row[2]].decode(), row) for row in rows]

    def pvs(self) -> frozenset[str]:
        """Return the PVs that have samples."""
        names = self._all("names")
        rows = np.frombuffer(self._all("pvs"), ENTRY)
        rows = rows[rows["step_s"] == 0]
        places = zip(rows["name"].tolist(), rows["name_bytes"].tolist(), strict=True)
        return frozenset(names[at : at + size].decode() for at, size in places)

    def groups(self, first: int, count: int) -> list[Group]:
        """Return row groups by their number."""
        content = self._read("groups", first * GROUP.itemsize, count * GROUP.itemsize)
        return [Group(*row) for row in np.frombuffer(content, GROUP).tolist()]

    def footer(self, part: int) -> bytes:
        """Return the copy of a part's metadata."""
        begin, end = self._footers[part : part + 2]
        return self._read("footers", begin, end - begin)

    def _all(self, section: str) -> bytes:
        begin, end = self._sections[section]
        return self._read(section, 0, end - begin)

    def _read(self, section: str, at: int, size: int) -> bytes:
        begin, end = self._sections[section]
        at += begin
        if at + size > end:
            raise DamagedError(f"{FILE} has no place {at} in {section}")
        first, last = at // PAGE, -(-(at + size) // PAGE)
        stop = min(last * PAGE, self._body_bytes)
        content = self._source.read_at(self._body + first * PAGE, stop - first * PAGE)
        for page in range(first, last):
            piece = content[(page - first) * PAGE : (page - first + 1) * PAGE]
            if zlib.crc32(piece) != self._checksums[page]:
                raise DamagedError(f"page {page} of {FILE} has another checksum")
        return content[at - first * PAGE : at - first * PAGE + size]


def _entry(pv: str, row: Sequence[int]) -> Entry:
    _, _, _, kind, _, step_s, at, group, groups, rows, first, last = row
    return Entry(pv, KINDS[kind], step_s, group, groups, at, rows, first, last)


def _hash(name: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little")


def _top(hashes: npt.NDArray[Any], bits: int) -> npt.NDArray[Any]:
    # A shift by all 64 bits is undefined.
    return (hashes >> np.uint64(1) >> np.uint64(63 - bits)).astype(np.int64)
