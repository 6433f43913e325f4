from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ca_fake import (
    CAPTURE,
    CHANNELS,
    CHAR,
    DOUBLE,
    ENUM,
    FLOAT,
    HERE,
    LONG,
    SHORT,
    STRING,
    Ids,
    Server,
    compile_shared,
    wait_for,
)

from linacre.archiver.channels._capture import load
from linacre.archiver.channels.ca import NAME_BYTES, CaSource
from linacre.archiver.model import ChannelSpec, Drained, Drop, Kind, Method, NoticeKind
from linacre.base.errors import LinacreError

NOW = 1_800_000_000_000_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """capture.so and the fake libca."""
    folder = tmp_path_factory.mktemp("ca")
    return (
        compile_shared(CAPTURE, folder / "capture.so"),
        compile_shared([HERE / "fake_libca.c"], folder / "libca.so"),
    )


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(libraries: tuple[Path, Path]) -> Server:
    return Server(libraries[1])


Maker = Callable[..., CaSource]


@pytest.fixture
def make(libraries: tuple[Path, Path], server: Server, clock: Clock) -> Iterator[Maker]:
    made: list[CaSource] = []

    def make_one(**options: Any) -> CaSource:
        source = CaSource(Ids(), clock=clock, library=lambda: load(*libraries), **options)
        made.append(source)
        return source

    yield make_one
    for source in made:
        source.close()


def begin(
    source: CaSource, server: Server, pv: str, native: int, count: int = 1, **spec: Any
) -> None:
    source.add(ChannelSpec(pv=pv, **spec))
    server.connect(pv, native, count)
    source.drain()
    server.subscribed(pv, native)


def scalars(drained: Drained) -> list[tuple[int, int, float | int]]:
    """Return series, time and value of floats, or of whole numbers below 2**32."""
    return [
        (int(s), int(t), int(v) if abs(v) < 2**32 else float(v.view(np.float64)))
        for batch in drained.scalars
        for s, t, v in zip(batch.series, batch.time, batch.value, strict=True)
    ]


def values(drained: Drained) -> list[float | int]:
    return [value for _, _, value in scalars(drained)]


def blobs(drained: Drained) -> list[tuple[int, bytes]]:
    return [
        (int(batch.count[k]), bytes(batch.data[batch.offset[k] : batch.offset[k + 1]]))
        for batch in drained.blobs
        for k in range(len(batch))
    ]


@pytest.mark.parametrize(
    ("native", "value", "kind"),
    [
        (SHORT, -32768, Kind.INT32),
        (FLOAT, 0.1, Kind.FLOAT32),
        (ENUM, 65535, Kind.ENUM),
        (CHAR, 255, Kind.INT32),
        (LONG, -(2**31), Kind.INT32),
        (DOUBLE, -1.5e300, Kind.FLOAT64),
    ],
)
def test_a_number_comes_with_its_time_and_alarm(
    make: Maker, server: Server, native: int, value: float, kind: Kind
) -> None:
    source = make()
    source.add(ChannelSpec(pv="A"))
    server.connect("A", native)
    notice = source.drain().notices[0]
    assert (notice.kind, notice.time_ns // SECOND) == (NoticeKind.CONNECTED, NOW // SECOND)
    assert notice.series is not None
    assert notice.series.kind is kind
    assert notice.detail == {
        "host": "ioc:5064",
        "native": notice.series.native,
        "count": 1,
        "changed": False,
    }
    assert server.subscribed("A", native) == 1
    server.event("A", native, NOW + 7, value, severity=3, status=17)
    drained = source.drain()
    expected = float(np.float32(value)) if native == FLOAT else value
    assert scalars(drained) == [(notice.series.id, NOW + 7, expected)]
    [batch] = drained.scalars
    assert (batch.severity[0], batch.status[0], batch.tag[0]) == (3, 17, 0)
    assert not batch.value.flags.writeable
    assert source.drain() == Drained([], [], [])


@pytest.mark.parametrize(
    ("native", "items", "kind", "kept"),
    [
        (SHORT, (-1, 2, 3), Kind.INT16_ARRAY, np.array([-1, 2, 3], "<i2").tobytes()),
        (FLOAT, (1.5, -2), Kind.FLOAT32_ARRAY, np.array([1.5, -2], "<f4").tobytes()),
        (ENUM, (0, 65535), Kind.INT32_ARRAY, np.array([0, 65535], "<i4").tobytes()),
        (CHAR, (0, 255, 7), Kind.BYTES, b"\x00\xff\x07"),
        (LONG, (-5, 2**31 - 1), Kind.INT32_ARRAY, np.array([-5, 2**31 - 1], "<i4").tobytes()),
        (DOUBLE, (1e300, 0, -3), Kind.FLOAT64_ARRAY, np.array([1e300, 0, -3], "<f8").tobytes()),
        (DOUBLE, (), Kind.FLOAT64_ARRAY, b""),
        (STRING, ("ab", "", "c"), Kind.STRING_ARRAY, b"\2\0\0\0ab\0\0\0\0\1\0\0\0c"),
    ],
)
def test_an_array_comes_as_long_as_it_is(
    make: Maker, server: Server, native: int, items: tuple[Any, ...], kind: Kind, kept: bytes
) -> None:
    source = make()
    source.add(ChannelSpec(pv="A"))
    server.connect("A", native, 1000)
    series = source.drain().notices[0].series
    assert series is not None
    assert series.kind is kind
    assert server.subscribed("A", native) == 0
    server.event("A", native, NOW, *items)
    server.event("A", native, NOW + 1, *items, *items)
    first, second = blobs(source.drain())
    assert first == (len(items), kept)
    assert second == (2 * len(items), 2 * kept)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain", "plain"),
        (b"", ""),
        ("µm °C € 😀".encode(), "µm °C € 😀"),
        (b"20 \xb0C", "20 °C"),
        (b"\xff" * 40, "ÿ" * 40),
        (b"x" * 40, "x" * 40),
        (b"x" * 38 + "é".encode()[:1], "x" * 38),
        (b"\xed\xa0\x80", "í\xa0\x80"),
        (b"\xc0\x80", "À\x80"),
    ],
)
def test_text_is_utf8_or_else_latin1(make: Maker, server: Server, raw: bytes, text: str) -> None:
    source = make()
    begin(source, server, "A", STRING)
    server.event("A", STRING, NOW, raw)
    assert blobs(source.drain()) == [(len(text.encode()), text.encode())]


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
        (NOW + 29 * MINUTE, 3),
        (650_000_000 * SECOND, 0),
    ):
        server.event("A", LONG, at, value)
    drained = source.drain()
    counts = {Drop.BEFORE_1991: 1, Drop.PAST: 1, Drop.FUTURE: 1, Drop.NOT_INCREASING: 2}
    assert values(drained) == [1, 2, 3]
    assert [(n.kind, n.detail) for n in drained.notices] == [(NoticeKind.DROPPED, counts)]
    assert source.drops() == {"A": counts}
    told = source.counters("A")
    assert (told.events, told.stored, told.drops) == (8, 3, counts)
    assert told.last_ns == NOW + 29 * MINUTE
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


def test_a_connection_made_again_goes_on_with_the_series(make: Maker, server: Server) -> None:
    source = make()
    begin(source, server, "A", LONG)
    server.event("A", LONG, NOW, 1)
    server.disconnect("A")
    server.connect("A", LONG)
    server.event("A", LONG, NOW, 1)
    server.event("A", LONG, NOW + 1, 2)
    drained = source.drain()
    assert [(n.kind, n.series and n.series.id) for n in drained.notices] == [
        (NoticeKind.LOST, 1),
        (NoticeKind.CONNECTED, 1),
    ]
    assert values(drained) == [1, 2]
    assert source.counters("A").drops == {}


@pytest.mark.parametrize(("native", "count"), [(DOUBLE, 1), (LONG, 5), (STRING, 1)])
def test_a_type_that_changed_begins_a_series(
    make: Maker, server: Server, native: int, count: int
) -> None:
    source = make()
    begin(source, server, "A", LONG)
    server.event("A", LONG, NOW, 1)
    server.disconnect("A")
    server.connect("A", native, count)
    # libca renews the old subscription by itself.
    server.event("A", LONG, NOW + 1, 0)
    drained = source.drain()
    assert values(drained) == [1]
    told = drained.notices[-1]
    assert (told.kind, told.detail["changed"]) == (NoticeKind.CONNECTED, True)
    assert told.series is not None
    assert told.series.id == 2
    if count != 1:
        wait_for("new subscription", lambda: server.subscribed("A", native) == 0)
    server.subscribed("A", native)
    server.event("A", native, NOW + 2, *(["x"] if native == STRING else [7] * count))
    drained = source.drain()
    assert [int(s) for batch in (*drained.scalars, *drained.blobs) for s in batch.series] == [2]
    assert source.counters("A").stored == 2


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
    assert source.drops() == {"A": {Drop.BUFFER: 175}}
    server.event("A", LONG, NOW + 200, 200)
    assert values(source.drain()) == [200]


def test_no_room_at_all_drops_the_newest(make: Maker, server: Server) -> None:
    source = make(max_events=8)
    for pv in "ABCDEF":
        begin(source, server, pv, LONG)
    for k in range(2):
        for pv in "ABCDEF":
            server.event(pv, LONG, NOW + k, k)
    assert values(source.drain()) == [0] * 6 + [1] * 2
    assert source.totals().drops == {Drop.BUFFER: 4}
    server.event("F", LONG, NOW + 1, 1)
    assert values(source.drain()) == [1], "a sample that found no room was not there"


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
    assert [count for count, _ in blobs(source.drain())] == [3]
    assert source.drops() == {"A": {Drop.BUFFER: 1}, "B": {Drop.BUFFER: 2}}


def test_a_scan_keeps_the_newest(make: Maker, server: Server) -> None:
    source = make()
    begin(source, server, "A", LONG, method=Method.SCAN, period_s=0.1)
    for k in range(5):
        server.event("A", LONG, NOW + k, k)
    assert scalars(source.drain()) == [(1, NOW + 4, 4)], "the first is due at once"
    assert scalars(source.drain()) == []
    for k in range(5, 9):
        server.event("A", LONG, NOW + k, k)
    assert wait_for("a period", lambda: scalars(source.drain())) == [(1, NOW + 8, 8)]
    assert source.counters("A").drops == {}


def test_a_scan_of_text_and_arrays(make: Maker, server: Server) -> None:
    source = make()
    begin(source, server, "A", DOUBLE, 3, method=Method.SCAN)
    begin(source, server, "B", STRING, method=Method.SCAN)
    server.event("A", DOUBLE, NOW, 1)
    server.event("A", DOUBLE, NOW + 1, 1, 2, 3)
    server.event("B", STRING, NOW, "b")
    assert sorted(blobs(source.drain())) == [(1, b"b"), (3, struct.pack("=3d", 1, 2, 3))]


def test_a_method_changes_while_it_runs(make: Maker, server: Server) -> None:
    source = make()
    for pv in "ABC":
        begin(source, server, pv, LONG, method=Method.SCAN, period_s=3600)
    for pv in "ABC":
        server.event(pv, LONG, NOW, 0)
    assert len(scalars(source.drain())) == 3
    for pv in "ABC":
        server.event(pv, LONG, NOW + 1, 1)
    source.add(ChannelSpec(pv="B"))
    server.event("B", LONG, NOW + 2, 2)
    server.event("B", LONG, NOW + 3, 3)
    assert scalars(source.drain()) == [(2, NOW + 1, 1), (2, NOW + 2, 2), (2, NOW + 3, 3)]
    source.remove("A")
    assert scalars(source.drain()) == [(1, NOW + 1, 1)], "what it held comes still"
    source.add(ChannelSpec(pv="C", method=Method.SCAN, period_s=0.1))
    assert scalars(source.drain()) == [(3, NOW + 1, 1)]
    assert source.drain().notices == []


def test_removed_and_added_again(make: Maker, server: Server) -> None:
    source = make()
    begin(source, server, "A", LONG)
    server.event("A", LONG, NOW, 1)
    source.remove("A")
    source.remove("A")
    wait_for("the end of A", lambda: not server.is_searched("A"))
    source.add(ChannelSpec(pv="A"))
    server.connect("A", LONG)
    assert values(source.drain()) == [1]
    server.subscribed("A", LONG)
    server.event("A", LONG, NOW, 1)  # the value of before, not drained when it was added
    server.event("A", LONG, NOW + 1, 2)
    assert scalars(source.drain()) == [(1, NOW + 1, 2)]
    source.remove("A")
    source.drain()
    begin(source, server, "A", LONG)
    server.event("A", LONG, NOW + 1, 2)
    assert scalars(source.drain()) == [(1, NOW + 1, 2)], "whoever adds says what is stored"


def test_names_that_cannot_be_are_refused(make: Maker, server: Server) -> None:
    source = make()
    bad = ["", "A\n", "A\0B", "\x7f", "\ud800", "x" * (NAME_BYTES + 1)]
    for pv in (*bad, "B", "x" * NAME_BYTES):
        source.add(ChannelSpec(pv=pv))
    source.remove("")
    assert [(n.kind, n.pv, n.detail["why"][:9]) for n in source.drain().notices] == [
        (NoticeKind.REFUSED, pv, "the name ") for pv in bad
    ]
    with pytest.raises(KeyError):
        source.counters("")
    assert server.channel("B")
    assert server.channel("x" * NAME_BYTES)


def test_access_that_is_not_given_is_told(make: Maker, server: Server) -> None:
    source = make()
    source.add(ChannelSpec(pv="A"))
    server.connect("A", LONG, readable=False)
    assert [n.kind for n in source.drain().notices] == [NoticeKind.CONNECTED, NoticeKind.REFUSED]
    server.subscribed("A", LONG)
    server.raw("A", LONG + 14, 1, None, status=368)
    server.access("A", readable=True)
    server.event("A", LONG, NOW - 60 * MINUTE, 1)
    drained = source.drain()
    assert [n.kind for n in drained.notices] == [NoticeKind.CONNECTED]
    assert values(drained) == [1]
    server.access("A", readable=True)
    assert source.drain().notices == []


def test_a_server_that_gives_an_error_is_told_once(make: Maker, server: Server) -> None:
    source = make()
    begin(source, server, "A", LONG)
    for _ in range(3):
        server.raw("A", LONG + 14, 1, None, status=152)
    server.raw("A", LONG + 14, 1, None, status=192)
    assert [(n.kind, n.detail) for n in source.drain().notices] == [
        (NoticeKind.REFUSED, {"why": "it failed"})
    ]


def test_a_type_that_nobody_knows_is_refused(make: Maker, server: Server) -> None:
    source = make()
    source.add(ChannelSpec(pv="A"))
    server.connect("A", 7)
    [notice] = source.drain().notices
    assert (notice.kind, notice.series) == (NoticeKind.REFUSED, None)
    assert "7" in notice.detail["why"]


def test_metadata_are_told_when_they_change(make: Maker, server: Server) -> None:
    source = make()
    begin(source, server, "A", DOUBLE)
    server.subscribed("A", DOUBLE, properties=True)
    raw = struct.pack("=hhhh8s8d", 0, 0, 3, 0, b"mm", 10, -10, 9, 8, -8, -9, 5, -5)
    for _ in range(2):
        server.properties("A", DOUBLE, raw)
    [notice] = source.drain().notices
    assert notice.kind is NoticeKind.METADATA
    assert (notice.detail["units"], notice.detail["alarm"]) == ("mm", (-9, 9))
    server.properties("A", DOUBLE, raw)
    assert source.drain().notices == []
    server.properties("A", DOUBLE, raw.replace(b"mm", b"um"))
    assert [n.detail["units"] for n in source.drain().notices] == ["um"]


def test_metadata_of_a_type_before_are_not_taken_for_the_new(make: Maker, server: Server) -> None:
    source = make()
    begin(source, server, "A", DOUBLE)
    server.subscribed("A", DOUBLE, properties=True)
    server.properties("A", DOUBLE, struct.pack("=hhhh8s8d", 0, 0, 3, 0, b"mm", *[0] * 8))
    server.disconnect("A")
    server.connect("A", ENUM)
    kinds = [n.kind for n in source.drain().notices]
    assert kinds == [NoticeKind.METADATA, NoticeKind.LOST, NoticeKind.CONNECTED]
    server.subscribed("A", ENUM, properties=True)
    server.properties("A", ENUM, struct.pack("=hhh26s26s", 0, 0, 2, b"off", b"on"))
    [notice] = source.drain().notices
    assert notice.detail["labels"] == ("off", "on")


def test_batches_outlive_the_source(make: Maker, server: Server) -> None:
    source = make()
    begin(source, server, "A", LONG)
    server.event("A", LONG, NOW, 5)
    drained = source.drain()
    source.close()
    source.close()
    assert values(drained) == [5]
    assert source.drain() == Drained([], [], [])
    source.remove("A")
    with pytest.raises(LinacreError, match="closed"):
        source.add(ChannelSpec(pv="A"))


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


def test_without_the_library_it_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(LinacreError, match=r"capture.so is missing: install g\+\+"):
        CaSource(Ids(), library=lambda: load(tmp_path / "capture.so"))


def test_a_libca_that_lacks_something_is_named(libraries: tuple[Path, Path]) -> None:
    with pytest.raises(LinacreError, match="libca cannot be used: ca_"):
        load(libraries[0], libraries[0])
    # The table of functions belongs to the whole process.
    load(*libraries)


def test_the_declarations_are_those_of_epics(tmp_path: Path) -> None:
    compiler = shutil.which("gcc")
    package = find_spec("epicscorelibs")
    if compiler is None or package is None or not package.submodule_search_locations:
        pytest.skip("needs gcc and epicscorelibs")
    headers = Path(package.submodule_search_locations[0]) / "include"
    command = [compiler, "-fsyntax-only", f"-I{CHANNELS}", f"-I{headers}"]
    places = [f"-I{path}" for path in (*headers.glob("os/Linux"), *headers.glob("compiler/gcc"))]
    done = subprocess.run(
        [*command, *places, str(HERE / "header_check.c")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
