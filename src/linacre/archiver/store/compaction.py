"""Merges segments into those of an hour, a day, a month, once these are over.

A merge writes the new segment whole, names it, and only then its inputs are removed: whenever the
process is killed, each sample is in exactly one segment that is not replaced by another.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from linacre.archiver.model import NANOSECONDS
from linacre.archiver.store.files import Files
from linacre.archiver.store.segments.caches import Cache
from linacre.archiver.store.segments.damage import Damage
from linacre.archiver.store.segments.limits import Limits
from linacre.archiver.store.segments.merging import write_merged
from linacre.archiver.store.segments.names import Level, SegmentName
from linacre.archiver.store.segments.segment import Segment
from linacre.archiver.store.segments.segment_set import set_aside
from linacre.archiver.store.segments.writer import remove_folder

GRACE_NS = 120 * NANOSECONDS
"""How long after an hour's end its last journal may take to become a segment."""


@dataclass(frozen=True, kw_only=True)
class Tiers:
    """The folders of segments where each level is kept; they may be one."""

    short: Path
    """Journals' and hours'."""
    medium: Path
    """Days'."""
    long: Path
    """Months'."""

    def folder(self, level: Level) -> Path:
        """Return where segments of a level are kept."""
        return {Level.DAY: self.medium, Level.MONTH: self.long}.get(level, self.short)


@dataclass(frozen=True)
class Merge:
    """Segments, neighbours in the order of arrival, that are to be one."""

    level: Level
    start_ns: int
    inputs: tuple[Segment, ...]
    folder: Path

    @property
    def name(self) -> SegmentName:
        """The new segment's, which none of the inputs has."""
        number = max(segment.number for segment in self.inputs)
        again = [
            segment.description.name.again + 1
            for segment in self.inputs
            if (segment.level, segment.number) == (self.level, number)
        ]
        return SegmentName(self.level, self.start_ns, number, max(again, default=0))


def due(
    segments: Sequence[Segment],
    now_ns: int,
    *,
    tiers: Tiers,
    open_ns: int | None = None,
    grace_ns: int = GRACE_NS,
    limits: Limits | None = None,
) -> list[Merge]:
    """Return the merges that are due, oldest first, no segment in two of them.

    `open_ns`: when the oldest journal that is no segment yet was begun; hours, days and months
    that are not over by then wait for it. A day takes journals and hours that were never merged
    as well as hours; so does a month.
    """
    limits = limits or Limits()
    over_ns = now_ns - grace_ns if open_ns is None else min(now_ns - grace_ns, open_ns)
    ordered = sorted(segments, key=lambda segment: segment.number)
    planned: list[Merge] = []
    for level in (Level.HOUR, Level.DAY, Level.MONTH):
        for start_ns, run in _runs(ordered, level):
            if level.end(start_ns) > over_ns:
                continue
            inside = {segment.path for segment in run}
            lower = [merge for merge in planned if merge.inputs[0].path in inside]
            if len(run) > limits.inputs and lower:
                continue
            found = [
                Merge(level, start_ns, tuple(group), tiers.folder(level))
                for group in _groups(run, limits)
                if _is_needed(group, level, limits)
            ]
            if found:
                planned = [merge for merge in planned if merge not in lower] + found
    return sorted(planned, key=lambda merge: merge.inputs[0].number)


def merge(
    merge: Merge,
    *,
    files: Files,
    limits: Limits | None = None,
    cache: Cache | None = None,
    on_damage: Callable[[Damage], None] | None = None,
    check: Callable[[], None] = lambda: None,
) -> Segment:
    """Write the merged segment; when it returns, it is safe on disk, and the inputs are to go.

    Call `discard` on them once readers have the new one. `check` may raise to give up. Raises
    `OSError`; then nothing has changed.
    """
    replaces = [segment.name for segment in merge.inputs]
    for segment in merge.inputs:
        if segment.level is Level.FLUSH:
            # A journal whose removal failed must still be known as replaced.
            replaces += segment.replaces
    path = write_merged(
        merge.folder,
        merge.name,
        merge.inputs,
        files=files,
        replaces=replaces,
        limits=limits or Limits(),
        check=check,
    )
    return Segment.open(path, cache=cache, on_damage=on_damage)


def rewrite_without(
    segment: Segment,
    pvs: Collection[str],
    *,
    files: Files,
    limits: Limits | None = None,
    cache: Cache | None = None,
    on_damage: Callable[[Damage], None] | None = None,
    check: Callable[[], None] = lambda: None,
) -> Segment | None:
    """Write a segment anew without some PVs; None where it has none of them.

    The new one may be empty. Call `discard` on the old one once readers have the new one.
    """
    gone = set(pvs)
    if not gone & segment.pvs():
        return None
    old = segment.description.name
    name = SegmentName(old.level, old.start_ns, old.number, old.again + 1)
    path = write_merged(
        segment.root,
        name,
        [segment],
        files=files,
        replaces=[segment.name, *segment.replaces],
        limits=limits or Limits(),
        without=gone,
        check=check,
    )
    return Segment.open(path, cache=cache, on_damage=on_damage)


def discard(segments: Sequence[Segment], *, files: Files) -> None:
    """Remove segments that are replaced; those that lack samples by damage are set aside."""
    for segment in segments:
        segment.close()
        if segment.lacks_samples:
            set_aside(segment.path, files)
        else:
            remove_folder(segment.path, files)
        segment.close()


def _runs(ordered: Sequence[Segment], level: Level) -> Iterator[tuple[int, list[Segment]]]:
    """Give neighbours of one hour, day or month, none of a longer level.

    After a clock's step back an hour may come twice, with others in between: they stay apart, so
    that the samples of one PV never lie around those of another segment.
    """
    for (start_ns, fits), run in itertools.groupby(
        ordered,
        key=lambda segment: (level.floor(segment.start_ns), segment.level.rank <= level.rank),
    ):
        if fits:
            yield start_ns, list(run)


def _groups(run: Sequence[Segment], limits: Limits) -> Iterator[list[Segment]]:
    """Give neighbours that are not too many and not too large to be merged."""
    group: list[Segment] = []
    rows = size = 0
    for segment in run:
        too_large = (
            rows + segment.rows > limits.segment_rows or size + segment.bytes > limits.segment_bytes
        )
        if group and (too_large or len(group) == limits.inputs):
            yield group
            group, rows, size = [], 0, 0
        group.append(segment)
        rows += segment.rows
        size += segment.bytes
    if group:
        yield group


def _is_needed(group: Sequence[Segment], level: Level, limits: Limits) -> bool:
    if len(group) > 1:
        return True
    # A single segment of an hour serves as it is; for longer it is worth the better encoding,
    # and to be in the tier that keeps it.
    single = group[0]
    grows = single.level.rank < level.rank and level is not Level.HOUR
    return grows and single.rows <= limits.segment_rows and single.bytes <= limits.segment_bytes
