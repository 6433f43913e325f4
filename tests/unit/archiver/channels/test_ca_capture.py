"""Channels of Channel Access as they come, go and change, against a libca of the tests' own."""

from __future__ import annotations

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from ca_fake import (
    CHANNELS,
    DOUBLE,
    HERE,
    LONG,
    MINUTE,
    NOW,
    STRING,
    Ids,
    Maker,
    Server,
    begin,
    scalars,
    values,
    wait_for,
)

from linacre.archiver.channels import ca
from linacre.archiver.channels._capture import load
from linacre.archiver.channels._names import NAME_BYTES
from linacre.archiver.channels.ca import CaSource
from linacre.archiver.model import ChannelSpec, Method, NoticeKind
from linacre.base.errors import LinacreError


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


def test_many_that_connect_at_once_are_told_bit_by_bit(
    make: Maker, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make()
    begin(source, server, "FAST", LONG)
    monkeypatch.setattr(ca, "DRAIN_S", 0.0)
    names = [f"X{k}" for k in range(5)]
    for name in names:
        source.add(ChannelSpec(pv=name))
    for name in names:
        server.connect(name, LONG)
    source.remove("X3")
    told: list[str] = []
    for n in range(5):
        # The samples of others do not wait for them.
        server.event("FAST", LONG, NOW + n, n)
        drained = source.drain()
        assert values(drained) == [n]
        assert drained.more is (n < 4)
        told += [n.pv for n in drained.notices if n.kind is NoticeKind.CONNECTED]
    assert told == ["X0", "X1", "X2", "X4"]
    assert source.drain().notices == []


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
    wait_for("the end of A", lambda: not server.is_searched("A"))
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
