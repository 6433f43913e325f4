"""What pvxs's threads put aside until it is drained, in bounded room.

Of a PV for which there is no room, the newest value is kept beside the others: it is the PV's
value from then on, perhaps for hours.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from linacre.archiver.channels._pva_shape import Shape
from linacre.archiver.model import NANOSECONDS, ChannelSpec, Drop, Metadata, Method, Series

SHORTEST_PERIOD_S = 0.1
QUEUE = 256
"""How many updates a server keeps for us while they are not sent, at most."""
SHORTEST_QUEUE = 4
SERVER_BYTES = 64 << 20
"""What those of one PV may take of a server's memory."""

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class Newest:
    """The time of a PV's newest accepted sample."""

    ns: int


@dataclass(eq=False)
class Channel:
    """One PV, and how it stands with it."""

    spec: ChannelSpec
    newest: Newest
    subscription: Any = None
    queue: int = QUEUE
    whole: bool = False
    """All fields are asked for, since the server refused the request for some."""
    shape: Shape | None = None
    """While it is connected, and is something that can be archived."""
    connected: bool = False
    quiet: bool = False
    """It was subscribed to anew by ourselves: not to be told."""
    series: Series | None = None
    first: bool = False
    """The next sample is the first of a connection."""
    metadata: Metadata | None = None
    struct_bytes: int = 0
    """Of the last structure: as large as the next may be."""
    due_ns: int = 0
    """When the newest value is to be taken; SCAN."""
    retry_ns: int = 0
    refused: str = ""
    drops: dict[Drop, int] = field(default_factory=dict[Drop, int])
    told: dict[Drop, int] = field(default_factory=dict[Drop, int])
    told_ns: int | None = None
    ahead_ns: int = 0
    """The time of the newest sample that was dropped as ahead of the archiver's clock."""
    ahead_since_ns: int = 0
    ahead_events: int = 0
    """How many in a row were ahead, and since when."""

    # The inbox's.
    popping: threading.Lock = field(default_factory=threading.Lock)
    waiting: int = 0
    waiting_bytes: int = 0
    overflowed: int = 0
    """Values that were lost since the last call of `take`."""
    spilled: tuple[Any, int] | None = None
    """The newest value, for which there was no room, and when it came."""
    spilled_bytes: int = 0
    held: tuple[Any, int] | None = None
    """The newest value and when it came; SCAN."""

    @property
    def scanned(self) -> bool:
        """Whether only the newest value is wanted, once a period."""
        return self.spec.method is Method.SCAN

    @property
    def period_ns(self) -> int:
        """The period of SCAN."""
        return round(max(self.spec.period_s, SHORTEST_PERIOD_S) * NANOSECONDS)


@dataclass(frozen=True)
class Taken:
    """What came since the last call, in the order in which it came."""

    events: Sequence[tuple[Channel, Any, int]]
    """A channel, its value or exception, and when it came."""
    overflows: Sequence[tuple[Channel, int]]
    """Channels, and how many of their values were lost since there was no room."""


class Inbox:
    """Events of channels. One PV may use a quarter of the room, or hold two values."""

    def __init__(self, clock: Callable[[], int], max_events: int, max_bytes: int) -> None:
        self._clock = clock
        self._max_events, self._max_bytes = max_events, max_bytes
        self._lock = threading.Lock()
        self._events: list[tuple[Channel, Any, int]] = []
        self._bytes = 0
        self._overflowing: set[Channel] = set()
        self._spilled_bytes = 0

    def pop(self, channel: Channel) -> None:
        """Put aside what a channel's subscription has; any thread may call."""
        with channel.popping:
            while (subscription := channel.subscription) is not None:
                thing = subscription.pop()
                if thing is None:
                    return
                self._put(channel, thing, self._clock())

    def take(self) -> Taken:
        """Take all but the newest values of SCAN."""
        with self._lock:
            for channel in self._overflowing:
                self._append_spilled(channel)
            events, self._events, self._bytes = self._events, [], 0
            overflowing, self._overflowing = self._overflowing, set()
            for channel, _, _ in events:
                channel.waiting = channel.waiting_bytes = 0
            overflows = [(each, each.overflowed) for each in overflowing if each.overflowed]
            for channel in overflowing:
                channel.overflowed = 0
        return Taken(events, overflows)

    def take_held(self, channel: Channel) -> tuple[Any, int] | None:
        """Take the newest value of SCAN and when it came, if there is another."""
        with self._lock:
            held, channel.held = channel.held, None
        return held

    def release(self, channel: Channel) -> None:
        """Put the newest value of SCAN with the others."""
        with self._lock:
            self._append_held(channel)

    def _put(self, channel: Channel, thing: Any, now_ns: int) -> None:
        shape = channel.shape
        is_value = not isinstance(thing, Exception)
        size = _size(channel, shape, thing) if is_value and shape is not None else 0
        with self._lock:
            if is_value and shape is not None and channel.scanned:
                if channel.held is not None:
                    _take_over(shape, thing, channel.held[0])
                channel.held = (thing, now_ns)
                return
            # What comes next may be of another type, or no longer SCAN's.
            self._append_held(channel)
            if not is_value or shape is None:
                self._append_spilled(channel)
            elif not self._has_room(channel, size):
                self._spill(channel, shape, (thing, now_ns), size)
                return
            channel.waiting += 1
            channel.waiting_bytes += size
            self._bytes += size
            self._events.append((channel, thing, now_ns))

    def _append_held(self, channel: Channel) -> None:
        if channel.held is not None:
            self._events.append((channel, *channel.held))
            channel.held = None

    def _append_spilled(self, channel: Channel) -> None:
        if channel.spilled is not None:
            self._events.append((channel, *channel.spilled))
            channel.spilled = None
            self._spilled_bytes -= channel.spilled_bytes
            channel.spilled_bytes = 0

    def _spill(self, channel: Channel, shape: Shape, newest: tuple[Any, int], size: int) -> None:
        """Keep the newest beside the others, in place of the one before, which is lost."""
        self._overflowing.add(channel)
        others = self._spilled_bytes - channel.spilled_bytes
        # A quarter of the room for all; one may come, however large.
        if size > self._max_bytes or (size and others and others + size > self._max_bytes // 4):
            channel.overflowed += 1
            return
        if channel.spilled is not None:
            channel.overflowed += 1
            _take_over(shape, newest[0], channel.spilled[0])
        channel.spilled, channel.spilled_bytes = newest, size
        self._spilled_bytes = others + size

    def _has_room(self, channel: Channel, size: int) -> bool:
        if channel.spilled is not None:
            return False
        if len(self._events) >= self._max_events or channel.waiting >= self._max_events // 4:
            return False
        mine = channel.waiting_bytes + size <= self._max_bytes // 4 or channel.waiting < 2
        return not size or (mine and self._bytes + size <= self._max_bytes)


def _take_over(shape: Shape, value: Any, before: Any) -> None:
    """Mark in a value what had changed in the one whose place it takes.

    Else a value with a change of its units after it would be taken for no sample.
    """
    for name in (*shape.described_by, *shape.sampled_by):
        if before.changed(name):
            value.mark(name)


def _size(channel: Channel, shape: Shape, value: Any) -> int:
    if shape.size is None:
        return channel.struct_bytes
    try:
        return shape.size(value)
    except Exception:
        # It will be told when it is read.
        _log.debug("a value of %s has no size", channel.spec.pv, exc_info=True)
        return 0
