"""Makes a segment of what a closed journal has: sorts it by PV and time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from linacre.archiver.model import BlobBatch, Int64s, ScalarBatch, Series
from linacre.archiver.store.columns import blob_values, scalar_values
from linacre.archiver.store.files import Files
from linacre.archiver.store.lacks import Lack
from linacre.archiver.store.part import Columns
from linacre.archiver.store.segments.caches import Cache
from linacre.archiver.store.segments.damage import Damage
from linacre.archiver.store.segments.family import Run
from linacre.archiver.store.segments.index import KINDS
from linacre.archiver.store.segments.limits import UNIT_BYTES, Limits
from linacre.archiver.store.segments.names import Level, SegmentName
from linacre.archiver.store.segments.segment import Segment
from linacre.archiver.store.segments.writer import SegmentWriter, part

_log = logging.getLogger(__name__)
_16_BITS = 1 << 16


def write_segment(
    folder: Path,
    *,
    level: Level,
    start_ns: int,
    number: int,
    series: Mapping[int, Series],
    scalars: Sequence[ScalarBatch],
    blobs: Sequence[BlobBatch],
    replaces: Sequence[str],
    lacks: Sequence[Lack] = (),
    files: Files,
    limits: Limits | None = None,
    cache: Cache | None = None,
    on_damage: Callable[[Damage], None] | None = None,
) -> Segment:
    """Write a segment of batches in the order of arrival; when it returns, all is safe on disk.

    `folder`: the tier's folder of segments; `start_ns`: any time in the hour, day or month that
    it stands for; `number`: greater than those of all segments whose samples came before;
    `replaces`: the names of the journals; `lacks`: what was damaged in them. Raises `OSError`, and
    then there is no segment.
    """
    limits = limits or Limits()
    name = SegmentName(level, level.floor(start_ns), number)
    writer = SegmentWriter(folder, name, files=files, limits=limits)
    try:
        ranks = _Ranks(series)
        if scalars:
            _add_scalars(writer, ranks, scalars, limits)
        if blobs:
            _add_blobs(writer, ranks, blobs, limits)
        writer.finish(replaces, lacks)
    except BaseException:
        writer.abandon()
        raise
    return Segment.open(writer.path, cache=cache, on_damage=on_damage)


class _Ranks:
    """The order of series in a segment: by kind, then by the PV's name."""

    def __init__(self, series: Mapping[int, Series]) -> None:
        numbers = {kind: number for number, kind in enumerate(KINDS)}
        keys = sorted({(numbers[one.kind], one.pv) for one in series.values()})
        places = {key: place for place, key in enumerate(keys)}
        self.keys = [(KINDS[kind], pv) for kind, pv in keys]
        self._by_id = np.full(max(series, default=0) + 2, len(keys), np.int32)
        for number, one in series.items():
            self._by_id[number] = places[numbers[one.kind], one.pv]

    def sort(self, series: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], Int64s]:
        """Return the order of rows by rank, and how many each rank has."""
        outside = len(self._by_id) - 1
        known = np.where((series >= 0) & (series < outside), series, outside)
        rank = self._by_id[known]
        counts = np.bincount(rank, minlength=len(self.keys) + 1)
        order = _stable_order(rank, len(self.keys))
        if lost := int(counts[-1]):
            _log.warning("%d samples are of no known series", lost)
            order = order[:-lost]
        return order, counts[:-1]


def _stable_order(rank: npt.NDArray[Any], most: int) -> npt.NDArray[Any]:
    # NumPy sorts 16 bits by radix, several times as fast as more bits.
    order = np.argsort(rank.astype(np.uint16), kind="stable")
    if most >= _16_BITS:
        high = (rank[order] // _16_BITS).astype(np.uint16)
        order = order[np.argsort(high, kind="stable")]
    return order


def _add_scalars(
    writer: SegmentWriter, ranks: _Ranks, batches: Sequence[ScalarBatch], limits: Limits
) -> None:
    order, counts = ranks.sort(_joined(batches, "series"))
    time = _joined(batches, "time")[order]
    value = _joined(batches, "value")[order]
    severity, status, tag = (_sorted(batches, x, order) for x in ("severity", "status", "tag"))
    del order
    for first, last, begin, end in _pieces(ranks, counts, counts, limits.piece_rows):
        kind = ranks.keys[first][0]
        rows = slice(begin, end)
        columns = Columns(
            kind=kind,
            time=time[rows],
            value=scalar_values(kind, value[rows]),
            severity=severity[rows],
            status=status[rows],
            tag=tag[rows],
        )
        _add(writer, ranks, columns, counts, counts, (first, last, begin, end))


def _add_blobs(
    writer: SegmentWriter, ranks: _Ranks, batches: Sequence[BlobBatch], limits: Limits
) -> None:
    order, counts = ranks.sort(_joined(batches, "series"))
    batch = np.repeat(np.arange(len(batches)), [len(one) for one in batches])[order].tolist()
    start = np.concatenate([one.offset[:-1] for one in batches])[order].tolist()
    size = np.concatenate([np.diff(one.offset) for one in batches])[order]
    time = _joined(batches, "time")[order]
    severity, status, tag = (_sorted(batches, x, order) for x in ("severity", "status", "tag"))
    raw: list[Any] = [one.data for one in batches]
    of_rank = np.repeat(np.arange(len(counts)), counts)
    weight = np.maximum(1, -(-size // UNIT_BYTES))
    units = np.bincount(of_rank, weight, minlength=len(counts)).astype(np.int64)
    for piece in _pieces(ranks, counts, units, limits.piece_rows):
        first, _, begin, end = piece
        kind = ranks.keys[first][0]
        sizes = size[begin:end]
        pairs = zip(batch[begin:end], start[begin:end], sizes.tolist(), strict=True)
        data = b"".join([raw[k][at : at + n] for k, at, n in pairs])
        rows = slice(begin, end)
        columns = Columns(
            kind=kind,
            time=time[rows],
            value=blob_values(kind, np.frombuffer(data, np.uint8), np.cumsum(sizes) - sizes, sizes),
            severity=severity[rows],
            status=status[rows],
            tag=tag[rows],
        )
        _add(writer, ranks, columns, counts, units, piece)


def _pieces(
    ranks: _Ranks, counts: Int64s, units: Int64s, most: int
) -> Iterator[tuple[int, int, int, int]]:
    """Give first and last rank (exclusive) and rows, of one kind; large PVs in several pieces."""
    ends = np.cumsum(counts).tolist()
    starts = [0, *ends]
    first = filled = 0
    some = [rank for rank, count in enumerate(counts.tolist()) if count]
    for place, rank in enumerate(some):
        if place == 0 or ranks.keys[rank][0] is not ranks.keys[first][0]:
            first, filled = rank, 0
        filled += int(units[rank])
        following = some[place + 1] if place + 1 < len(some) else None
        if (
            following is not None
            and ranks.keys[following][0] is ranks.keys[rank][0]
            and filled + units[following] <= most
        ):
            continue
        begin, end = starts[first], ends[rank]
        rows = end - begin
        each = max(1, rows * most // max(filled, 1)) if filled > most else rows
        for at in range(begin, end, each):
            yield first, rank + 1, at, min(at + each, end)
        if following is not None:
            first, filled = following, 0


def _add(
    writer: SegmentWriter,
    ranks: _Ranks,
    columns: Columns,
    counts: Int64s,
    units: Int64s,
    piece: tuple[int, int, int, int],
) -> None:
    """Add rows to a segment; more than one piece is made of a single PV only."""
    first, last, begin, end = piece
    runs: list[Run] = []
    at = 0
    single = last - first == 1
    for rank in range(first, last):
        total = int(counts[rank])
        if not total:
            continue
        rows = end - begin if single else total
        kind, pv = ranks.keys[rank]
        runs.append(
            Run(
                pv=pv,
                kind=kind,
                rows=rows,
                total=total,
                units=int(units[rank]),
                span_ns=int(columns.time[at + rows - 1] - columns.time[at]) * -(-total // rows),
                ends=not single or end == int(counts[: rank + 1].sum()),
            )
        )
        at += rows
    writer.add(part(columns, 0, at), runs)


def _joined(batches: Sequence[ScalarBatch] | Sequence[BlobBatch], name: str) -> Any:
    return np.concatenate([getattr(batch, name) for batch in batches])


def _sorted(
    batches: Sequence[ScalarBatch] | Sequence[BlobBatch], name: str, order: npt.NDArray[Any]
) -> Any:
    if not any(getattr(batch, name).any() for batch in batches):
        return np.zeros(len(order), getattr(batches[0], name).dtype)
    return _joined(batches, name)[order]
