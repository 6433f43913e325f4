"""All segments of an archive, as they were at one instant."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from linacre.archiver.errors import DamagedError
from linacre.archiver.store.files import Files
from linacre.archiver.store.lacks import Lack, lack_of_hour
from linacre.archiver.store.segments.caches import Cache
from linacre.archiver.store.segments.damage import Damage
from linacre.archiver.store.segments.names import SET_ASIDE, UNFINISHED, SegmentName
from linacre.archiver.store.segments.segment import Segment
from linacre.archiver.store.segments.writer import remove_folder


class SegmentSet:
    """Segments in the order of arrival. Never changes: `replaced` gives another set.

    Any thread may read; what was removed since raises `FileNotFoundError` on reading.
    """

    def __init__(
        self, segments: Sequence[Segment], cache: Cache, lost: Sequence[Lack] = ()
    ) -> None:
        self.segments = tuple(sorted(segments, key=_order))
        self.lost = tuple(lost)
        """Whole segments that cannot be read, of which none of these has what they had."""
        self.cache = cache
        """What its segments share, and those that are to come should."""
        self._pvs: frozenset[str] | None = None
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls,
        folders: Sequence[Path],
        *,
        files: Files | None = None,
        cache: Cache | None = None,
        on_damage: Callable[[Damage], None] | None = None,
    ) -> SegmentSet:
        """Return the segments in the tiers' folders of segments, which may not be there yet.

        With `files` what a kill left over is cleaned up: unfinished folders and segments that
        others replace; and segments that cannot be read are set aside. Without, nothing is
        changed: the archive may be another process's.
        """
        cache = cache or Cache()
        segments: list[Segment] = []
        unread: list[str] = []
        for folder in dict.fromkeys(folders):
            for path in _paths(folder):
                if path.name.startswith(UNFINISHED):
                    if files is not None:
                        remove_folder(path, files)
                    continue
                try:
                    SegmentName.parse(path.name)
                    segments.append(Segment.open(path, cache=cache, on_damage=on_damage))
                except FileNotFoundError:
                    continue
                except DamagedError as error:
                    unread.append(path.name)
                    if on_damage is not None:
                        on_damage(Damage(path.name, "", None, str(error)))
                    if files is not None:
                        set_aside(path, files)
            unread += [path.name for path in (folder / SET_ASIDE).glob("[0-9]*")]
        replaced = {name for segment in segments for name in segment.replaces}
        for segment in segments:
            if segment.name in replaced and files is not None:
                remove_folder(segment.path, files)
        kept = [one for one in segments if one.name not in replaced]
        return cls(kept, cache, _lost(unread, kept))

    def replaced(self, old: Sequence[Segment], new: Sequence[Segment]) -> SegmentSet:
        """Return the set with some segments in the place of others."""
        gone = {segment.path for segment in (*old, *new)}
        kept = [segment for segment in self.segments if segment.path not in gone]
        return SegmentSet([*kept, *new], self.cache, self.lost)

    def find(self, pv: str, start_ns: int, end_ns: int) -> list[Segment]:
        """Return the segments with samples of a PV in (start, end], in the order of time.

        A PV's samples lie between its first and last: there may be none in the range after all.
        """
        found: list[tuple[int, Segment]] = []
        for segment in self.segments:
            if segment.last_ns > start_ns and segment.first_ns <= end_ns:
                span = segment.span(pv)
                if span is not None and span[1] > start_ns and span[0] <= end_ns:
                    found.append((span[0], segment))
        return [segment for _, segment in sorted(found, key=lambda one: one[0])]

    def pvs(self) -> frozenset[str]:
        """Return the PVs that have samples; remembered, so that only the first call reads."""
        with self._lock:
            if self._pvs is None:
                self._pvs = frozenset[str]().union(*(one.pvs() for one in self.segments))
            return self._pvs

    @property
    def replaces(self) -> frozenset[str]:
        """The names of the journals and segments whose samples are in these segments."""
        return frozenset(name for segment in self.segments for name in segment.replaces)

    @property
    def number(self) -> int:
        """The greatest number of a segment; 0: there is none."""
        return max((segment.number for segment in self.segments), default=0)

    @property
    def bytes(self) -> int:
        """On disk."""
        return sum(segment.bytes for segment in self.segments)

    @property
    def damaged(self) -> int:
        """How many blocks were found damaged, those too that lack since an earlier merge."""
        blocks = {lack.block for one in self.segments for lack in one.description.lacks}
        return len(blocks) + len(self.lost) + sum(len(one.damage) for one in self.segments)


def set_aside(path: Path, files: Files) -> None:
    """Move a segment to where nothing reads or removes it, for people to look at."""
    aside = path.parents[2] / SET_ASIDE
    aside.mkdir(exist_ok=True)
    target = aside / path.name
    again = 0
    while target.exists():
        again += 1
        target = aside / f"{path.name}.{again}"
    files.rename(path, target)
    files.sync_folder(aside)
    files.sync_folder(path.parent)


def _paths(folder: Path) -> Iterator[Path]:
    """Give the folders `YYYY/MM/*`, in order."""
    for year in sorted(folder.glob("[0-9][0-9][0-9][0-9]")):
        for month in sorted(year.glob("[0-9][0-9]")):
            yield from sorted(path for path in month.iterdir() if path.is_dir())


def _lost(unread: Sequence[str], segments: Sequence[Segment]) -> list[Lack]:
    """Return those of some segments' names whose samples are in none that can be read.

    A segment is set aside too when what was good of it was merged: then it is told as lacking.
    """
    told = {name for segment in segments for name in segment.replaces}
    told |= {lack.block.partition("/")[0] for one in segments for lack in one.description.lacks}
    found: list[Lack] = []
    for name in dict.fromkeys(each.partition(".")[0] for each in unread):
        with contextlib.suppress(DamagedError):
            of = SegmentName.parse(name)
            if name not in told:
                found.append(lack_of_hour(name, of.start_ns, of.level.end(of.start_ns)))
    return found


def _order(segment: Segment) -> tuple[int, int, int]:
    name = segment.description.name
    return name.number, name.level.rank, name.again
