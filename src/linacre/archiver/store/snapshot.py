"""What a reader reads: the parts of the store as they were at one instant."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from linacre.archiver.store.lacks import Lack, count
from linacre.archiver.store.part import Part
from linacre.archiver.store.rollups import RollupColumns


@runtime_checkable
class RolledPart(Part, Protocol):
    """A part that has roll-ups beside its samples: a segment."""

    @property
    def first_ns(self) -> int:
        """The time of its oldest sample, of whatever PV."""
        ...

    @property
    def last_ns(self) -> int:
        """That of its newest."""
        ...

    def steps(self, pv: str) -> Sequence[int]:
        """Return the lengths of the steps of a PV's roll-ups, s; empty where it has none."""
        ...

    def lacks_steps(self, pv: str, start_ns: int, end_ns: int) -> int:
        """Return how many blocks the roll-ups lack that had samples of a PV in (start, end]."""
        ...

    def rollups(self, pv: str, step_s: int, start_ns: int, end_ns: int) -> RollupColumns:
        """Return the steps that start in [start, end)."""
        ...


@dataclass(frozen=True)
class Placed:
    """A part, and when a PV's samples in it begin and end."""

    part: Part
    first_ns: int
    last_ns: int


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The parts at one instant: each sample is in exactly one of them.

    Reading raises `FileNotFoundError` where the store has moved on: take another snapshot.
    """

    hot: Part
    segments: Sequence[RolledPart]
    """In the order of arrival, which for a single PV is that of time."""
    segments_pvs: Callable[[], frozenset[str]] | None = None
    """Gives the PVs of all segments, from memory."""
    lost: Sequence[Lack] = ()
    """Whole segments that could not be read, and were set aside."""

    def parts(self, pv: str, start_ns: int, end_ns: int) -> list[Placed]:
        """Return the parts with samples of a PV in (start, end], oldest first."""
        found: list[Placed] = []
        for part in (*self.segments, self.hot):
            if isinstance(part, RolledPart) and not (
                part.last_ns > start_ns and part.first_ns <= end_ns
            ):
                continue
            span = part.span(pv)
            if span is not None and span[1] > start_ns and span[0] <= end_ns:
                found.append(Placed(part, *span))
        return sorted(found, key=lambda placed: placed.first_ns)

    def back_from(self, pv: str, at_ns: int) -> Iterator[Part]:
        """Give the parts with samples of a PV at or before a time, newest first."""
        for part in (self.hot, *reversed(self.segments)):
            if not isinstance(part, RolledPart) or part.first_ns <= at_ns:
                span = part.span(pv)
                if span is not None and span[0] <= at_ns:
                    yield part

    def lacks(self, pv: str, start_ns: int, end_ns: int, *, without: Container[int] = ()) -> int:
        """Return how many damaged blocks lack that may have had samples of a PV in (start, end].

        Of a PV that has none in a part, all that it had may have been damaged. `without`: parts
        that are not asked, by their `id`.
        """
        parts = [part for part in (*self.segments, self.hot) if id(part) not in without]
        found = sum(part.lacks(pv, start_ns, end_ns) for part in parts)
        return found + count(self.lost, pv, start_ns, end_ns)

    def pvs(self) -> frozenset[str]:
        """Return the PVs that have samples."""
        if self.segments_pvs is not None:
            return self.hot.pvs() | self.segments_pvs()
        return self.hot.pvs().union(*(part.pvs() for part in self.segments))

    def has(self, pv: str) -> bool:
        """Whether a PV has samples."""
        return any(part.span(pv) is not None for part in (self.hot, *reversed(self.segments)))
