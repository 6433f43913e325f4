"""Which samples of pvAccess are taken by their time; pvAccess itself is not needed."""

from __future__ import annotations

import pytest

from linacre.archiver.channels._pva_gate import Gate
from linacre.archiver.channels._pva_inbox import Channel, Newest
from linacre.archiver.model import NANOSECONDS, ChannelSpec, Drop

NOW = 1_800_000_000 * NANOSECONDS
SECOND = NANOSECONDS
MINUTE = 60 * SECOND


@pytest.fixture
def channel() -> Channel:
    return Channel(ChannelSpec(pv="A"), Newest(0))


def take(gate: Gate, channel: Channel, time_ns: int, came_ns: int = NOW) -> bool:
    accepted = gate.accepts(channel, time_ns, came_ns)
    if accepted:
        channel.newest.ns, channel.first = time_ns, False
    return accepted


def test_one_wrong_stamp_costs_itself_alone(channel: Channel) -> None:
    gate = Gate()
    stamps = [NOW, NOW + 20 * MINUTE, NOW + 2, NOW + 40 * MINUTE, NOW + 3, NOW + 9 * SECOND]
    assert [take(gate, channel, at) for at in stamps] == [True, False, True, False, True, True]
    assert channel.drops == {Drop.AHEAD: 1, Drop.FUTURE: 1}
    [(told, detail)] = gate.due(NOW)
    assert told is channel
    assert detail == {"ahead": 1, "future": 1, "stamp_ns": NOW + 40 * MINUTE}


def test_what_is_dropped_before_the_end_is_told_with_it(channel: Channel) -> None:
    gate = Gate()
    assert take(gate, channel, NOW)
    assert not take(gate, channel, NOW)
    assert [detail for _, detail in gate.due(NOW)] == [{"not_increasing": 1}]
    assert not take(gate, channel, NOW)
    assert list(gate.due(NOW + SECOND)) == []
    assert [detail for _, detail in gate.rest(NOW + SECOND)] == [{"not_increasing": 1}]
    assert list(gate.rest(NOW + SECOND)) == []


def test_a_clock_that_is_steadily_ahead_is_taken_as_it_is(channel: Channel) -> None:
    gate = Gate()
    came = [NOW + k * SECOND for k in range(100)]
    taken = [take(gate, channel, at + 5 * MINUTE, at) for at in came]
    assert taken == [False] * 60 + [True] * 40
    assert not take(gate, channel, came[-1], came[-1]), "until the newest one is past"
    assert channel.drops == {Drop.AHEAD: 60, Drop.NOT_INCREASING: 1}


def test_a_present_value_is_asked_for_when_its_time_has_come(channel: Channel) -> None:
    gate = Gate()
    at = NOW + 5 * MINUTE
    take(gate, channel, at)
    assert list(gate.arrived(at - 11 * SECOND)) == []
    assert list(gate.arrived(at - 9 * SECOND)) == [channel]
    assert list(gate.arrived(at)) == [], "once"
    take(gate, channel, NOW + 10 * MINUTE)
    take(gate, channel, NOW + 10 * MINUTE, NOW + 10 * MINUTE)
    assert list(gate.arrived(NOW + 10 * MINUTE)) == [], "it was stored meanwhile"
