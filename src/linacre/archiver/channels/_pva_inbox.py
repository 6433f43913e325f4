"""What pvxs's threads put aside until it is drained, in bounded room."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from linacre.archiver.channels._pva_shape import Shape
from linacre.archiver.model import NANOSECONDS, ChannelSpec, Drop, Metadata, Method, Series

SHORTEST_PERIOD_S = 0.1
QUEUE = 64
"""How many updates a server keeps for us while they are not sent."""
QUEUE_LARGE = 4
"""The same for large values: a server may hold all of them in memory."""

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
    """Channels, and how many of their values there was no room for."""


class Inbox:
    """Events of channels. One PV may use a quarter of the room, or hold two values."""

    def __init__(self, clock: Callable[[], int], max_events: int, max_bytes: int) -> None:
        self._clock = clock
        self._max_events, self._max_bytes = max_events, max_bytes
        self._lock = threading.Lock()
        self._events: list[tuple[Channel, Any, int]] = []
        self._bytes = 0
        self._overflowing: set[Channel] = set()

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
            events, self._events, self._bytes = self._events, [], 0
            overflowing, self._overflowing = self._overflowing, set()
            for channel, _, _ in events:
                channel.waiting = channel.waiting_bytes = 0
            overflows = [(channel, channel.overflowed) for channel in overflowing]
            for channel in overflowing:
                channel.overflowed = 0
        return Taken(events, overflows)

    def take_held(self, channel: Channel) -> tuple[Any, int] | None:
        """Take the newest value of SCAN and when it came, if there is another."""
        with self._lock:
            held, channel.held = channel.held, None
        return held

    def _put(self, channel: Channel, thing: Any, now_ns: int) -> None:
        shape = channel.shape
        is_value = not isinstance(thing, Exception)
        size = _size(channel, shape, thing) if is_value and shape is not None else 0
        with self._lock:
            if is_value and shape is not None and channel.scanned:
                channel.held = (thing, now_ns)
                return
            if not is_value or shape is None:
                if channel.held is not None:
                    # What comes next may be of another type.
                    self._events.append((channel, *channel.held))
                    channel.held = None
            elif not self._has_room(channel, size):
                channel.overflowed += 1
                self._overflowing.add(channel)
                return
            channel.waiting += 1
            channel.waiting_bytes += size
            self._bytes += size
            self._events.append((channel, thing, now_ns))

    def _has_room(self, channel: Channel, size: int) -> bool:
        if len(self._events) >= self._max_events or channel.waiting >= self._max_events // 4:
            return False
        mine = channel.waiting_bytes + size <= self._max_bytes // 4 or channel.waiting < 2
        return not size or (mine and self._bytes + size <= self._max_bytes)


def _size(channel: Channel, shape: Shape, value: Any) -> int:
    if shape.size is None:
        return channel.struct_bytes
    try:
        return shape.size(value)
    except Exception:
        # It will be told when it is read.
        _log.debug("a value of %s has no size", channel.spec.pv, exc_info=True)
        return 0
