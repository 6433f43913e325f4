"""Samples for the tests of segments: made, written as a journal gives them, and read again."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from linacre.archiver.model import BlobBatch, Kind, ScalarBatch, Series
from linacre.archiver.store.files import File, OsFiles
from linacre.archiver.store.part import Columns
from linacre.archiver.store.segments import Cache, Level, Limits, Segment, write_segment

HOUR = 3600 * 10**9
DAY = 24 * HOUR
START = 1_795_478_400 * 10**9
"""2026-11-24T00:00 UTC."""
SMALL = Limits(
    group_rows=16,
    own_rows=6,
    groups=2,
    piece_rows=40,
    rollup_rows=12,
    rollup_share=2,
    rollup_row_units=2,
    inputs=4,
)
"""So that a few samples make all that a year of them makes."""

Sample = tuple[int, Any, int, int, int]
"""Time, value, severity, status, tag."""
Samples = Mapping[tuple[str, Kind], Sequence[Sample]]


def write(
    root: Path,
    samples: Samples,
    *,
    number: int = 1,
    start_ns: int = START,
    level: Level = Level.FLUSH,
    replaces: Sequence[str] = (),
    limits: Limits = SMALL,
    cache: Cache | None = None,
    files: OsFiles | None = None,
) -> Segment:
    """Write a segment of samples that arrived in turn, in batches of a few."""
    series: dict[int, Series] = {}
    rows: list[tuple[int, int, Kind, Sample]] = []
    for number_of_series, ((pv, kind), some) in enumerate(samples.items(), 1):
        series[number_of_series] = Series(number_of_series, pv, kind, "DBR_ANY")
        rows += [(sample[0], number_of_series, kind, sample) for sample in some]
    rows.sort(key=lambda row: row[0])
    scalars = [(n, kind, sample) for _, n, kind, sample in rows if kind.is_scalar]
    blobs = [(n, kind, sample) for _, n, kind, sample in rows if not kind.is_scalar]
    return write_segment(
        root,
        level=level,
        start_ns=start_ns,
        number=number,
        series=series,
        scalars=[_scalars(scalars[at : at + 7]) for at in range(0, len(scalars), 7)],
        blobs=[_blobs(blobs[at : at + 5]) for at in range(0, len(blobs), 5)],
        replaces=replaces,
        files=files or OsFiles(),
        limits=limits,
        cache=cache,
    )


def _common(rows: Sequence[tuple[int, Kind, Sample]]) -> dict[str, Any]:
    return {
        "series": np.array([n for n, _, _ in rows], np.int32),
        "time": np.array([sample[0] for _, _, sample in rows], np.int64),
        "severity": np.array([sample[2] for _, _, sample in rows], np.int8),
        "status": np.array([sample[3] for _, _, sample in rows], np.int16),
        "tag": np.array([sample[4] for _, _, sample in rows], np.int32),
    }


def _scalars(rows: Sequence[tuple[int, Kind, Sample]]) -> ScalarBatch:
    codes = {Kind.FLOAT64: "<d", Kind.FLOAT32: "<d", Kind.UINT64: "<Q"}
    bits = [
        struct.unpack("<q", struct.pack(codes.get(kind, "<q"), sample[1]))[0]
        for _, kind, sample in rows
    ]
    return ScalarBatch(**_common(rows), value=np.array(bits, np.int64))


def _blobs(rows: Sequence[tuple[int, Kind, Sample]]) -> BlobBatch:
    raw = [_raw(kind, sample[1]) for _, kind, sample in rows]
    offset = np.cumsum([0, *map(len, raw)]).astype(np.int64)
    count = np.array([len(sample[1]) for _, _, sample in rows], np.int32)
    return BlobBatch(**_common(rows), count=count, offset=offset, data=memoryview(b"".join(raw)))


def _raw(kind: Kind, value: Any) -> bytes:
    if kind is Kind.BYTES:
        return value
    if kind in (Kind.STRING, Kind.STRUCT):
        return value.encode()
    if kind is Kind.STRING_ARRAY:
        texts = [text.encode() for text in value]
        return b"".join(struct.pack("<i", len(text)) + text for text in texts)
    return np.array(value, kind.item).tobytes()


def rows_of(columns: Columns) -> list[Sample]:
    """Return samples as tuples; NaN as the text `nan` so that they compare."""
    value: Any = columns.value
    values = [plain(one) for one in value.to_pylist()]
    arrays = (columns.severity, columns.status, columns.tag)
    return list(
        zip(columns.time.tolist(), values, *(array.tolist() for array in arrays), strict=True)
    )


def plain(value: Any) -> Any:
    """Return a value that equals itself."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    return "nan" if isinstance(value, float) and value != value else value


def expected(samples: Samples, pv: str) -> list[Sample]:
    """Return all of a PV's samples in the order of time, as `rows_of` gives them."""
    found = [
        (sample[0], plain(stored(kind, sample[1])), *sample[2:])
        for (name, kind), some in samples.items()
        for sample in some
        if name == pv
    ]
    return sorted(found, key=lambda sample: sample[0])


def stored(kind: Kind, value: Any) -> Any:
    """Return a value as its kind holds it."""
    if kind is Kind.FLOAT32:
        with np.errstate(over="ignore"):
            return float(np.float32(value))
    return value


def read(segment: Segment, pv: str, start_ns: int = 0, end_ns: int = 2**62) -> list[Sample]:
    """Return samples in (start, end]."""
    return [row for columns in segment.read(pv, start_ns, end_ns) for row in rows_of(columns)]


class KilledError(Exception):
    """The process ended here."""


@dataclass
class MortalFiles(OsFiles):
    """Files that work so many times, and then never again."""

    left: int
    done: list[str] = field(default_factory=list)

    def step(self, what: str) -> None:
        if self.left <= 0:
            raise KilledError(what)
        self.left -= 1
        self.done.append(what)

    def create(self, path: Path) -> File:
        self.step(f"create {path.name}")
        return _MortalFile(super().create(path), self.step)

    def sync_folder(self, folder: Path) -> None:
        self.step(f"sync {folder.name}")
        super().sync_folder(folder)

    def rename(self, old: Path, new: Path) -> None:
        self.step(f"rename {new.name}")
        super().rename(old, new)

    def unlink(self, path: Path) -> None:
        self.step(f"unlink {path.name}")
        super().unlink(path)


class _MortalFile:
    def __init__(self, file: File, step: Callable[[str], None]) -> None:
        self._file = file
        self._step = step
        self.path = file.path

    def append(self, parts: Sequence[bytes | memoryview]) -> int:
        self._step("append")
        # A disk may take less than it is given.
        return self._file.append([memoryview(parts[0])[:3000]])

    def sync(self) -> None:
        self._step("sync")
        self._file.sync()

    def truncate(self, length: int) -> None:
        self._step("truncate")
        self._file.truncate(length)

    def close(self) -> None:
        self._file.close()
