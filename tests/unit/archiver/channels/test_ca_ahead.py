"""Stamps ahead of the archiver's clock: one that is wrong keeps out none that is right."""

from __future__ import annotations

import pytest
from ca_fake import (
    LONG,
    MINUTE,
    NOW,
    SECOND,
    Clock,
    Maker,
    Server,
    begin,
    scalars,
    values,
    wait_for,
)

from linacre.archiver.channels.ca import CaSource
from linacre.archiver.model import STEADY_EVENTS, Drop, NoticeKind


@pytest.fixture
def source(make: Maker, server: Server) -> CaSource:
    source = make()
    begin(source, server, "A", LONG)
    return source


def test_one_wrong_stamp_costs_itself_alone(source: CaSource, server: Server, clock: Clock) -> None:
    server.event("A", LONG, NOW, 10)
    server.event("A", LONG, NOW + 20 * MINUTE, 11)
    server.event("A", LONG, NOW + 2 * SECOND, 12)
    server.event("A", LONG, NOW + 40 * MINUTE, 13)
    for k in range(14, 20):
        server.event("A", LONG, NOW + k * SECOND // 4, k)
    drained = source.drain()
    assert values(drained) == [10, 12, 14, 15, 16, 17, 18, 19]
    [notice] = [n for n in drained.notices if n.kind is NoticeKind.DROPPED]
    assert notice.detail == {"ahead": 1, "future": 1, "stamp_ns": NOW + 40 * MINUTE}
    assert source.drops() == {"A": {Drop.AHEAD: 1, Drop.FUTURE: 1}}


def test_wrong_stamps_of_a_boot_cost_themselves_alone(
    source: CaSource, server: Server, clock: Clock
) -> None:
    for k in range(50):
        clock.now = NOW + k * SECOND
        source.drain()
        server.event("A", LONG, clock.now + 20 * MINUTE, k)
    server.event("A", LONG, clock.now, 50)
    assert values(source.drain()) == [50]
    assert source.drops() == {"A": {Drop.AHEAD: 50}}


def test_a_clock_that_is_steadily_ahead_is_taken_as_it_is(
    source: CaSource, server: Server, clock: Clock
) -> None:
    stored: list[float] = []
    for k in range(100):
        clock.now = NOW + k * SECOND
        source.drain()
        server.event("A", LONG, clock.now + 5 * MINUTE, k)
        stored += values(source.drain())
    # To some milliseconds.
    assert stored[0] in (60, 61)
    assert stored == list(range(int(stored[0]), 100))
    # Set right: doubted anew when it is ahead again.
    for ahead in (5 * MINUTE + SECOND, 0, 6 * MINUTE):
        server.event("A", LONG, clock.now + ahead, ahead // SECOND)
    assert values(source.drain()) == [5 * 60 + 1]
    assert source.drops() == {"A": {Drop.AHEAD: stored[0] + 1, Drop.NOT_INCREASING: 1}}


def test_time_alone_and_number_alone_are_not_steady(
    source: CaSource, server: Server, clock: Clock
) -> None:
    for k in range(3 * STEADY_EVENTS):
        server.event("A", LONG, NOW + MINUTE + k, k)
    assert values(source.drain()) == []
    server.event("A", LONG, NOW, 1)
    clock.now = NOW + 10 * MINUTE
    source.drain()
    for k in range(STEADY_EVENTS):
        server.event("A", LONG, clock.now + MINUTE + k, k)
    assert values(source.drain()) == []


def test_a_present_value_is_asked_for_when_its_time_has_come(
    source: CaSource, server: Server, clock: Clock
) -> None:
    at = NOW + 5 * MINUTE
    server.event("A", LONG, at, 7)
    assert values(source.drain()) == []
    clock.now = at - 20 * SECOND
    source.drain()
    wait_for("the subscriptions", lambda: server.subscriptions("A") == 2)
    clock.now = at
    source.drain()
    wait_for("that it is asked for", lambda: server.subscriptions("A") == 4)
    server.event("A", LONG, at, 7)
    assert scalars(source.drain()) == [(1, at, 7)]


def test_a_present_value_that_is_stored_is_not_counted_when_it_comes_again(
    source: CaSource, server: Server, clock: Clock
) -> None:
    server.event("A", LONG, NOW + 15 * SECOND, 1)
    server.event("A", LONG, NOW, 2)
    assert values(source.drain()) == [2]
    clock.now = NOW + 6 * SECOND
    source.drain()
    wait_for("that it is asked for", lambda: server.subscriptions("A") == 4)
    server.event("A", LONG, NOW, 2)
    server.event("A", LONG, NOW, 3)
    assert values(source.drain()) == []
    assert source.drops() == {"A": {Drop.AHEAD: 1, Drop.NOT_INCREASING: 1}}
