"""The numbers of series: each PV's values of one kind and type are a series of samples."""

from __future__ import annotations

from collections.abc import Iterable

from linacre.archiver.model import Kind, Series


class SeriesNumbers:
    """All series in memory, by what they are and by their PV; the caller has a lock."""

    def __init__(self, known: Iterable[Series] = ()) -> None:
        self._found: dict[tuple[str, Kind, str], Series] = {}
        self._of_pv: dict[str, tuple[Series, ...]] = {}
        self._taken: set[int] = set()
        self._next = 1
        for series in known:
            self._learn(series)

    def get(self, pv: str, kind: Kind, native: str) -> tuple[Series, bool]:
        """Return a series, numbered now if it is new, and whether it is."""
        if (found := self._found.get((pv, kind, native))) is not None:
            return found, False
        new = Series(self._next, pv, kind, native)
        self._learn(new)
        return new, True

    def adopt(self, series: Series) -> bool:
        """Take in a series with its number; False where it is known, or its number is another's."""
        key = (series.pv, series.kind, series.native)
        if key in self._found or series.id in self._taken:
            return False
        self._learn(series)
        return True

    def all(self) -> list[Series]:
        """Return all, in the order of their numbers."""
        return sorted(self._found.values(), key=lambda series: series.id)

    def of(self, pv: str) -> tuple[Series, ...]:
        """Return a PV's, in the order of their numbers."""
        return self._of_pv.get(pv, ())

    def _learn(self, series: Series) -> None:
        self._found[(series.pv, series.kind, series.native)] = series
        of_pv = (*self._of_pv.get(series.pv, ()), series)
        self._of_pv[series.pv] = tuple(sorted(of_pv, key=lambda one: one.id))
        self._taken.add(series.id)
        self._next = max(self._next, series.id + 1)
