"""Since when metadata of Channel Access hold: by the stamps of the samples they came with."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest
from ca_fake import DOUBLE, LONG, MINUTE, NOW, SECOND, STRING, Maker, Server, begin, values

from linacre.archiver.channels.ca import CaSource
from linacre.archiver.model import DRIFT_NS, NoticeKind

YEAR = 365 * 24 * 60 * MINUTE


def describe(server: Server, units: str) -> None:
    server.properties("A", DOUBLE, struct.pack("=hhhh8s8d", 0, 0, 3, 0, units.encode(), *[0] * 8))


def told(source: CaSource) -> Sequence[tuple[str, int | None]]:
    found = [n for n in source.drain().notices if n.kind is NoticeKind.METADATA]
    return [(n.detail["units"], n.from_ns) for n in found]


@pytest.fixture
def source(make: Maker, server: Server) -> CaSource:
    source = make()
    begin(source, server, "A", DOUBLE)
    server.subscribed("A", DOUBLE, properties=True)
    return source


@pytest.mark.parametrize("ago", [15_000_000, 4 * SECOND, YEAR])
@pytest.mark.parametrize("value_first", [True, False])
def test_the_first_of_a_connection_hold_from_its_first_value(
    source: CaSource, server: Server, ago: int, value_first: bool
) -> None:
    if value_first:
        server.event("A", DOUBLE, NOW - ago, 1.0)
    describe(server, "mm")
    server.event("A", DOUBLE, NOW - (0 if value_first else ago), 2.0)
    assert told(source) == [("mm", NOW - ago)]


def test_after_a_restart_the_new_hold_from_the_new_value(source: CaSource, server: Server) -> None:
    server.event("A", DOUBLE, NOW - 10 * SECOND, 1.0)
    describe(server, "kV")
    server.disconnect("A")
    server.connect("A", DOUBLE)
    server.event("A", DOUBLE, NOW - 4 * SECOND, 1.0)
    describe(server, "A")
    assert told(source) == [("kV", NOW - 10 * SECOND), ("A", NOW - 4 * SECOND)]


def test_each_holds_for_the_values_that_came_with_it(source: CaSource, server: Server) -> None:
    units = ["kV", "A", "A", "mm", "kV"]
    for k, each in enumerate(units):
        server.event("A", DOUBLE, NOW + 10 * k, 1.0)
        server.event("A", DOUBLE, NOW + 10 * k + 5, 1.0)
        describe(server, each)
    found = told(source)
    assert found == [("kV", NOW), ("A", NOW + 16), ("mm", NOW + 36), ("kV", NOW + 46)]


def test_of_those_between_which_no_value_came_the_last_hold(
    source: CaSource, server: Server
) -> None:
    server.event("A", DOUBLE, NOW, 1.0)
    for units in ("kV", "V", "mV", "uV"):
        describe(server, units)
    assert told(source) == [("kV", NOW), ("uV", NOW + 1)]


def test_those_that_nobody_takes_use_little_memory(source: CaSource, server: Server) -> None:
    for k in range(1000):
        server.event("A", DOUBLE, NOW + 10 * k, 1.0)
        describe(server, f"u{k}")
    found = told(source)
    assert len(found) == 16
    assert found[0] == ("u0", NOW)
    assert found[-1] == ("u999", NOW + 9991), "the present words are those that came last"


def test_those_that_come_alone_hold_for_the_next_value_of_a_clock_that_is_behind(
    source: CaSource, server: Server
) -> None:
    server.event("A", DOUBLE, NOW - 5 * MINUTE, 1.0)
    describe(server, "kV")
    assert told(source) == [("kV", NOW - 5 * MINUTE)]
    describe(server, "A")
    assert told(source) == [("A", NOW - 5 * MINUTE + 1)], "not for the sample before"
    server.event("A", DOUBLE, NOW - 5 * MINUTE + SECOND, 1.0)
    describe(server, "mm")
    server.event("A", DOUBLE, NOW - 5 * MINUTE + 2 * SECOND, 1.0)
    describe(server, "mm")
    assert told(source) == [("mm", NOW - 5 * MINUTE + SECOND + 1)]


def test_those_that_come_alone_are_no_older_than_the_next_value_can_be(
    source: CaSource, server: Server
) -> None:
    server.event("A", DOUBLE, NOW - YEAR, 1.0)
    describe(server, "kV")
    assert told(source) == [("kV", NOW - YEAR)]
    describe(server, "A")
    [(units, from_ns)] = told(source)
    assert units == "A"
    assert from_ns is not None
    assert abs(from_ns - (NOW - DRIFT_NS)) < 10 * SECOND


def test_a_first_value_that_is_stored_already_keeps_its_words(
    source: CaSource, server: Server
) -> None:
    server.event("A", DOUBLE, NOW, 1.0)
    describe(server, "kV")
    assert told(source) == [("kV", NOW)]
    server.disconnect("A")
    server.connect("A", DOUBLE)
    server.event("A", DOUBLE, NOW, 1.0)
    describe(server, "A")
    assert told(source) == [("A", NOW + 1)]


def test_of_a_text_those_of_the_type_before_hold_no_more(source: CaSource, server: Server) -> None:
    server.event("A", DOUBLE, NOW, 1.0)
    describe(server, "kV")
    server.disconnect("A")
    server.connect("A", STRING)
    source.drain()
    server.subscribed("A", STRING)
    for k in (7, 8):
        server.event("A", STRING, NOW + k, "off")
    assert told(source) == [("", NOW + 7)]


def test_of_another_type_they_hold_from_its_first_value(source: CaSource, server: Server) -> None:
    server.event("A", DOUBLE, NOW, 1.0)
    describe(server, "kV")
    server.disconnect("A")
    server.connect("A", LONG)
    source.drain()
    server.subscribed("A", LONG, properties=True)
    server.event("A", LONG, NOW + 7, 1)
    server.properties("A", LONG, struct.pack("=hh8s8i", 0, 0, b"steps", *[0] * 8))
    drained = source.drain()
    assert [(n.detail["units"], n.from_ns) for n in drained.notices] == [("steps", NOW + 7)]
    assert values(drained) == [1]
