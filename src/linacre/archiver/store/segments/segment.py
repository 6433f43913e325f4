"""A segment that is read: finds a PV's row groups by the index and decodes them, no others."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from linacre.archiver.errors import DamagedError
from linacre.archiver.model import NANOSECONDS
from linacre.archiver.store import rollups
from linacre.archiver.store.lacks import Lack, count
from linacre.archiver.store.part import Columns
from linacre.archiver.store.rollups import RollupColumns
from linacre.archiver.store.segments import description, index
from linacre.archiver.store.segments.caches import Cache
from linacre.archiver.store.segments.damage import Damage
from linacre.archiver.store.segments.description import Description
from linacre.archiver.store.segments.groups import GroupFiles
from linacre.archiver.store.segments.in_time import in_time
from linacre.archiver.store.segments.index import Entry, Group, Index
from linacre.archiver.store.segments.lacking import Lacks, damaged_samples
from linacre.archiver.store.segments.names import Level
from linacre.archiver.store.segments.rebuild import rebuild
from linacre.archiver.store.segments.writer import part

_T = TypeVar("_T")
_LATEST = 2**63 - 1


class Segment:
    """A segment; a `Part`. Any thread may read.

    Every method that reads raises `FileNotFoundError` once the segment was removed.
    """

    def __init__(
        self,
        path: Path,
        found: Description,
        *,
        cache: Cache,
        on_damage: Callable[[Damage], None] | None,
    ) -> None:
        self.path = path
        self.description = found
        self.name = str(found.name)
        self.number = found.name.number
        self.start_ns = found.name.start_ns
        self.rows = found.rows
        self.bytes = found.bytes
        self.replaces = found.replaces
        self.first_ns = found.first_ns
        self.last_ns = found.last_ns
        self.damage: list[Damage] = []
        self._lacks = Lacks()
        self._on_damage = on_damage
        self._cache = cache
        self._files = GroupFiles(path, cache)
        self._index: Index | None = None
        self._rebuilt: Index | None = None
        self._rebuilding = threading.Lock()
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        cache: Cache | None = None,
        on_damage: Callable[[Damage], None] | None = None,
    ) -> Segment:
        """Return the segment in a folder, of which only `segment.json` is read.

        `on_damage` is told what is found, once each, in the thread that finds it. Raises
        `DamagedError` where neither `segment.json` nor its copy is good.
        """
        cache = cache or Cache()
        why: str | None = None
        try:
            found = Description.load((path / description.FILE).read_bytes())
        except (DamagedError, FileNotFoundError) as error:
            if not path.is_dir():
                raise
            why = str(error)
            found = Index(cache.handle(path, index.FILE)).description
        segment = cls(path, found, cache=cache, on_damage=on_damage)
        if why is not None:
            segment.report(description.FILE, None, why)
        return segment

    @property
    def level(self) -> Level:
        """How much time it stands for."""
        return self.description.name.level

    @property
    def root(self) -> Path:
        """The tier's folder of segments."""
        return self.path.parents[2]

    def close(self) -> None:
        """Let its files go; it can still be read while they are there."""
        self._cache.forget(self.path)

    # -- What a part offers ------------------------------------------------------------------

    def span(self, pv: str) -> tuple[int, int] | None:
        """Return the times of a PV's first and last sample here; None where it has none."""
        found = [entry for entry in self._look(lambda i: i.find(pv)) if not entry.step_s]
        if not found:
            return None
        return min(entry.first_ns for entry in found), max(entry.last_ns for entry in found)

    def pvs(self) -> frozenset[str]:
        """Return the PVs that have samples here."""
        return self._look(lambda i: i.pvs())

    def read(self, pv: str, start_ns: int, end_ns: int) -> Iterator[Columns]:
        """Give the samples in (start, end], oldest first, a row group at a time."""
        pieces = [
            self._read(entry, groups, start_ns, end_ns)
            for entry, groups in self._find(pv, 0)
            if entry.last_ns > start_ns and entry.first_ns <= end_ns
        ]
        return pieces[0] if len(pieces) == 1 else in_time(pieces)

    def last(self, pv: str, time_ns: int) -> Columns | None:
        """Return the newest sample at or before a time, as one row."""
        newest: Columns | None = None
        for entry, groups in self._find(pv, 0):
            found = self._last(entry, groups, time_ns)
            if found is not None and (newest is None or found.time[0] > newest.time[0]):
                newest = found
        return newest

    def first(self, pv: str, time_ns: int, count: int = 1) -> Iterator[Columns]:
        """Give the first `count` samples after a time."""
        for columns in self.read(pv, time_ns, _LATEST):
            if count <= 0:
                return
            taken = part(columns, 0, min(count, len(columns)))
            count -= len(taken)
            yield taken

    def lacks(self, pv: str, start_ns: int, end_ns: int) -> int:
        """Return how many blocks lack that had samples of a PV in (start, end]."""
        # Each reading asks all segments.
        if not self.damage and not self.description.lacks:
            return 0
        return count(self.all_lacks(), pv, start_ns, end_ns)

    # -- Roll-ups ----------------------------------------------------------------------------

    def steps(self, pv: str) -> tuple[int, ...]:
        """Return the lengths of the steps of a PV's roll-ups, s, rising; empty: it has none."""
        found = self._look(lambda i: i.find(pv))
        numbers = {entry.kind for entry in found if not entry.step_s and entry.kind.is_scalar}
        have = {(entry.kind, entry.step_s) for entry in found if entry.step_s}
        return tuple(
            step_s
            for step_s in rollups.STEPS_S
            if numbers and all((kind, step_s) in have for kind in numbers)
        )

    def lacks_steps(self, pv: str, start_ns: int, end_ns: int) -> int:
        """Return the same for roll-ups, which have what was damaged after they were made."""
        return count(self.description.lacks, pv, start_ns, end_ns)

    def rollups(self, pv: str, step_s: int, start_ns: int, end_ns: int) -> RollupColumns:
        """Return the steps that start in [start, end).

        Made of the samples where there are no such roll-ups, or they are damaged.
        """
        if step_s in self.steps(pv):
            with contextlib.suppress(DamagedError):
                return self._rollups(pv, step_s, start_ns, end_ns)
        step_ns = step_s * NANOSECONDS
        first, last = -(-start_ns // step_ns) * step_ns, -(-end_ns // step_ns) * step_ns
        pieces: list[RollupColumns] = []
        for columns in self.read(pv, first - 1, last - 1):
            if columns.kind.is_scalar:
                value: Any = columns.value
                number = value.to_numpy(zero_copy_only=False)
                pieces.append(rollups.rollup(columns.time, number, columns.severity, step_ns))
        return rollups.merge(rollups.concat(pieces), step_ns)

    # -- For those who merge segments --------------------------------------------------------

    def contents(self) -> tuple[list[Entry], list[Group]]:
        """Return the whole index: all entries, in no order, and all row groups."""

        def ask(found: Index) -> tuple[list[Entry], list[Group]]:
            entries = found.entries()
            count = max((entry.group + entry.groups for entry in entries), default=0)
            return entries, found.groups(0, count)

        return self._look(ask)

    def columns(self, group: Group) -> Columns | None:
        """Return all samples of a row group; None, reported, where it is damaged."""
        file = self.description.parts[group.part]
        try:
            return self._files.columns(file, group, lambda: self._footer(group.part))
        except DamagedError as error:
            self.report(file.file, group.within, str(error))
            return None

    def report(self, file: str, row_group: int | None, why: str) -> None:
        """Note damage, and tell of it the first time."""
        found = Damage(self.name, file, row_group, why)
        with self._lock:
            for known in self.damage:
                if (known.file, known.row_group) == (file, row_group):
                    return
            self.damage.append(found)
        if self._on_damage is not None:
            self._on_damage(found)

    @property
    def lacks_samples(self) -> bool:
        """Whether some of its samples were found damaged."""
        return bool(damaged_samples(self.damage))

    def all_lacks(self) -> list[Lack]:
        """Return all that was found to lack, and what lacked when it was merged."""
        return self._lacks.all(self.description, self.damage, self.contents)

    # -- Insides -----------------------------------------------------------------------------

    def _find(self, pv: str, step_s: int) -> list[tuple[Entry, list[Group]]]:
        def ask(found: Index) -> list[tuple[Entry, list[Group]]]:
            entries = [entry for entry in found.find(pv) if entry.step_s == step_s]
            return [(entry, found.groups(entry.group, entry.groups)) for entry in entries]

        return self._look(ask)

    def _look(self, ask: Callable[[Index], _T]) -> _T:
        """Ask the index; a damaged one is made again from the files that it tells of."""
        found: Index | None = None
        try:
            found = self._index or Index(self._cache.handle(self.path, index.FILE))
            self._index = self._index or found
            return ask(found)
        except DamagedError as error:
            self.report(index.FILE, None, str(error))
            with self._rebuilding:
                if self._rebuilt is None:
                    content = rebuild(self._files, self.description, self.report)
                    self._rebuilt = self._index = Index(index.Memory(content))
                elif self._rebuilt is found:
                    raise
                return ask(self._rebuilt)

    def _footer(self, number: int) -> bytes:
        """Return the copy of a part's metadata: it is asked for where the part's own are bad."""
        file = self.description.parts[number].file
        self.report(file, None, "its metadata are damaged; their copy serves")
        return self._look(lambda i: i.footer(number))

    def _read(
        self, entry: Entry, groups: Sequence[Group], start_ns: int, end_ns: int
    ) -> Iterator[Columns]:
        begins = _begins(entry, groups)
        at = max(0, int(np.searchsorted(begins, start_ns, side="right")) - 1)
        while at < len(groups) and begins[at] <= end_ns:
            rows = self._rows(entry, groups, at)
            at += 1
            if rows is None:
                continue
            begin, end = np.searchsorted(rows.time, (start_ns, end_ns), side="right").tolist()
            if begin < end:
                yield part(rows, begin, end)

    def _last(self, entry: Entry, groups: Sequence[Group], time_ns: int) -> Columns | None:
        at = int(np.searchsorted(_begins(entry, groups), time_ns, side="right")) - 1
        for place in range(at, -1, -1):
            rows = self._rows(entry, groups, place)
            if rows is not None:
                end = int(np.searchsorted(rows.time, time_ns, side="right"))
                if end:
                    return part(rows, end - 1, end)
        return None

    def _rows(self, entry: Entry, groups: Sequence[Group], place: int) -> Columns | None:
        columns = self.columns(groups[place])
        if columns is None:
            return None
        begin = entry.row if place == 0 else 0
        before = sum(group.rows for group in groups[:place]) - (entry.row if place else 0)
        return part(columns, begin, min(len(columns), begin + entry.rows - before))

    def _rollups(self, pv: str, step_s: int, start_ns: int, end_ns: int) -> RollupColumns:
        pieces: list[RollupColumns] = []
        for entry, groups in self._find(pv, step_s):
            begins = _begins(entry, groups)
            before = 0
            for at, group in enumerate(groups):
                row = entry.row if at == 0 else 0
                rows = min(group.rows - row, entry.rows - before)
                before += rows
                ends = begins[at + 1] if at + 1 < len(groups) else entry.last_ns + 1
                if begins[at] < end_ns and ends > start_ns:
                    steps = self._rollup_group(group).rows(slice(row, row + rows))
                    begin, end = np.searchsorted(steps.start, (start_ns, end_ns)).tolist()
                    pieces.append(steps.rows(slice(begin, end)))
        found = rollups.concat(pieces)
        if len(pieces) > 1 and (np.diff(found.start) <= 0).any():
            # The PV's type changed: both kinds may have a share in a step.
            step_ns = step_s * NANOSECONDS
            merged, later = (
                rollups.merge(found.rows(np.lexsort((times, found.start))), step_ns)
                for times in (found.first_time, found.last_time)
            )
            # Of a type that changed and changed back, the newest sample is not in the newer row.
            found = replace(merged, last=later.last, last_time=later.last_time)
        return found

    def _rollup_group(self, group: Group) -> RollupColumns:
        file = self.description.parts[group.part]
        try:
            return self._files.rollups(file, group, lambda: self._footer(group.part))
        except DamagedError as error:
            self.report(file.file, group.within, str(error))
            raise


def _begins(entry: Entry, groups: Sequence[Group]) -> Any:
    """Return the time of the PV's first row in each row group."""
    return np.array([entry.first_ns, *(group.first_ns for group in groups[1:])], np.int64)
