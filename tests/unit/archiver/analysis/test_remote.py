"""The reader over HTTP against the archiver's own app."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from client_fakes import FakeReader, samples_of

from linacre.archiver import Archive
from linacre.archiver.analysis.remote import RemoteReader
from linacre.archiver.errors import UnknownPvError, UnreachableError
from linacre.archiver.model import ChannelSpec, Kind, Metadata, NoticeKind
from linacre.archiver.reading.damage import damage_of
from linacre.archiver.service import ChannelState, ChannelStatus, Event
from linacre.base.errors import LinacreError, UserError

app = pytest.importorskip("linacre.archiver.http.app", reason="the HTTP interface is not there")

from linacre.archiver.http.serve import listen, serve  # noqa: E402
from linacre.archiver.http.settings import HttpSettings, hash_token  # noqa: E402

T0 = 1_764_000_000_000_000_000
N = 20_000


class Follower:
    def __init__(self, tables: Mapping[str, pa.Table]) -> None:
        self.tables = tables

    def take(self, timeout_s: float) -> Mapping[str, pa.Table]:
        taken, self.tables = self.tables, {}
        return taken

    def close(self) -> None:
        pass


class Control:
    """Only what the live samples ask."""

    def __init__(self, reader: FakeReader) -> None:
        self.reader = reader

    def status(self, pattern: str = "*") -> list[ChannelStatus]:
        state = ChannelState.CONNECTED
        return [
            ChannelStatus(spec=ChannelSpec(pv=pv), state=state, since_ns=0, added_ns=0)
            for pv in self.reader.pvs(pattern)
        ]

    def follow(self, pvs: Sequence[str]) -> Follower:
        return Follower({pv: self.reader.tables[pv].slice(0, 2) for pv in pvs})


@dataclass
class Served:
    url: str
    reader: FakeReader
    stop: Callable[[], None]


def the_reader() -> FakeReader:
    return FakeReader(
        {
            "A:READI": samples_of(Kind.FLOAT64, T0 + np.arange(N) * 1000, np.arange(N) * 0.5),
            "NAN": samples_of(Kind.FLOAT64, [T0, T0 + 1], [float("nan"), float("inf")]),
            "WAVE": samples_of(Kind.FLOAT64_ARRAY, [T0, T0 + 1], [[1.0, float("nan")], []]),
            "CHARS": samples_of(Kind.BYTES, [T0], [b"\x00\xff"]),
            "STATE": samples_of(Kind.ENUM, [T0], [1]),
            "TEXT é?#%2F&": samples_of(Kind.STRING, [T0], ["ü"]),
            "TABLE": samples_of(Kind.STRUCT, [T0], ['{"x": [1, 2]}']),
            "EMPTY": samples_of(Kind.INT64, [], []),
        },
        known={"A:READI": Metadata(units="A", precision=3, alarm=(float("-inf"), 10.0))},
        happened=[
            Event("A:READI", T0 + 5, NoticeKind.LOST, {}),
            Event("", T0 + 6, "odd", {"n": 1}),
        ],
        batch_rows=4096,
    )


@pytest.fixture
def serving() -> Iterator[Callable[..., Served]]:
    stops: list[Callable[[], None]] = []

    def begin(reader: FakeReader, **settings: Any) -> Served:
        taking = listen("127.0.0.1", 0)
        port = taking.getsockname()[1]
        loop = asyncio.new_event_loop()
        stop = asyncio.Event()
        made = app.make_app(reader, Control(reader), HttpSettings(**settings))

        def run() -> None:
            loop.run_until_complete(serve(made, [taking], stop=stop, grace_s=1))
            loop.close()

        thread = threading.Thread(target=run)
        thread.start()

        def end() -> None:
            if thread.is_alive():
                loop.call_soon_threadsafe(stop.set)
                thread.join(20)

        stops.append(end)
        return Served(f"http://127.0.0.1:{port}", reader, end)

    yield begin
    for stop in stops:
        stop()


@pytest.fixture
def served(serving: Callable[..., Served]) -> Served:
    return serving(the_reader())


def test_all_that_a_reader_gives_comes_through(served: Served) -> None:
    remote, local = RemoteReader(served.url), served.reader
    try:
        assert remote.pvs() == local.pvs()
        assert remote.pvs("A*") == ["A:READI"]
        for pv in local.pvs():
            there, here = (
                remote.samples(pv, T0 + 1, T0 + 10**6),
                local.samples(pv, T0 + 1, T0 + 10**6),
            )
            assert there.schema.equals(here.schema, check_metadata=True)
            assert str(there.to_pylist()) == str(here.to_pylist())
            batches = list(remote.stream(pv, T0, T0 + 10**12))
            assert sum(batch.num_rows for batch in batches) == local.tables[pv].num_rows
            assert batches[0].schema.field("value").type == here.schema.field("value").type
        assert remote.after("A:READI", T0 + 1000, 3).to_pylist() == (
            local.after("A:READI", T0 + 1000, 3).to_pylist()
        )
        assert remote.after("A:READI", 0, 1)["time"].to_pylist() == [T0]
        assert remote.bins("A:READI", T0, T0 + 100, 7).to_pylist() == (
            local.bins("A:READI", T0, T0 + 100, 7).to_pylist()
        )
        assert remote.metadata("A:READI").units == "A"
        assert remote.metadata("STATE", T0) == Metadata()
        assert remote.events(None, T0, T0 + 10) == local.events(None, T0, T0 + 10)
        assert remote.events("A:READI", T0, T0 + 5) == local.events("A:READI", T0, T0 + 5)
    finally:
        remote.close()


def test_what_lacks_is_told_through_http(serving: Callable[..., Served]) -> None:
    reader = the_reader()
    reader.damaged = {"A:READI": 2, "EMPTY": 1}
    remote = RemoteReader(serving(reader).url)
    try:
        for pv, count in (("A:READI", 2), ("EMPTY", 1), ("WAVE", 0)):
            assert damage_of(remote.samples(pv, T0, T0 + 10**12).schema) == count
            *pieces, last = remote.stream(pv, T0, T0 + 10**12)
            assert damage_of(last.schema) == count
            assert {damage_of(piece.schema) for piece in pieces} <= {0}
        assert damage_of(remote.bins("A:READI", T0, T0 + 100, 7).schema) == 2
        assert damage_of(remote.after("A:READI", T0, 7).schema) == 2
    finally:
        remote.close()


def test_a_table_is_the_same_through_http(served: Served) -> None:
    pvs = ["A:READI", "STATE", "WAVE", "TEXT é?#%2F&"]
    with Archive(served.url) as there:
        found = there.table(pvs, T0, T0 + 10**6, period="7us", align="nearest")
    assert str(found.to_pydict()) == str(
        Archive(served.reader).table(pvs, T0, T0 + 10**6, period="7us", align="nearest").to_pydict()
    )


def test_a_stream_that_is_left_does_not_disturb_what_is_asked_next(served: Served) -> None:
    with Archive(served.url) as archive:
        for _ in range(20):
            stream = archive.stream("A:READI", T0, T0 + 10**12)
            next(stream)
            stream.close()
            assert len(archive.samples("A:READI", T0, T0 + 5000)) == 6


def test_live_samples_come_with_their_types(served: Served) -> None:
    with Archive(served.url) as archive:
        live = archive.live(["NAN", "WAVE", "CHARS", "TABLE", "STATE"])
        found = {samples.pv: samples for _, samples in zip(range(5), live, strict=False)}
        live.close()
    assert np.isnan(found["NAN"].value).tolist() == [True, True]
    assert str(found["WAVE"].arrow["value"].to_pylist()) == "[[1.0, nan], []]"
    assert found["CHARS"].value.tolist() == [b"\x00\xff"]
    assert found["TABLE"].value.tolist() == ['{"x": [1, 2]}']
    assert found["STATE"].kind == "enum"
    assert found["STATE"].arrow.schema.field("value").type == pa.int32()


def test_unknown_pvs_are_told_with_those_that_are_like_them(served: Served) -> None:
    with Archive(served.url) as archive:
        for ask in (archive.samples, archive.metadata, archive.bins):
            with pytest.raises(UnknownPvError, match="no PV A:READL; did you mean A:READI"):
                ask("A:READL")
        with pytest.raises(UnknownPvError):
            archive.live("A:READL")


def test_an_archiver_that_is_not_there_is_told_in_a_line() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(UnreachableError, match=f"no archiver answers at {url}: Connection refused"):
        Archive(url).samples("X")
    with pytest.raises(UnreachableError, match="no archiver is live"):
        Archive(url).live(["X"])
    with pytest.raises(UserError, match="write http://HOST:17665"):
        Archive("http://:nonsense")


def test_an_answer_that_breaks_off_is_no_answer(serving: Callable[..., Served]) -> None:
    class Failing(FakeReader):
        def stream(self, pv: str, start_ns: int, end_ns: int) -> Any:
            yield from list(super().stream(pv, start_ns, end_ns))[:2]
            raise OSError("the disk is gone")

    served = serving(Failing(the_reader().tables, batch_rows=4096))
    with Archive(served.url) as archive, pytest.raises(UnreachableError, match="broke off"):
        archive.samples("A:READI", T0, T0 + 10**12)


def test_an_archiver_that_was_restarted_is_asked_again(serving: Callable[..., Served]) -> None:
    served = serving(the_reader())
    with Archive(served.url) as archive:
        archive.pvs()
        served.stop()
        with pytest.raises(LinacreError):
            archive.pvs()


def test_a_token_is_sent_where_one_is_needed(serving: Callable[..., Served]) -> None:
    token = "a-token-of-enough-letters"
    served = serving(the_reader(), tokens=frozenset({hash_token(token)}), protect_reading=True)
    with Archive(served.url) as archive, pytest.raises(UserError, match="needs a token"):
        archive.pvs()
    with Archive(served.url, token=token) as archive:
        assert "A:READI" in archive.pvs()
        live = archive.live("STATE")
        assert next(live).pv == "STATE"
        live.close()
