"""A long time cut into windows of which each fits into memory, however the samples are spread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from linacre.archiver.model import NANOSECONDS

T = TypeVar("T")

_FIRST_NS = 3_600 * NANOSECONDS
_LEAST_NS = 1_000
_MOST_GROWTH = 16.0


class TooMuchError(Exception):
    """A window has more than fits; `share` of its width may fit."""

    def __init__(self, share: float) -> None:
        self.share = share
        super().__init__(share)


class Budget:
    """How many bytes one window may have."""

    def __init__(self, limit: int | None) -> None:
        self.spent = 0
        self._limit = limit
        self._done = 0.0
        self._share = 1.0

    def at(self, done: float, share: float) -> None:
        """Tell which part of the window is done, and what part of it comes next."""
        self._done, self._share = done, share

    def spend(self, size: int, progress: float) -> None:
        """Take bytes; `progress` is how far, from 0 to 1, the present part has come by them.

        Raises `TooMuchError` where they do not fit.
        """
        self.spent += size
        if self._limit is not None and self.spent > self._limit:
            done = max(self._done + self._share * progress, 0.001)
            raise TooMuchError(min(0.5, self._limit / self.spent * done / 2))


@dataclass(frozen=True, eq=False)
class Window(Generic[T]):
    """What was read for [start, end)."""

    start_ns: int
    end_ns: int
    found: T


def windows(
    start_ns: int, end_ns: int, limit: int, read: Callable[[int, int, Budget], T]
) -> Iterator[Window[T]]:
    """Cut [start, end) into windows for which `read` spends at most about `limit` bytes.

    `read(start, end, budget)` is called again with less where its budget was not enough, but for
    windows of a microsecond, which may have any size.
    """
    at, width = start_ns, _FIRST_NS
    while at < end_ns:
        until = min(at + width, end_ns)
        budget = Budget(limit if until - at > _LEAST_NS else None)
        try:
            found = read(at, until, budget)
        except TooMuchError as error:
            width = max(_LEAST_NS, int((until - at) * error.share))
            continue
        yield Window(at, until, found)
        growth = min(_MOST_GROWTH, max(0.25, limit / 2 / max(budget.spent, 1)))
        at, width = until, max(_LEAST_NS, int(width * growth))
