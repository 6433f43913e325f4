"""Reading an archive: the boundary rule, bins, what comes next, what was known and happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from linacre.archiver.history import MetadataHistory
from linacre.archiver.model import NANOSECONDS, Kind, Metadata
from linacre.archiver.reading.bins import Bins, coarsest_step, edges_of
from linacre.archiver.reading.damage import with_damage
from linacre.archiver.reading.mixed import Shape, common_kind, table_of
from linacre.archiver.registry.registry import Registry
from linacre.archiver.service import Event, NoSuchPvError
from linacre.archiver.store.part import Columns, Part
from linacre.archiver.store.snapshot import Placed, RolledPart, Snapshot
from linacre.base.errors import UserError

_T = TypeVar("_T")
MOST_BINS = 100_000
_TRIES = 5
_EARLIEST, _LATEST = -(2**62), 2**62


@dataclass
class _Reading:
    """Of what samples were read."""

    snapshot: Snapshot | None = None
    begin_ns: int = _EARLIEST
    """Of the sample that was current at the start; nothing before it was looked for."""


class Query:
    """A `Reader` of what a store has at each call; without a registry it reads samples only.

    `snapshot` gives the store's present parts.
    """

    def __init__(self, snapshot: Callable[[], Snapshot], registry: Registry | None) -> None:
        self._snapshot = snapshot
        self._registry = registry

    def pvs(self, pattern: str = "*") -> list[str]:
        """Return the names that match a glob pattern, sorted."""
        found = set(_until_whole(lambda: self._snapshot().pvs()))
        if (registry := self._registry) is not None:
            known = {c.spec.pv for c in (*registry.channels(), *registry.channels(removed=True))}
            erased = registry.erased().keys() - known
            found = {pv for pv in found if pv not in erased} | known
        return sorted(pv for pv in found if fnmatchcase(pv, pattern))

    def samples(self, pv: str, start_ns: int, end_ns: int) -> pa.Table:
        """Return one sample at or before the start, then all in (start, end]; `SAMPLE_FIELDS`."""
        self._check(pv)
        reading = _Reading()
        pieces = list(self._pieces(pv, start_ns, end_ns, reading))
        damaged = self._lacking(pv, reading, end_ns)
        return table_of(pieces, otherwise=self._kind(pv), damaged=damaged)

    def stream(self, pv: str, start_ns: int, end_ns: int) -> Iterator[pa.RecordBatch]:
        """Give the same in pieces, for what is larger than memory; one at least.

        Where blocks lacked, a last one, without samples, has `linacre.damaged` in its schema.
        """
        self._check(pv)
        shape = Shape(self._common_kind(pv, start_ns, end_ns))
        return self._batches(pv, start_ns, end_ns, shape)

    def bins(self, pv: str, start_ns: int, end_ns: int, n: int) -> pa.Table:
        """Return n bins [start, end) of numbers; inner edges lie on roll-ups' steps.

        Raises `UserError` for a PV of anything but numbers.
        """
        self._check(pv)
        if not 1 <= n <= MOST_BINS or end_ns - start_ns < n:
            raise UserError(f"bins: from 1 to {MOST_BINS}, over a time that has an end")
        numbers = [kind for kind in self._kinds(pv) if kind.is_scalar]
        if not numbers:
            raise UserError(f"{pv} is of {self._kind(pv).value}: only numbers go into bins")
        return _until_whole(lambda: self._bins(pv, start_ns, end_ns, n))

    def after(self, pv: str, time_ns: int, count: int = 1) -> pa.Table:
        """Return the next samples after a time; `SAMPLE_FIELDS`."""
        self._check(pv)
        reading = _Reading(begin_ns=time_ns)
        pieces = _until_whole(lambda: self._after(pv, time_ns, count, reading))
        is_whole = sum(map(len, pieces)) >= count
        end_ns = int(pieces[-1].time[-1]) if is_whole else _LATEST
        damaged = self._lacking(pv, reading, end_ns)
        return table_of(pieces, otherwise=self._kind(pv), damaged=damaged)

    def metadata(self, pv: str, at_ns: int | None = None) -> Metadata:
        """Return what was known of a PV at a time; without one, at present."""
        self._check(pv)
        return Metadata() if self._registry is None else self._registry.metadata(pv, at_ns)

    def metadata_history(self, pv: str, start_ns: int, end_ns: int) -> MetadataHistory:
        """Return what was known of a PV at the start, and each change in (start, end]."""
        self._check(pv)
        if self._registry is None:
            return MetadataHistory()
        return self._registry.metadata_history(pv, start_ns, end_ns)

    def events(self, pv: str | None, start_ns: int, end_ns: int) -> Sequence[Event]:
        """Return what happened to a PV, or to all, in (start, end], in order."""
        if pv is not None:
            self._check(pv)
        return [] if self._registry is None else self._registry.events(pv, start_ns, end_ns)

    def _check(self, pv: str) -> None:
        if self._registry is not None:
            if self._registry.knows(pv):
                return
            if pv in self._registry.erased():
                raise NoSuchPvError(pv)
        if not _until_whole(lambda: self._snapshot().has(pv)):
            raise NoSuchPvError(pv)

    def _erased(self, pv: str) -> int:
        if self._registry is None:
            return _EARLIEST
        return self._registry.erased().get(pv, _EARLIEST)

    def _kinds(self, pv: str) -> list[Kind]:
        """Return the kinds a PV may have, the newest last; looked up where the registry is new."""
        known = [] if self._registry is None else self._registry.kinds(pv)
        return list(dict.fromkeys(known or _until_whole(lambda: self._kinds_found(pv))))

    def _kinds_found(self, pv: str) -> list[Kind]:
        found: list[Kind] = []
        for placed in self._snapshot().parts(pv, _EARLIEST, _LATEST):
            last = placed.part.last(pv, placed.last_ns)
            found.extend([] if last is None else [last.kind])
        return found

    def _kind(self, pv: str) -> Kind:
        return (self._kinds(pv) or [Kind.FLOAT64])[-1]

    def _common_kind(self, pv: str, start_ns: int, end_ns: int) -> Kind:
        """Return the type of what will be streamed; PVs whose type changed are read twice."""
        if self._registry is not None and len(kinds := self._registry.kinds(pv)) == 1:
            return kinds[0]
        found = {piece.kind for piece in self._pieces(pv, start_ns, end_ns, _Reading())}
        return common_kind(found or {self._kind(pv)})

    def _lacking(self, pv: str, reading: _Reading, end_ns: int) -> int:
        """Return how many damaged blocks lack of what was read until a time."""
        from_ns = max(reading.begin_ns, self._erased(pv))
        try:
            snapshot = reading.snapshot or self._snapshot()
            return snapshot.lacks(pv, from_ns, end_ns)
        except FileNotFoundError:
            # What replaced a part tells what it lacks.
            return _until_whole(lambda: self._snapshot().lacks(pv, from_ns, end_ns))

    def _batches(
        self, pv: str, start_ns: int, end_ns: int, shape: Shape
    ) -> Iterator[pa.RecordBatch]:
        any_yet = False
        reading = _Reading()
        for piece in self._pieces(pv, start_ns, end_ns, reading):
            any_yet = True
            yield shape.batch(piece)
        damaged = self._lacking(pv, reading, end_ns)
        if damaged or not any_yet:
            yield replace(shape, damaged=damaged).nothing()

    def _pieces(self, pv: str, start_ns: int, end_ns: int, reading: _Reading) -> Iterator[Columns]:
        """Give the samples by the boundary rule; `reading` takes what they were read of.

        A part may be replaced while it is read here: what is left is read from what replaced it.
        """
        from_ns, boundary = start_ns, True
        for tries in range(_TRIES):
            try:
                snapshot = reading.snapshot = self._snapshot()
                if boundary and (before := self._before(snapshot, pv, start_ns)):
                    reading.begin_ns = int(before.time[0])
                    yield before
                boundary = False
                erased = self._erased(pv)
                for placed in snapshot.parts(pv, max(from_ns, erased), end_ns):
                    for columns in placed.part.read(pv, max(from_ns, erased), end_ns):
                        if len(columns):
                            yield columns
                            from_ns = int(columns.time[-1])
                return
            except FileNotFoundError:
                if tries == _TRIES - 1:
                    raise

    def _before(self, snapshot: Snapshot, pv: str, at_ns: int) -> Columns | None:
        """Return the newest sample at or before a time, as one row."""
        erased = self._erased(pv)
        for part in snapshot.back_from(pv, at_ns):
            found = part.last(pv, at_ns)
            if found is not None and len(found):
                return None if found.time[0] <= erased else found
        return None

    def _after(self, pv: str, time_ns: int, count: int, reading: _Reading) -> list[Columns]:
        pieces: list[Columns] = []
        from_ns = max(time_ns, self._erased(pv))
        snapshot = reading.snapshot = self._snapshot()
        for placed in snapshot.parts(pv, from_ns, _LATEST):
            if count <= 0:
                break
            for columns in placed.part.first(pv, from_ns, count):
                pieces.append(columns)
                count -= len(columns)
        return pieces

    def _bins(self, pv: str, start_ns: int, end_ns: int, n: int) -> pa.Table:
        bins = Bins(edges_of(start_ns, end_ns, n))
        coarsest = coarsest_step(start_ns, end_ns, n)
        from_ns = max(start_ns, self._erased(pv) + 1)
        snapshot = self._snapshot()
        damaged = 0
        placed = {id(one.part): one for one in snapshot.parts(pv, from_ns - 1, end_ns - 1)}
        for one in placed.values():
            damaged += _fill(bins, pv, one, from_ns, end_ns, coarsest)
        damaged += snapshot.lacks(pv, from_ns - 1, end_ns - 1, without=placed)
        return with_damage(bins.table(), damaged) if damaged else bins.table()


def _until_whole(read: Callable[[], _T]) -> _T:
    """Return what is read of one snapshot: again, where a part was replaced meanwhile."""
    for _ in range(_TRIES - 1):
        try:
            return read()
        except FileNotFoundError:
            continue
    return read()


def _fill(
    bins: Bins, pv: str, placed: Placed, start_ns: int, end_ns: int, coarsest: int | None
) -> int:
    """Add what a part has in [start, end): by its roll-ups where whole steps are inside.

    Returns how many damaged blocks lacked.
    """
    rolled = _rolled(placed.part, pv, coarsest)
    if rolled is not None:
        part, step_s = rolled
        step = step_s * NANOSECONDS
        inner_start, inner_end = -(-start_ns // step) * step, end_ns // step * step
        if inner_start < inner_end:
            before = _fill_raw(bins, pv, placed, start_ns, inner_start)
            bins.add_steps(part.rollups(pv, step_s, inner_start, inner_end))
            after = _fill_raw(bins, pv, placed, inner_end, end_ns)
            return max(before, after, part.lacks_steps(pv, start_ns - 1, end_ns - 1))
    return _fill_raw(bins, pv, placed, start_ns, end_ns)


def _rolled(part: Part, pv: str, coarsest: int | None) -> tuple[RolledPart, int] | None:
    """Return the part and its longest step that is not longer than wanted, if it has one."""
    if coarsest is None or not isinstance(part, RolledPart):
        return None
    fitting = [step for step in part.steps(pv) if step <= coarsest]
    return (part, max(fitting)) if fitting else None


def _fill_raw(bins: Bins, pv: str, placed: Placed, start_ns: int, end_ns: int) -> int:
    if start_ns >= end_ns:
        return 0
    for columns in placed.part.read(pv, start_ns - 1, end_ns - 1):
        if columns.kind.is_scalar:
            bins.add_samples(columns.time, _numbers(columns), columns.severity)
    return placed.part.lacks(pv, start_ns - 1, end_ns - 1)


def _numbers(columns: Columns) -> npt.NDArray[Any]:
    value: Any = columns.value
    return np.asarray(value.to_numpy(zero_copy_only=False))
