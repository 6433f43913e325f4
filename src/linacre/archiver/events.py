"""What happened, before it is written down: what comes often is counted, not repeated."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from linacre.archiver.model import Drop, NoticeKind
from linacre.archiver.service import Event

_REASONS = frozenset(drop.value for drop in Drop)
QUIET_S = 60.0
"""For so long after an event of a PV, others of its kind are only counted."""


@dataclass
class _Waiting:
    written_s: float
    event: Event | None = None
    """What is to be written when the minute is over."""
    count: int = 0
    since_ns: int = 0
    sums: dict[str, int] = field(default_factory=dict[str, int])


class Throttle:
    """At most one event a minute of a PV and a kind; the next tells how many there were.

    A PV that flaps, or one that floods, cannot fill the registry. Not for several threads.
    """

    def __init__(self, quiet_s: float = QUIET_S) -> None:
        self._quiet_s = quiet_s
        self._waiting: dict[tuple[str, str], _Waiting] = {}
        self._order: deque[tuple[float, tuple[str, str]]] = deque()
        """When events were written, the oldest first."""

    def take(self, event: Event, now_s: float) -> Event | None:
        """Return the event if it is to be written now; `now_s` never goes back."""
        key = (event.pv, str(event.kind))
        waiting = self._waiting.get(key)
        if waiting is None or (
            waiting.event is None and now_s - waiting.written_s >= self._quiet_s
        ):
            self._write(key, now_s)
            return event
        waiting.count += 1
        waiting.since_ns = waiting.since_ns or event.time_ns
        waiting.event = event
        if event.kind == NoticeKind.DROPPED:
            for reason, number in event.detail.items():
                if reason in _REASONS:
                    waiting.sums[reason] = waiting.sums.get(reason, 0) + cast("int", number)
        return None

    def due(self, now_s: float) -> Iterator[Event]:
        """Give the events whose minute is over, and forget the PVs that are quiet."""
        while self._order and now_s - self._order[0][0] >= self._quiet_s:
            written_s, key = self._order.popleft()
            waiting = self._waiting.get(key)
            if waiting is None or waiting.written_s != written_s:
                continue
            if waiting.event is None:
                del self._waiting[key]
            else:
                self._write(key, now_s)
                yield _summed(waiting, waiting.event)

    def rest(self) -> Iterator[Event]:
        """Give all that waits, at the end."""
        for waiting in self._waiting.values():
            if waiting.event is not None:
                yield _summed(waiting, waiting.event)
        self._waiting.clear()
        self._order.clear()

    def _write(self, key: tuple[str, str], now_s: float) -> None:
        self._waiting[key] = _Waiting(now_s)
        self._order.append((now_s, key))


def _summed(waiting: _Waiting, event: Event) -> Event:
    detail: Mapping[str, object] = event.detail
    if waiting.sums:
        detail = {**detail, **waiting.sums}
    if waiting.count > 1:
        detail = {**detail, "count": waiting.count, "since_ns": waiting.since_ns}
    return Event(event.pv, event.time_ns, event.kind, detail)
