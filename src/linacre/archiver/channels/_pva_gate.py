"""Which samples of pvAccess are taken, and what is counted of the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from linacre.archiver.channels._dropping import dropped
from linacre.archiver.channels._pva_inbox import Channel
from linacre.archiver.model import (
    AHEAD_NS,
    DRIFT_NS,
    NANOSECONDS,
    OLDEST_NS,
    STEADY_EVENTS,
    STEADY_NS,
    Drop,
)

DROPS_TOLD_NS = 10 * NANOSECONDS
"""How seldom drops of one PV are told."""


class Gate:
    """Lets samples through by their time, counts what it drops, and tells it seldom."""

    def __init__(self) -> None:
        self._dropping: dict[str, Channel] = {}
        """Those with drops that are still to be told."""
        self._ahead: dict[str, Channel] = {}
        """Those of which a sample was dropped as ahead."""

    def accepts(self, channel: Channel, time_ns: int, came_ns: int) -> bool:
        """Whether a sample of a channel is taken; counted as dropped where that is worth it."""
        if time_ns < OLDEST_NS:
            self.drop(channel, Drop.BEFORE_1991)
        elif time_ns > came_ns + DRIFT_NS:
            self._drop_ahead(channel, Drop.FUTURE, time_ns)
        elif time_ns < came_ns - DRIFT_NS and not channel.first:
            self.drop(channel, Drop.PAST)
        elif _is_doubted(channel, time_ns, came_ns):
            self._drop_ahead(channel, Drop.AHEAD, time_ns)
        elif time_ns > channel.newest.ns:
            return True
        elif channel.first and time_ns == channel.newest.ns:
            # A connection begins with the present value: perhaps the one that is stored.
            channel.first = False
        else:
            self.drop(channel, Drop.NOT_INCREASING)
        return False

    def drop(self, channel: Channel, why: Drop, count: int = 1) -> None:
        """Count samples that were not taken."""
        channel.drops[why] = channel.drops.get(why, 0) + count
        self._dropping[channel.spec.pv] = channel

    def arrived(self, now_ns: int) -> Iterator[Channel]:
        """Give those to ask again: their dropped present value is ahead no more, and the newest."""
        for channel in list(self._ahead.values()):
            if channel.ahead_ns <= now_ns + AHEAD_NS:
                del self._ahead[channel.spec.pv]
                if channel.newest.ns < channel.ahead_ns:
                    yield channel

    def _drop_ahead(self, channel: Channel, why: Drop, time_ns: int) -> None:
        channel.ahead_ns = time_ns
        self._ahead[channel.spec.pv] = channel
        self.drop(channel, why)

    def due(self, now_ns: int) -> Iterator[tuple[Channel, Mapping[str, int]]]:
        """Give what is to be told now: channels, and what was dropped since it was told last."""
        for channel in list(self._dropping.values()):
            told = channel.told_ns
            # A clock that was set back is no reason for silence.
            if told is not None and 0 <= now_ns - told < DROPS_TOLD_NS:
                continue
            yield from self._told(channel, now_ns)

    def rest(self, now_ns: int) -> Iterator[tuple[Channel, Mapping[str, int]]]:
        """Give all that is still to be told, at the end."""
        for channel in list(self._dropping.values()):
            yield from self._told(channel, now_ns)

    def _told(self, channel: Channel, now_ns: int) -> Iterator[tuple[Channel, Mapping[str, int]]]:
        new = {
            why.value: count - channel.told.get(why, 0)
            for why, count in channel.drops.items()
            if count > channel.told.get(why, 0)
        }
        channel.told, channel.told_ns = dict(channel.drops), now_ns
        del self._dropping[channel.spec.pv]
        if new:
            yield channel, dropped(new, channel.ahead_ns)


def _is_doubted(channel: Channel, time_ns: int, came_ns: int) -> bool:
    """Whether a sample is of a clock that is ahead, and has not been so for long."""
    if time_ns <= came_ns + AHEAD_NS:
        channel.ahead_events = 0
        return False
    if not channel.ahead_events or came_ns < channel.ahead_since_ns:
        channel.ahead_since_ns = came_ns
    channel.ahead_events += 1
    return channel.ahead_events <= STEADY_EVENTS or came_ns - channel.ahead_since_ns < STEADY_NS
