"""How it stands with each channel: from what sources tell and from what was stored."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np
import numpy.typing as npt

from linacre.archiver.model import (
    BlobBatch,
    Drop,
    Int64s,
    Notice,
    NoticeKind,
    ScalarBatch,
    Series,
)
from linacre.archiver.recording.clocks import why_misdated
from linacre.archiver.registry.rows import Channel
from linacre.archiver.service import ChannelState, ChannelStatus

RATE_S = 60.0
"""Rates are over about so long."""
_STEP_S = 5.0


class Counters:
    """Samples by series: how many, and the time of the newest."""

    def __init__(self) -> None:
        self._count = np.zeros(1024, np.int64)
        self._last = np.zeros(1024, np.int64)
        self._past: deque[tuple[float, Int64s]] = deque()

    def add(self, series: npt.NDArray[np.int32], time: Int64s) -> None:
        """Count samples that were stored."""
        if not len(series):
            return
        most = int(series.max())
        if most >= len(self._count):
            size = 2 * (most + 1)
            self._count = _longer(self._count, size)
            self._last = _longer(self._last, size)
        found = np.bincount(series)
        self._count[: len(found)] += found
        np.maximum.at(self._last, series.astype(np.intp), time)

    def take_back(self, series: int, number: int) -> None:
        """Count samples of a series no more, as they were given up."""
        if series < len(self._count):
            self._count[series] -= number

    def tick(self, now_s: float) -> None:
        """Remember the counts of now, so that there is a rate later."""
        past = self._past
        if not past or now_s - past[-1][0] >= _STEP_S:
            past.append((now_s, self._count.copy()))
            while len(past) > 1 and now_s - past[1][0] >= RATE_S:
                past.popleft()

    def count(self, series: Iterable[int]) -> int:
        """Return the number of samples of some series."""
        return sum(int(self._count[k]) for k in series if k < len(self._count))

    def last(self, series: Iterable[int]) -> int:
        """Return the time of the newest sample of some series, ns; 0: none."""
        return max((int(self._last[k]) for k in series if k < len(self._last)), default=0)

    def rate(self, series: Sequence[int], now_s: float) -> float:
        """Return the samples a second of some series."""
        if not self._past:
            return 0.0
        then_s, then = self._past[0]
        before = sum(int(then[k]) for k in series if k < len(then))
        # Of what waited then for room on the disk, some may have been given up.
        return max(0.0, (self.count(series) - before) / max(now_s - then_s, 1.0))

    @property
    def total(self) -> int:
        """How many samples there were."""
        return int(self._count.sum())


@dataclass
class _Standing:
    channel: Channel
    state: ChannelState
    since_ns: int
    stored_ns: int
    """The time of the newest sample when the channel was taken up."""
    series: list[Series] = field(default_factory=list[Series])
    host: str = ""
    first_connected_ns: int = 0
    connections: int = 0
    losses: int = 0
    drops: dict[Drop, int] = field(default_factory=dict[Drop, int])
    refused_ns: int = 0
    """The time of the newest sample that was refused as ahead of the archiver's clock; 0: none."""
    refused_told_ns: int = 0
    why: str = ""

    @property
    def ids(self) -> list[int]:
        return [series.id for series in self.series]


class Standings:
    """All channels; any thread may ask, one tells."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, _Standing] = {}
        self._counters = Counters()
        self._connected = 0
        self.ended = False
        """Past the archiver's end no channel is anything but that."""

    def put(self, channel: Channel, now_ns: int, *, stored_ns: int = 0) -> None:
        """Take up a channel, or a change of one that is there."""
        pv = channel.spec.pv
        paused = channel.paused
        with self._lock:
            held = self._held.get(pv)
            if held is None:
                state = ChannelState.PAUSED if paused else ChannelState.SEARCHING
                self._held[pv] = _Standing(channel, state, now_ns, stored_ns)
                return
            if paused != held.channel.paused:
                held.state = ChannelState.PAUSED if paused else ChannelState.SEARCHING
                held.since_ns = now_ns
            held.channel = channel

    def drop(self, pv: str) -> None:
        """Know nothing more of a channel."""
        with self._lock:
            self._held.pop(pv, None)

    def restart(self, now_ns: int) -> None:
        """Take all channels as never connected: their sources are new."""
        with self._lock:
            for held in self._held.values():
                if held.state is not ChannelState.PAUSED:
                    held.state, held.since_ns = ChannelState.SEARCHING, now_ns

    def told(self, notice: Notice) -> None:
        """Take in what a source tells."""
        with self._lock:
            held = self._held.get(notice.pv)
            if held is not None:
                _take(held, notice)

    def stored(self, batches: Sequence[ScalarBatch | BlobBatch]) -> None:
        """Count samples that were stored."""
        with self._lock:
            for batch in batches:
                self._counters.add(batch.series, batch.time)

    def given_up(self, series: int, number: int) -> None:
        """Count samples no more that were to be stored, and found no room."""
        with self._lock:
            self._counters.take_back(series, number)

    def tick(self, now_s: float) -> None:
        """Let time pass, for the rates."""
        with self._lock:
            self._counters.tick(now_s)

    def channel(self, pv: str) -> Channel | None:
        """Return a channel, None where it is not archived."""
        with self._lock:
            held = self._held.get(pv)
            return None if held is None else held.channel

    def channels(self) -> list[Channel]:
        """Return all channels."""
        with self._lock:
            return [held.channel for held in self._held.values()]

    def last_ns(self, pv: str, series: Iterable[int] = ()) -> int:
        """Return the time of the newest sample of a PV, of whatever series; 0: none."""
        with self._lock:
            held = self._held.get(pv)
            stored, ids = (0, []) if held is None else (held.stored_ns, held.ids)
            return max(stored, self._counters.last([*ids, *series]))

    def misdated(self, now_ns: int) -> int:
        """Return how many PVs have times ahead of the archiver's clock, or had of late."""
        with self._lock:
            return sum(bool(self._misdated(held, now_ns)) for held in self._held.values())

    def counts(self) -> tuple[int, int, int]:
        """Return how many PVs there are, how many connected, and how many samples came."""
        with self._lock:
            connected = sum(h.state is ChannelState.CONNECTED for h in self._held.values())
            total = self._counters.total
            return len(self._held), 0 if self.ended else connected, total

    def status(self, pattern: str, now_s: float, now_ns: int) -> list[ChannelStatus]:
        """Return the channels whose names match a glob pattern, sorted.

        `now_s` is of the clock that never goes back, `now_ns` since 1970.
        """
        with self._lock:
            chosen = self._held if pattern == "*" else _matching(self._held, pattern)
            return [self._status(self._held[pv], now_s, now_ns) for pv in sorted(chosen)]

    def _misdated(self, held: _Standing, now_ns: int) -> str:
        return why_misdated(
            newest_ns=max(held.stored_ns, self._counters.last(held.ids)),
            refused_ns=held.refused_ns,
            told_ns=held.refused_told_ns,
            now_ns=now_ns,
        )

    def _status(self, held: _Standing, now_s: float, now_ns: int) -> ChannelStatus:
        newest = held.series[-1] if held.series else None
        ids = held.ids
        return ChannelStatus(
            spec=held.channel.spec,
            state=ChannelState.ENDED if self.ended else held.state,
            since_ns=held.since_ns,
            added_ns=held.channel.added_ns,
            kind=None if newest is None else newest.kind,
            native="" if newest is None else newest.native,
            host=held.host,
            samples=self._counters.count(ids),
            rate_hz=self._counters.rate(ids, now_s),
            last_ns=max(held.stored_ns, self._counters.last(ids)),
            first_connected_ns=held.first_connected_ns,
            connections=held.connections,
            losses=held.losses,
            drops=dict(held.drops),
            why=held.why or self._misdated(held, now_ns),
        )


def _take(held: _Standing, notice: Notice) -> None:
    detail = notice.detail
    if notice.kind is NoticeKind.DROPPED:
        for drop in Drop:
            if number := int(detail.get(drop.value, 0)):
                held.drops[drop] = held.drops.get(drop, 0) + number
        if "stamp_ns" in detail:
            held.refused_ns, held.refused_told_ns = int(detail["stamp_ns"]), notice.time_ns
    elif notice.kind is NoticeKind.CONNECTED:
        held.host = str(detail.get("host", ""))
        held.connections += 1
        held.first_connected_ns = held.first_connected_ns or notice.time_ns
        held.why = ""
        if notice.series is not None:
            # The newest last, also when a type comes back.
            held.series = [s for s in held.series if s.id != notice.series.id]
            held.series.append(notice.series)
        _move(held, ChannelState.CONNECTED, notice.time_ns)
    elif notice.kind is NoticeKind.LOST:
        held.losses += 1
        _move(held, ChannelState.LOST, notice.time_ns)
    elif notice.kind is NoticeKind.REFUSED:
        held.why = str(detail.get("why", ""))
        _move(held, ChannelState.REFUSED, notice.time_ns)


def _move(held: _Standing, state: ChannelState, at_ns: int) -> None:
    # What was on its way when a person paused it is no reason to show it as going on.
    if not held.channel.paused:
        held.state, held.since_ns = state, at_ns


def _matching(held: Iterable[str], pattern: str) -> list[str]:
    return [pv for pv in held if fnmatchcase(pv, pattern)]


def _longer(array: Int64s, size: int) -> Int64s:
    longer = np.zeros(size, np.int64)
    longer[: len(array)] = array
    return longer
