"""What is dropped and counted: times that cannot be, floods, and what is stored already."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

from ca_fake import (
    CHAR,
    LONG,
    MINUTE,
    NOW,
    SECOND,
    Clock,
    Maker,
    Server,
    begin,
    blobs,
    scalars,
    values,
)

from linacre.archiver.model import ChannelSpec, Drop, Method, NoticeKind


def test_bad_times_are_dropped_and_counted(make: Maker, server: Server, clock: Clock) -> None:
    source = make()
    begin(source, server, "A", LONG)
    for at, value in (
        (NOW - 365 * 24 * 60 * MINUTE, 1),  # the first may be old
        (NOW - 31 * MINUTE, 0),
        (NOW - 29 * MINUTE, 2),
        (NOW - 29 * MINUTE, 0),
        (NOW - 29 * MINUTE - 1, 0),
        (NOW + 31 * MINUTE, 0),
        (NOW + 9 * SECOND, 3),
        (650_000_000 * SECOND, 0),
    ):
        server.event("A", LONG, at, value)
    drained = source.drain()
    counts = {Drop.BEFORE_1991: 1, Drop.PAST: 1, Drop.FUTURE: 1, Drop.NOT_INCREASING: 2}
    assert values(drained) == [1, 2, 3]
    told_once = {**counts, "stamp_ns": NOW + 31 * MINUTE}
    assert [(n.kind, n.detail) for n in drained.notices] == [(NoticeKind.DROPPED, told_once)]
    assert source.drops() == {"A": counts}
    told = source.counters("A")
    assert (told.events, told.stored, told.drops) == (8, 3, counts)
    assert told.last_ns == NOW + 9 * SECOND
    assert replace(source.totals(), last_ns=told.last_ns) == told


def test_drops_are_told_seldom_and_none_is_forgotten(
    make: Maker, server: Server, clock: Clock
) -> None:
    source = make()
    begin(source, server, "A", LONG)
    server.event("A", LONG, NOW, 1)
    server.event("A", LONG, NOW, 1)
    assert [n.detail for n in source.drain().notices] == [{"not_increasing": 1}]
    for _ in range(3):
        clock.now += 3 * SECOND
        server.event("A", LONG, NOW, 1)
        assert source.drain().notices == []
    clock.now += 2 * SECOND
    assert [n.detail for n in source.drain().notices] == [{"not_increasing": 3}]
    server.event("A", LONG, NOW, 1)
    source.drain()
    source.remove("A")
    assert [n.detail for n in source.drain().notices] == [{"not_increasing": 1}]
    assert source.drops() == {}


def test_what_is_dropped_before_the_end_is_told_with_it(make: Maker, server: Server) -> None:
    source = make()
    begin(source, server, "A", LONG)
    for _ in range(4):
        server.event("A", LONG, NOW, 1)
    assert [n.detail for n in source.drain().notices] == [{"not_increasing": 3}]
    server.event("A", LONG, NOW, 1)
    assert source.drain().notices == []
    server.event("A", LONG, NOW - 1, 1)
    assert [n.detail for n in source.close()] == [{"not_increasing": 2}]
    assert source.close() == []


def test_a_stepped_clock_moves_what_is_past_and_future(
    make: Maker, server: Server, clock: Clock
) -> None:
    source = make()
    begin(source, server, "A", LONG)
    server.event("A", LONG, NOW, 1)
    clock.now = NOW + 120 * MINUTE
    source.drain()
    server.event("A", LONG, NOW + 10 * MINUTE, 0)
    server.event("A", LONG, NOW + 120 * MINUTE, 2)
    assert values(source.drain()) == [2]
    assert source.counters("A").drops == {Drop.PAST: 1}


def test_what_is_stored_already_is_not_taken_again(make: Maker, server: Server) -> None:
    source = make()
    begin(source, server, "A", LONG, after_ns=NOW - MINUTE)
    server.event("A", LONG, NOW - MINUTE, 0)
    assert source.counters("A").drops == {}, "the present value, as it is stored"
    server.event("A", LONG, NOW - MINUTE - 1, 0)
    server.event("A", LONG, NOW - MINUTE + 1, 1)
    assert values(source.drain()) == [1]
    assert source.counters("A").drops == {Drop.NOT_INCREASING: 1}


def test_a_flood_leaves_room_for_others(make: Maker, server: Server) -> None:
    source = make(max_events=100)
    for pv in ("A", "B"):
        begin(source, server, pv, LONG)
    for k in range(200):
        server.event("A", LONG, NOW + k, k)
    for k in range(20):
        server.event("B", LONG, NOW + k, k)
    drained = source.drain()
    assert [v for s, _, v in scalars(drained) if s == 1] == list(range(25))
    assert [v for s, _, v in scalars(drained) if s == 2] == list(range(20))
    assert source.drops() == {"A": {Drop.BUFFER: 174}}
    server.event("A", LONG, NOW + 200, 200)
    assert values(source.drain()) == [199, 200], "the last of a flood is kept"


def test_what_finds_no_room_comes_with_the_next_drain(make: Maker, server: Server) -> None:
    source = make(max_events=8)
    for pv in "ABCDEF":
        begin(source, server, pv, LONG)
    for k in range(2):
        for pv in "ABCDEF":
            server.event(pv, LONG, NOW + k, k)
    drained = source.drain()
    assert values(drained) == [0] * 6 + [1] * 2
    assert drained.more, "it is to be called again soon"
    assert source.totals().drops == {}
    server.event("F", LONG, NOW + 1, 1)
    drained = source.drain()
    assert values(drained) == [1] * 4, "a sample that is kept is not taken again"
    assert not drained.more
    assert source.drops() == {"F": {Drop.NOT_INCREASING: 1}}


def test_one_array_may_be_as_large_as_the_buffer(make: Maker, server: Server) -> None:
    source = make(max_blob_bytes=1000)
    begin(source, server, "A", CHAR, 1000)
    begin(source, server, "B", CHAR, 1000)
    server.event("A", CHAR, NOW, *bytes(900))
    server.event("A", CHAR, NOW + 1, *bytes(10))
    server.event("B", CHAR, NOW, *bytes(100))
    server.event("B", CHAR, NOW + 1, 1)
    assert [count for count, _ in blobs(source.drain())] == [900, 100]
    server.event("B", CHAR, NOW + 2, *bytes(1001))
    server.event("B", CHAR, NOW + 3, *bytes(3))
    assert sorted(count for count, _ in blobs(source.drain())) == [1, 3, 10]
    assert source.drops() == {"B": {Drop.BUFFER: 1}}


def test_arrays_without_room_are_kept_in_a_quarter_of_it(make: Maker, server: Server) -> None:
    source = make(max_blob_bytes=1000)
    for pv in "ABC":
        begin(source, server, pv, CHAR, 1000)
    server.event("A", CHAR, NOW, *bytes(900))
    for pv in "ABC":
        server.event(pv, CHAR, NOW + 1, *bytes(120))
    assert [count for count, _ in blobs(source.drain())] == [900]
    assert [count for count, _ in blobs(source.drain())] == [120, 120]
    assert source.drops() == {"C": {Drop.BUFFER: 1}}


def test_the_last_of_a_flood_is_kept_through_a_change_of_method(
    make: Maker, server: Server
) -> None:
    source = make(max_events=8)
    begin(source, server, "A", LONG)
    for k in range(5):
        server.event("A", LONG, NOW + k, k)
    source.add(ChannelSpec(pv="A", method=Method.SCAN, period_s=3600))
    source.add(ChannelSpec(pv="A"))
    assert values(source.drain()) == [0, 1]
    assert values(source.drain()) == [4]
    assert source.drops() == {"A": {Drop.BUFFER: 2}}


def test_what_is_removed_in_a_flood_is_counted(make: Maker, server: Server) -> None:
    source = make(max_events=8)
    begin(source, server, "A", LONG)
    for k in range(5):
        server.event("A", LONG, NOW + k, k)
    source.remove("A")
    assert values(source.drain()) == [0, 1]
    assert source.totals().drops == {Drop.BUFFER: 3}


def test_memory_that_a_flood_took_is_given_back(make: Maker, server: Server) -> None:
    source = make(max_blob_bytes=64 << 20)
    begin(source, server, "A", CHAR, 1 << 24)
    data = struct.pack("=hhII3x", 0, 0, NOW // SECOND - 631_152_000, 0) + bytes(1 << 24)
    before = resident()
    server.raw("A", CHAR + 14, 1 << 24, data)
    assert len(source.drain().blobs[0]) == 1
    assert resident() > before + (12 << 20)
    for _ in range(300):
        source.drain()
    assert resident() < before + (4 << 20)


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096
