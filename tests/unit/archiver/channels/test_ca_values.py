"""Samples and metadata of each DBR type, as libca's callbacks give them."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from ca_fake import (
    CHAR,
    DOUBLE,
    ENUM,
    FLOAT,
    LONG,
    NOW,
    SECOND,
    SHORT,
    STRING,
    Maker,
    Server,
    begin,
    blobs,
    scalars,
    values,
    wait_for,
)

from linacre.archiver.model import ChannelSpec, Drained, Kind, Method, NoticeKind
from linacre.base.errors import LinacreError


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


def test_metadata_are_told_when_they_change(make: Maker, server: Server) -> None:
    source = make()
    begin(source, server, "A", DOUBLE)
    server.subscribed("A", DOUBLE, properties=True)
    server.event("A", DOUBLE, NOW, 1.0)
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
    server.event("A", DOUBLE, NOW, 1.0)
    server.properties("A", DOUBLE, struct.pack("=hhhh8s8d", 0, 0, 3, 0, b"mm", *[0] * 8))
    server.disconnect("A")
    server.connect("A", ENUM)
    kinds = [n.kind for n in source.drain().notices]
    assert kinds == [NoticeKind.METADATA, NoticeKind.LOST, NoticeKind.CONNECTED]
    server.subscribed("A", ENUM, properties=True)
    server.properties("A", ENUM, struct.pack("=hhh26s26s", 0, 0, 2, b"off", b"on"))
    server.event("A", ENUM, NOW + 1, 1)
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
