"""Samples from pvAccess, by p4p: each event is taken by Python, at some 10 us.

pvxs's threads only put events aside; `drain` reads them. Of updates that come faster than they can
be sent, a server leaves some out, never the last. Those cannot be counted: pvxs's server does not
tell of them, and p4p does not pass on what others tell.
"""

from __future__ import annotations

import importlib
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from linacre.archiver.channels._describing import described, holds_from
from linacre.archiver.channels._names import encoded
from linacre.archiver.channels._pva_batches import Batches
from linacre.archiver.channels._pva_gate import Gate
from linacre.archiver.channels._pva_inbox import (
    SERVER_BYTES,
    SHORTEST_QUEUE,
    Channel,
    Inbox,
    Newest,
)
from linacre.archiver.channels._pva_shape import Shape
from linacre.archiver.channels._pva_types import (
    NoSuchFieldError,
    metadata_of,
    request_of,
    shape_of,
)
from linacre.archiver.model import (
    DRAIN_S,
    NANOSECONDS,
    ChannelSpec,
    Drained,
    Drop,
    Notice,
    NoticeKind,
    SeriesIds,
)

RETRY_NS = 60 * NANOSECONDS
"""When a subscription that was refused or ended is tried again."""

_log = logging.getLogger(__name__)


def load() -> Any:
    """Import p4p, a third of a second; best before other threads import what is large.

    It brings setuptools along, and threads that import large packages at the same time as each
    other have been seen to wait for one another for ever (CPython 3.11, importlib's module locks).
    """
    return importlib.import_module("p4p.client.raw")


class PvaSource:
    """Takes samples of PVs by pvAccess; a `Source`. One thread calls all of its methods.

    `max_events` and `max_blob_bytes` are the room for what comes between two calls of `drain`; one
    PV may use a quarter of it, or hold two values. `settings` are EPICS_PVA_ADDR_LIST,
    EPICS_PVA_NAME_SERVERS and their kin, beside and before those of the environment, which is read
    when the first channel is added.
    """

    def __init__(
        self,
        ids: SeriesIds,
        *,
        clock: Callable[[], int] = time.time_ns,
        max_events: int = 100_000,
        max_blob_bytes: int = 64 << 20,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._ids, self._clock = ids, clock
        self._inbox = Inbox(clock, max_events, max_blob_bytes)
        self._settings = dict(settings or {})
        self._raw: Any = None
        self._context: Any = None
        self._channels: dict[str, Channel] = {}
        self._events: deque[tuple[Channel, Any, int]] = deque()
        """What was taken out of the inbox and is not read yet, in order."""
        self._removed: dict[str, Newest] = {}
        """Of PVs that were removed while something of them may wait: it is still to come."""
        self._gate = Gate()
        self._retrying: set[Channel] = set()
        self._notices: list[Notice] = []

    def add(self, spec: ChannelSpec) -> None:
        """Begin to take samples of a PV; of one that is there, change the method and fields."""
        known = self._channels.get(spec.pv)
        if known is not None and known.spec.fields == spec.fields:
            known.spec, known.due_ns = spec, 0
            return
        newest = Newest(spec.after_ns)
        if known is not None:
            self.remove(spec.pv)
        if (removed := self._removed.get(spec.pv)) is not None:
            newest = removed
        channel = Channel(spec, newest)
        self._channels[spec.pv] = channel
        try:
            encoded(spec.pv)
        except ValueError as error:
            self._refuse(channel, self._clock(), str(error))
            return
        self._subscribe(channel)

    def remove(self, pv: str) -> None:
        """End it; samples that are in the buffer already still come. Unknown PVs are passed by."""
        channel = self._channels.pop(pv, None)
        if channel is None:
            return
        self._unsubscribe(channel)
        self._inbox.release(channel)
        self._retrying.discard(channel)
        self._removed[pv] = channel.newest

    def drain(self) -> Drained:
        """Take what came, for `DRAIN_S` at most; never waits for a network."""
        is_all = not self._events
        if is_all:
            taken = self._inbox.take()
            self._events.extend(taken.events)
            for channel, count in taken.overflows:
                self._gate.drop(channel, Drop.BUFFER, count)
        now = self._clock()
        batches = Batches()
        until_s = time.monotonic() + DRAIN_S
        while self._events:
            self._guarded(*self._events.popleft(), batches)
            if time.monotonic() >= until_s:
                break
        is_all = is_all and not self._events
        if is_all:
            # The newest values of SCAN came after all of these.
            self._scan(now, batches)
            self._removed.clear()
        self._retry(now)
        for channel in self._gate.arrived(now):
            self._ask_again(channel)
        for channel, new in self._gate.due(now):
            self._tell(NoticeKind.DROPPED, channel, now, new)
        notices, self._notices = self._notices, []
        return Drained(notices, batches.scalars(), batches.blobs(), more=not is_all)

    def close(self) -> Sequence[Notice]:
        """Give up all channels. May be repeated.

        Returns what was dropped and is not told yet.
        """
        now = self._clock()
        for channel, new in self._gate.rest(now):
            self._tell(NoticeKind.DROPPED, channel, now, new)
        notices = [notice for notice in self._notices if notice.kind is NoticeKind.DROPPED]
        self._notices.clear()
        for channel in self._channels.values():
            self._unsubscribe(channel)
        self._channels.clear()
        self._events.clear()
        self._retrying.clear()
        if self._context is not None:
            self._context.close()
            self._context = None
        return notices

    def drops(self) -> Mapping[str, Mapping[Drop, int]]:
        """Return what was dropped of each PV that is there and ever dropped, by the last drain."""
        return {pv: dict(one.drops) for pv, one in self._channels.items() if one.drops}

    # Subscriptions.

    def _subscribe(self, channel: Channel) -> None:
        spec = channel.spec
        request = request_of(spec.fields, channel.queue, whole=channel.whole)
        try:
            if self._context is None:
                self._raw = load()
                self._context = self._raw.Context("pva", conf=self._settings, useenv=True, nt=False)
            subscription = self._context.monitor(
                spec.pv, lambda: self._inbox.pop(channel), request=request
            )
        except Exception as error:
            _log.warning("%s cannot be subscribed to", spec.pv, exc_info=True)
            self._refuse(channel, self._clock(), str(error))
            return
        channel.subscription = subscription
        # Events that came before it was known here are told only once.
        self._inbox.pop(channel)

    def _unsubscribe(self, channel: Channel) -> None:
        subscription, channel.subscription = channel.subscription, None
        if subscription is not None:
            subscription.close()

    # Events.

    def _guarded(self, channel: Channel, thing: Any, came_ns: int, batches: Batches) -> None:
        """Take an event; what is wrong with one PV stops no other."""
        try:
            if isinstance(thing, Exception):
                self._take_exception(channel, thing, came_ns)
            else:
                self._take(channel, thing, came_ns, batches)
        except Exception as error:
            _log.warning("an update of %s cannot be read", channel.spec.pv, exc_info=True)
            self._refuse(channel, came_ns, f"an update cannot be read: {error}")

    def _take_exception(self, channel: Channel, error: Exception, came_ns: int) -> None:
        raw = self._raw
        if isinstance(error, raw.Cancelled):
            return
        if isinstance(error, raw.RemoteError):
            if channel.spec.fields and not channel.whole:
                channel.whole = True
                channel.retry_ns = came_ns
            else:
                self._refuse(channel, came_ns, str(error))
                channel.retry_ns = came_ns + RETRY_NS
            self._retrying.add(channel)
        elif isinstance(error, raw.Finished):
            channel.retry_ns = came_ns + RETRY_NS
            self._retrying.add(channel)
        if channel.connected or channel.quiet:
            channel.connected, channel.quiet, channel.shape = False, False, None
            self._tell(NoticeKind.LOST, channel, came_ns)

    def _take(self, channel: Channel, value: Any, came_ns: int, batches: Batches) -> None:
        is_new = not channel.connected
        if is_new:
            self._connect(channel, value, came_ns)
        if (shape := channel.shape) is None:
            return
        newest_ns, sample_ns = channel.newest.ns, 0
        # Of a scanned PV there may have been updates between that nobody looked at.
        described = is_new or channel.scanned or shape.is_described(value)
        if is_new or not described or shape.is_sample(value):
            sample_ns = self._keep(channel, shape, value, came_ns, batches)
        if described:
            from_ns = holds_from(came_ns, newest_ns=newest_ns, sample_ns=sample_ns)
            self._describe(channel, value, came_ns, from_ns)

    def _keep(
        self, channel: Channel, shape: Shape, value: Any, came_ns: int, batches: Batches
    ) -> int:
        """Take a sample, and return its time, ns; 0 where it is not accepted."""
        if (series := channel.series) is None:
            return 0
        time_ns, tag = shape.stamp(value) or (came_ns, 0)
        if not self._gate.accepts(channel, time_ns, came_ns):
            return 0
        alarm = shape.alarm(value)
        if shape.scalar is not None:
            batches.scalar(series.id, time_ns, shape.scalar(value), alarm, tag)
        elif shape.blob is not None:
            blob = shape.blob(value)
            batches.blob(series.id, time_ns, blob, alarm, tag)
            channel.struct_bytes = len(blob[1])
        channel.newest.ns = time_ns
        channel.first = False
        if channel.struct_bytes * channel.queue > SERVER_BYTES and channel.queue > SHORTEST_QUEUE:
            self._ask_for_less(channel)
        return time_ns

    def _connect(self, channel: Channel, value: Any, came_ns: int) -> None:
        channel.connected, channel.refused = True, ""
        try:
            shape = shape_of(value, channel.spec.fields)
        except NoSuchFieldError as error:
            self._refuse(channel, came_ns, str(error))
            return
        before = channel.series
        series = self._ids.series(channel.spec.pv, shape.kind, shape.native)
        changed = before is not None and before.id != series.id
        channel.shape, channel.series, channel.first = shape, series, True
        count = 1
        if shape.blob is not None and shape.size is not None:
            count = shape.blob(value)[0]
        # pvxs knows the server, but p4p does not tell.
        detail = {"host": "", "native": shape.native, "count": count, "changed": changed}
        if changed or not channel.quiet:
            self._tell(NoticeKind.CONNECTED, channel, came_ns, detail)
        channel.quiet = False
        if changed:
            channel.metadata = None

    def _describe(self, channel: Channel, value: Any, came_ns: int, from_ns: int) -> None:
        metadata = metadata_of(value)
        # By its words: a limit that is no number is not equal to itself.
        if repr(metadata) != repr(channel.metadata):
            channel.metadata = metadata
            self._notices.append(
                described(channel.spec.pv, channel.series, metadata, came_ns, from_ns)
            )

    def _ask_for_less(self, channel: Channel) -> None:
        # By half of what there is: one that grows is not to be asked for again and again.
        channel.queue = max(SHORTEST_QUEUE, SERVER_BYTES // (2 * channel.struct_bytes))
        self._ask_again(channel)

    def _ask_again(self, channel: Channel) -> None:
        if self._channels.get(channel.spec.pv) is channel:
            self._unsubscribe(channel)
            channel.connected, channel.quiet = False, True
            self._subscribe(channel)

    def _scan(self, now_ns: int, batches: Batches) -> None:
        for channel in self._channels.values():
            period = channel.period_ns
            # A clock that was set back by more than a period is no reason to wait for it.
            if channel.scanned and now_ns < channel.due_ns <= now_ns + period:
                continue
            channel.due_ns = (now_ns // period + 1) * period
            if channel.held is not None and (held := self._inbox.take_held(channel)) is not None:
                self._guarded(channel, *held, batches)

    def _retry(self, now_ns: int) -> None:
        for channel in list(self._retrying):
            if channel.retry_ns - RETRY_NS <= now_ns < channel.retry_ns:
                continue
            self._retrying.discard(channel)
            if self._channels.get(channel.spec.pv) is channel:
                self._unsubscribe(channel)
                self._subscribe(channel)

    # What is told.

    def _refuse(self, channel: Channel, time_ns: int, why: str) -> None:
        if why != channel.refused:
            channel.refused = why
            self._tell(NoticeKind.REFUSED, channel, time_ns, {"why": why})

    def _tell(
        self,
        kind: NoticeKind,
        channel: Channel,
        time_ns: int,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        self._notices.append(Notice(kind, channel.spec.pv, time_ns, channel.series, detail or {}))
