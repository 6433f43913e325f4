"""Samples from Channel Access: libca's events go into columns in C, and come out in batches.

Python runs for what is rare: a connection, metadata, what is to be told. A channel is subscribed
to only after its series has a number, which is told before its first sample therefore.
"""

from __future__ import annotations

import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from linacre.archiver.channels._capture import Capture, load
from linacre.archiver.channels._capture_types import DROPS, RawCounters, RawNotice, What
from linacre.archiver.channels._dbr import NATIVE, kind_of, metadata_of
from linacre.archiver.channels._describing import described, holds_from
from linacre.archiver.channels._dropping import dropped
from linacre.archiver.channels._names import encoded
from linacre.archiver.model import (
    AHEAD_NS,
    DRAIN_S,
    DRIFT_NS,
    NANOSECONDS,
    ChannelSpec,
    Drained,
    Drop,
    Metadata,
    Method,
    Notice,
    NoticeKind,
    Series,
    SeriesIds,
)

SHORTEST_PERIOD_S = 0.1
DROPS_TOLD_NS = 10 * NANOSECONDS
"""How seldom drops of one PV are told."""
NO_READ_ACCESS = "the server gives no access to read it"


@dataclass(frozen=True)
class Counters:
    """What was counted of one PV, or of all, since it was added."""

    events: int
    """That its server sent."""
    stored: int
    drops: Mapping[Drop, int]
    last_ns: int
    """The time of the newest sample that was accepted; 0 for all together."""


@dataclass(eq=False)
class _Channel:
    spec: ChannelSpec
    number: int
    handle: int
    counters: RawCounters
    """In C's memory, until the channel is removed."""
    native: int = -1
    series: Series | None = None
    connected: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The detail of its last connection."""
    metadata: Metadata | None = None
    drops_told: tuple[int, ...] = (0,) * len(DROPS)
    drops_told_ns: int | None = None


class CaSource:
    """Takes samples of PVs by Channel Access; a `Source`. One thread calls all of its methods.

    `max_events` and `max_blob_bytes` are the room for what comes between two calls of `drain`;
    the memory is used as it is needed. Where to search is said by EPICS_CA_ADDR_LIST and its
    kin, when the first channel is added.
    """

    def __init__(
        self,
        ids: SeriesIds,
        *,
        clock: Callable[[], int] = time.time_ns,
        max_events: int = 2_000_000,
        max_blob_bytes: int = 128 << 20,
        drift_ns: int = DRIFT_NS,
        library: Callable[[], Any] = load,
    ) -> None:
        self._ids, self._clock = ids, clock
        self._capture = Capture(
            max_events=max_events,
            max_blob_bytes=max_blob_bytes,
            drift_ns=drift_ns,
            now_ns=clock(),
            library=library(),
        )
        # libca's threads would write into memory that the interpreter gives up at its end.
        self._closing = weakref.finalize(self, self._capture.close)
        self._numbered = 0
        self._channels: dict[str, _Channel] = {}
        self._by_number: dict[int, _Channel] = {}
        self._removed: dict[str, int] = {}
        """The newest times of PVs that were removed since the last drain."""
        self._dropping: dict[int, _Channel] = {}
        """Those with drops that are still to be told."""
        self._ahead: dict[int, _Channel] = {}
        """Those whose present value was dropped, as its time is to come: it is asked for then."""
        self._dropped: dict[str, _Channel] = {}
        """Those that ever dropped."""
        self._came: deque[RawNotice] = deque()
        """What happened and is not read yet, in order."""
        self._waiting: list[Notice] = []
        """Notices for the next drain."""

    def add(self, spec: ChannelSpec) -> None:
        """Begin to take samples of a PV; of one that is there, change the method."""
        period_ns = 0
        if spec.method is Method.SCAN:
            period_ns = round(max(spec.period_s, SHORTEST_PERIOD_S) * NANOSECONDS)
        if (known := self._channels.get(spec.pv)) is not None:
            known.spec = spec
            self._capture.scan(known.handle, period_ns)
            return
        try:
            name = encoded(spec.pv)
        except ValueError as error:
            self._tell(NoticeKind.REFUSED, spec.pv, detail={"why": str(error)})
            return
        self._numbered += 1
        handle = self._capture.add(
            self._numbered,
            name,
            after_ns=max(spec.after_ns, self._removed.get(spec.pv, 0)),
            period_ns=period_ns,
        )
        channel = _Channel(spec, self._numbered, handle, self._capture.counters(handle))
        self._channels[spec.pv] = self._by_number[channel.number] = channel

    def remove(self, pv: str) -> None:
        """End it; samples that are in the buffer already still come. Unknown PVs are passed by."""
        channel = self._channels.pop(pv, None)
        if channel is None:
            return
        del self._by_number[channel.number]
        self._dropping.pop(channel.number, None)
        self._ahead.pop(channel.number, None)
        self._dropped.pop(pv, None)
        self._tell_drops(channel, self._clock())
        self._removed[pv] = self._capture.remove(channel.handle)

    def drain(self) -> Drained:
        """Take what came, for `DRAIN_S` at most; never waits for a network."""
        now = self._clock()
        taken = self._capture.swap(now)
        self._came.extend(taken.notices)
        until_s = time.monotonic() + DRAIN_S
        while self._came:
            raw = self._came.popleft()
            if (channel := self._by_number.get(raw.channel)) is not None:
                self._take(channel, raw)
            if time.monotonic() >= until_s:
                break
        for number in taken.droppers:
            if (channel := self._by_number.get(number)) is not None:
                self._dropping[number] = self._dropped[channel.spec.pv] = channel
                if channel.counters.ahead_ns > channel.counters.last_ns:
                    self._ahead[number] = channel
        self._ask_again(now)
        for channel in list(self._dropping.values()):
            told = channel.drops_told_ns
            # A clock that was set back is no reason for silence.
            if told is None or not 0 <= now - told < DROPS_TOLD_NS:
                self._tell_drops(channel, now)
                del self._dropping[channel.number]
        self._removed.clear()
        notices, self._waiting = self._waiting, []
        return Drained(
            notices,
            [] if taken.scalars is None else [taken.scalars],
            [] if taken.blobs is None else [taken.blobs],
            more=bool(self._came) or taken.more,
        )

    def close(self) -> Sequence[Notice]:
        """Give up all channels; what was drained stays valid. May be repeated.

        Returns what was dropped and is not told yet.
        """
        now = self._clock()
        for channel in self._channels.values():
            self._tell_drops(channel, now)
        notices = [notice for notice in self._waiting if notice.kind is NoticeKind.DROPPED]
        self._waiting.clear()
        self._channels.clear()
        self._by_number.clear()
        self._came.clear()
        self._dropping.clear()
        self._ahead.clear()
        self._dropped.clear()
        self._closing()
        return notices

    def counters(self, pv: str) -> Counters:
        """Return what was counted of a PV; `KeyError` for one that is not there, or refused."""
        return _counted(self._channels[pv].counters)

    def totals(self) -> Counters:
        """Return the sums over all PVs that ever were added."""
        return _counted(self._capture.totals())

    def drops(self) -> Mapping[str, Mapping[Drop, int]]:
        """Return what was dropped of each PV that is there and ever dropped, up to the last drain.

        Costs nothing for all the others.
        """
        return {pv: _drops(channel.counters.drops) for pv, channel in self._dropped.items()}

    def _take(self, channel: _Channel, raw: RawNotice) -> None:
        match raw.what:
            case What.CONNECTED:
                self._connect(channel, raw)
            case What.LOST:
                self._tell(NoticeKind.LOST, channel.spec.pv, raw.time_ns, channel.series)
            case What.METADATA:
                self._describe(channel)
            case What.FORBIDDEN:
                self._refuse(channel, raw.time_ns, NO_READ_ACCESS)
            case What.ALLOWED:
                self._tell_connected(channel, raw.time_ns)
            case What.FAILED:
                self._refuse(channel, raw.time_ns, self._capture.message(raw.status))

    def _connect(self, channel: _Channel, raw: RawNotice) -> None:
        is_array = raw.count != 1
        kind = kind_of(raw.native, is_array=is_array)
        if kind is None:
            self._refuse(channel, raw.time_ns, f"its type, {raw.native}, is none that can be read")
            return
        before = channel.series
        series = self._ids.series(channel.spec.pv, kind, NATIVE[raw.native])
        if before is None or before.id != series.id:
            channel.series, channel.native, channel.metadata = series, raw.native, None
            self._capture.subscribe(
                channel.handle, series=series.id, native=raw.native, is_array=is_array
            )
        channel.connected = {
            "host": raw.host,
            "native": series.native,
            "count": raw.count,
            "changed": before is not None and before.id != series.id,
        }
        self._tell_connected(channel, raw.time_ns)

    def _tell_connected(self, channel: _Channel, time_ns: int) -> None:
        if channel.series is not None:
            detail = channel.connected
            self._tell(NoticeKind.CONNECTED, channel.spec.pv, time_ns, channel.series, detail)

    def _refuse(self, channel: _Channel, time_ns: int, why: str) -> None:
        self._tell(NoticeKind.REFUSED, channel.spec.pv, time_ns, channel.series, {"why": why})

    def _describe(self, channel: _Channel) -> None:
        found = self._capture.metadata(channel.handle)
        if found is None:
            return
        metadata = metadata_of(channel.native, found.raw)
        # By its words: a limit that is no number is not equal to itself.
        if repr(metadata) != repr(channel.metadata):
            channel.metadata = metadata
            from_ns = holds_from(
                found.came_ns, newest_ns=found.newest_ns, sample_ns=found.sample_ns
            )
            self._waiting.append(
                described(channel.spec.pv, channel.series, metadata, found.came_ns, from_ns)
            )

    def _ask_again(self, now_ns: int) -> None:
        """Ask for present values whose time has come, unless a newer one was taken meanwhile."""
        for channel in list(self._ahead.values()):
            counters = channel.counters
            if counters.ahead_ns <= now_ns + AHEAD_NS:
                del self._ahead[channel.number]
                if counters.last_ns < counters.ahead_ns:
                    self._capture.ask_again(channel.handle)

    def _tell_drops(self, channel: _Channel, now_ns: int) -> None:
        counts = tuple(channel.counters.drops)
        new = {
            drop.value: count - told
            for drop, count, told in zip(DROPS, counts, channel.drops_told, strict=True)
            if count > told
        }
        if new:
            channel.drops_told, channel.drops_told_ns = counts, now_ns
            detail = dropped(new, channel.counters.ahead_ns)
            self._tell(NoticeKind.DROPPED, channel.spec.pv, now_ns, channel.series, detail)

    def _tell(
        self,
        kind: NoticeKind,
        pv: str,
        time_ns: int | None = None,
        series: Series | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        at = self._clock() if time_ns is None else time_ns
        self._waiting.append(Notice(kind, pv, at, series, detail or {}))


def _drops(counts: Any) -> Mapping[Drop, int]:
    return {drop: count for drop, count in zip(DROPS, counts, strict=True) if count}


def _counted(raw: RawCounters) -> Counters:
    return Counters(raw.events, raw.stored, _drops(raw.drops), raw.last_ns)
