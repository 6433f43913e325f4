"""The archiver at work, turn by turn, with sources and a clock that the test moves."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from archiver_bench import SPECS, Bench
from archiver_fakes import SECOND

from linacre.archiver import Archive
from linacre.archiver.errors import ReadOnlyError
from linacre.archiver.model import (
    ChannelSpec,
    Drop,
    Kind,
    Method,
    Notice,
    NoticeKind,
    Provider,
)
from linacre.archiver.reading.folder import open_reader
from linacre.archiver.service import ChannelState, NoSuchPvError
from linacre.base.errors import UserError


def test_samples_come_and_stay(bench: Bench) -> None:
    control = bench.open().control
    assert bench.state("A") is ChannelState.SEARCHING
    series = bench.source.connect("A")
    bench.source.put(series, [bench.now, bench.now + 1], [1.5, 2.5])
    bench.turn()
    assert bench.values("A") == [1.5, 2.5]
    assert bench.values("B") == []
    (status,) = control.status("A")
    assert status.state is ChannelState.CONNECTED
    assert (status.samples, status.last_ns) == (2, bench.now - SECOND // 10 + 1)
    assert (status.kind, status.native, status.host) == (
        *(Kind.FLOAT64, "DBR_DOUBLE"),
        "127.0.0.1:5064",
    )
    info = control.info()
    assert (info.name, info.pvs, info.connected, info.samples) == ("study", 2, 1, 2)
    bench.close()
    bench.open()
    assert bench.values("A") == [1.5, 2.5]
    assert bench.source.specs["A"].after_ns == status.last_ns
    assert bench.source.specs["B"].after_ns == 0


def test_none_waits_for_long_to_be_safe(bench: Bench) -> None:
    bench.open()
    series = bench.source.connect("A")
    written: dict[Path, list[tuple[int, float]]] = {}
    for n in range(40):
        bench.source.put(series, [bench.now + n], [float(n)])
        bench.turn()
        for deed in bench.files.deeds:
            if deed.what == "append":
                written.setdefault(deed.path, []).append((deed.size, bench.clock.running))
        bench.files.deeds.clear()
        for path, marks in written.items():
            unsafe = [at for size, at in marks if size > bench.files.synced.get(path, 0)]
            assert all(bench.clock.running - at < 0.5 for at in unsafe)
    assert written


def test_what_takes_long_to_add_keeps_no_sample_from_the_disk(bench: Bench) -> None:
    control = bench.open().control
    series = bench.source.connect("A")
    bench.source.delay_s = 0.03
    control.add([ChannelSpec(pv=f"NEW{n:02}") for n in range(20)])
    turns = 0
    while len(bench.source.specs) < 22:
        bench.source.put(series, [bench.now], [1.0])
        begun = bench.clock.running
        bench.turn(0.01)
        assert bench.clock.running - begun < 0.2
        assert control.wake.is_set() is bool(control.wishes)
        turns += 1
    assert turns == 5
    control.remove([f"NEW{n:02}" for n in range(20)])
    while control.wishes:
        bench.turn(0.01)
        turns += 1
    assert turns == 10
    assert list(bench.source.specs) == ["A", "B"]


def test_what_a_source_has_left_is_taken_at_once(bench: Bench) -> None:
    control = bench.open().control
    bench.source.more = True
    bench.turn()
    assert control.wake.is_set()
    bench.source.more = False
    bench.turn()
    assert not control.wake.is_set()


@pytest.mark.parametrize("what", ["stop", "end", "erase"])
def test_what_a_source_has_left_is_taken_before_it_is_too_late(bench: Bench, what: str) -> None:
    control = bench.open().control
    source, series = bench.source, bench.source.connect("A")
    bench.turn()
    for n in range(4):
        source.put(series, [bench.now + n], [float(n)])
        source.held_back.append(source.scalars)
        source.scalars = []
    if what == "stop":
        bench.close()
        bench.open()
    elif what == "end":
        control.extend(bench.now)
        bench.turn()
    else:
        control.remove(["A"], delete_data=True)
        bench.turn()
        control.add([ChannelSpec(pv="A")])
    assert bench.values("A") == ([] if what == "erase" else [0.0, 1.0, 2.0, 3.0])
    assert source.held_back == []


def test_pvs_that_once_connected_are_searched_first(bench: Bench) -> None:
    names = [f"NOBODY:{n}" for n in range(5)]
    bench.open(pvs=tuple(ChannelSpec(pv=pv) for pv in [*names, "X", "Z"]))
    for pv in ("X", "Z"):
        bench.source.put(bench.source.connect(pv), [bench.now], [1.0])
    bench.turn()
    bench.close()
    bench.open(pvs=())
    assert list(bench.source.specs) == ["X", "Z", *names]


def test_a_name_that_cannot_be_adds_none(bench: Bench) -> None:
    control = bench.open().control
    with pytest.raises(UserError, match="'X Y' is not the name of a PV"):
        control.add([ChannelSpec(pv="C"), ChannelSpec(pv="X Y"), ChannelSpec(pv="")])
    with pytest.raises(UserError, match="period"):
        control.add([ChannelSpec(pv="C", method=Method.SCAN, period_s=0.01)])
    with pytest.raises(UserError, match="by pva"):
        control.add([ChannelSpec(pv="C", provider=Provider.PVA)])
    assert [one.spec.pv for one in control.status()] == ["A", "B"]


def test_a_protocol_that_is_not_there_any_more(bench: Bench) -> None:
    bench.open(pvs=(*SPECS, ChannelSpec(pv="C", provider=Provider.PVA)))
    (status,) = bench.archiver.control.status("C")
    assert (status.state, status.why) == (
        ChannelState.REFUSED,
        "this archiver cannot reach PVs by pva",
    )
    bench.archiver.control.remove(["C"])
    bench.turn()


def test_adding_again_changes_the_method(bench: Bench) -> None:
    control = bench.open().control
    scan = ChannelSpec(pv="A", method=Method.SCAN, period_s=2)
    assert control.add([scan, ChannelSpec(pv="C")]) == {"A": False, "C": True}
    bench.turn()
    assert bench.source.specs["A"].method is Method.SCAN
    assert set(bench.source.specs) == {"A", "B", "C"}
    bench.close()
    bench.open()
    assert bench.source.specs["A"].method is Method.SCAN
    assert "C" in bench.source.specs


def test_pause_and_resume(bench: Bench) -> None:
    control = bench.open().control
    series = bench.source.connect("A")
    bench.source.put(series, [bench.now], [1.0])
    bench.turn()
    assert control.pause(["A"]) == ["A"]
    assert control.pause(["A"]) == []
    # What was in the source's buffer is kept, and is the newest when it goes on.
    last = bench.now + 5
    bench.source.put(series, [last], [2.0])
    bench.turn()
    assert bench.state("A") is ChannelState.PAUSED
    assert "A" not in bench.source.specs
    bench.close()
    control = bench.open().control
    assert bench.state("A") is ChannelState.PAUSED
    assert "A" not in bench.source.specs
    assert control.resume(["A"]) == ["A"]
    bench.turn()
    assert bench.source.specs["A"].after_ns == last
    assert bench.state("A") is ChannelState.SEARCHING
    for call in (control.pause, control.resume, control.remove, control.follow):
        with pytest.raises(NoSuchPvError):
            call(["A", "NONE"])
    control.remove(["A"])
    bench.turn()
    told = [event.kind for event in bench.archiver.reader.events("A", 0, 2**62)]
    assert [kind for kind in told if kind != NoticeKind.CONNECTED] == [
        "paused",
        "resumed",
        "removed",
    ]
    # Those that the settings name are added by nobody.
    control.add([ChannelSpec(pv="NEW")])
    bench.turn()
    (added,) = bench.archiver.reader.events("NEW", 0, 2**62)
    assert added.kind == "added"


def test_removed_pvs_can_still_be_read(bench: Bench) -> None:
    control = bench.open().control
    series = bench.source.connect("A")
    bench.source.put(series, [bench.now], [1.0])
    bench.turn()
    control.remove(["A"])
    bench.turn()
    assert "A" not in bench.source.specs
    assert [one.spec.pv for one in control.status()] == ["B"]
    assert bench.values("A") == [1.0]
    bench.close()
    bench.open(pvs=())
    assert bench.values("A") == [1.0]
    assert bench.archiver.reader.pvs() == ["A", "B"]


def test_deleted_data_are_gone(bench: Bench) -> None:
    control = bench.open().control
    series = bench.source.connect("A")
    bench.source.put(series, [bench.now], [1.0])
    bench.turn()
    bench.source.put(series, [bench.now], [2.0])
    control.remove(["A"], delete_data=True)
    bench.turn()
    with pytest.raises(NoSuchPvError):
        bench.values("A")
    assert bench.archiver.reader.pvs() == ["B"]
    control.add([ChannelSpec(pv="A")])
    bench.turn()
    assert bench.values("A") == []
    bench.source.put(series, [bench.now], [3.0])
    bench.turn()
    assert bench.values("A") == [3.0]


def test_a_type_that_changes(bench: Bench) -> None:
    bench.open()
    number = bench.source.connect("A")
    bench.source.put(number, [bench.now], [1.5])
    bench.turn()
    text = bench.source.connect("A", Kind.STRING, "DBR_STRING")
    bench.source.put_texts(text, [bench.now, bench.now + 5], ["on", "off"])
    bench.turn()
    assert bench.values("A") == ["1.5", "on", "off"]
    (status,) = bench.archiver.control.status("A")
    assert (status.kind, status.samples) == (Kind.STRING, 3)


def test_what_happens_is_written_down(bench: Bench) -> None:
    bench.open()
    bench.source.connect("A")
    bench.source.tell(NoticeKind.METADATA, "A", {"units": "A", "precision": 3})
    bench.turn()
    first = bench.now
    bench.source.tell(NoticeKind.METADATA, "A", {"units": "A", "precision": 3})
    bench.source.tell(NoticeKind.LOST, "A")
    bench.source.tell(NoticeKind.DROPPED, "A", {"past": 3})
    bench.source.tell(NoticeKind.REFUSED, "B", {"why": "no read access"})
    bench.turn()
    bench.source.connect("A")
    bench.source.tell(NoticeKind.METADATA, "A", {"units": "mA"})
    bench.turn(60)
    reader = bench.archiver.reader
    kinds = [(event.pv, event.kind) for event in reader.events(None, 0, 2**62)]
    assert kinds == [
        *(("A", "connected"), ("A", "lost"), ("A", "dropped"), ("B", "refused")),
        *(("A", "connected"), ("A", "metadata")),
    ]
    assert reader.metadata("A").units == "mA"
    assert reader.metadata("A", first).units == "A"
    (status,) = bench.archiver.control.status("A")
    assert (status.connections, status.losses, status.drops) == (2, 1, {Drop.PAST: 3})
    (refused,) = bench.archiver.control.status("B")
    assert (refused.state, refused.why) == (ChannelState.REFUSED, "no read access")


def test_what_was_dropped_before_the_end_is_written_down(bench: Bench) -> None:
    bench.open()
    for number in (1, 2):
        bench.source.tell(NoticeKind.DROPPED, "A", {"past": number})
        bench.turn()
    bench.source.untold.append(Notice(NoticeKind.DROPPED, "A", bench.now, None, {"past": 4}))
    bench.close()
    events = open_reader(bench.folder).events("A", 0, 2**62)
    assert [event.detail["past"] for event in events if event.kind == "dropped"] == [1, 6]


def test_a_sample_has_the_metadata_that_it_came_with(bench: Bench) -> None:
    bench.open()
    series = bench.source.connect("A", Kind.ENUM, "DBR_ENUM")
    stamps = [bench.now - 4 * SECOND, bench.now - 2 * SECOND]
    for stamp, labels in zip(stamps, (("MANUAL", "AUTO"), ("OPEN", "CLOSED")), strict=True):
        bench.source.tell(NoticeKind.METADATA, "A", {"labels": labels}, from_ns=stamp)
        bench.source.put(series, [stamp], [1])
        bench.turn()
    reader = bench.archiver.reader
    assert [reader.metadata("A", stamp).labels[1] for stamp in stamps] == ["AUTO", "CLOSED"]
    table = Archive(reader).table("A", stamps[0], bench.now, on="A", labels=True)
    assert table["A"].to_pylist() == ["AUTO", "CLOSED"]


def test_stamps_that_are_ahead_are_told_where_people_look(bench: Bench) -> None:
    control = bench.open().control
    series = bench.source.connect("A")
    bench.turn()
    stamp = bench.now + 1200 * SECOND
    detail = {"ahead": 2, "future": 1, "stamp_ns": stamp}
    bench.source.tell(NoticeKind.DROPPED, "A", detail)
    bench.source.put(series, [bench.now], [1.0])
    bench.turn()
    (status,) = control.status("A")
    assert status.state is ChannelState.CONNECTED
    assert status.drops == {Drop.AHEAD: 2, Drop.FUTURE: 1}
    at = datetime.fromtimestamp(stamp // SECOND, UTC)
    assert status.why == (
        f"samples ahead of the archiver's clock were refused, the last of {at:%Y-%m-%dT%H:%M:%SZ}"
    )
    assert control.info().misdated == 1
    for _ in range(2):
        bench.source.tell(NoticeKind.DROPPED, "A", detail)
        bench.turn(1)
    bench.turn(61)
    events = [e for e in bench.archiver.reader.events("A", 0, 2**62) if e.kind == "dropped"]
    assert [(e.detail["ahead"], e.detail["stamp_ns"]) for e in events] == [(2, stamp), (4, stamp)]
    bench.turn(3600)
    assert (control.status("A")[0].why, control.info().misdated) == ("", 0)


def test_a_clock_that_is_ahead_for_good_is_told(bench: Bench) -> None:
    control = bench.open().control
    series = bench.source.connect("A")
    bench.source.put(series, [bench.now + 300 * SECOND], [1.0])
    bench.turn()
    assert "its clock is ahead: its newest sample is of " in control.status("A")[0].why
    bench.close()
    control = bench.open().control
    assert control.info().misdated == 1, "after a restart too"
    bench.turn(301)
    assert control.info().misdated == 0


def test_rates_are_of_the_last_minute(bench: Bench) -> None:
    bench.open()
    series = bench.source.connect("A")
    for n in range(1200):
        if n < 600:
            bench.source.put(series, [bench.now, bench.now + 1], [1.0, 2.0])
        bench.turn()
        if n == 599:
            (status,) = bench.archiver.control.status("A")
            assert status.rate_hz == pytest.approx(20, rel=0.1)
    bench.turn(10)
    (status,) = bench.archiver.control.status("A")
    assert status.rate_hz == pytest.approx(0, abs=0.1)


def test_the_end(bench: Bench) -> None:
    control = bench.open(lasting="1h").control
    begun = bench.now
    assert control.info().ends_ns == begun + 3600 * SECOND
    series = bench.source.connect("A")
    bench.source.put(series, [bench.now], [1.0])
    bench.turn(3600)
    assert bench.source.closed
    assert bench.state("A") is ChannelState.ENDED
    assert control.info().read_only
    for call in (control.pause, control.resume, control.remove):
        with pytest.raises(ReadOnlyError, match="study is past its end"):
            call(["A"])
    with pytest.raises(ReadOnlyError):
        control.add(SPECS)
    assert bench.values("A") == [1.0]
    bench.close()
    # It does not begin anew with the next start.
    control = bench.open(lasting="1h").control
    assert control.info().read_only
    assert len(bench.sources) == 1
    control.extend(bench.now + 60 * SECOND)
    bench.turn()
    assert len(bench.sources) == 2
    assert bench.source.specs["A"].after_ns == begun
    assert bench.state("A") is ChannelState.SEARCHING
    series = bench.source.connect("A")
    bench.source.put(series, [bench.now], [2.0])
    bench.turn()
    assert bench.values("A") == [1.0, 2.0]
    bench.close()
    # What was extended stays so.
    assert not bench.open(lasting="1h").control.read_only
    bench.archiver.control.extend(None)
    bench.turn(10**6)
    assert not bench.archiver.control.info().read_only
    bench.close()
    assert bench.open(lasting="1h").control.info().ends_ns is None


def test_followers_get_what_comes(bench: Bench) -> None:
    control = bench.open().control
    series, other = bench.source.connect("A"), bench.source.connect("B")
    text = bench.source.connect("B", Kind.STRING, "DBR_STRING")
    follower = control.follow(["A"])
    both = control.follow(["A", "B"])
    bench.source.put(series, [bench.now, bench.now + 1], [1.0, 2.0])
    bench.source.put(other, [bench.now], [3.0])
    bench.source.put_texts(text, [bench.now + 1], ["x"])
    bench.turn()
    found = follower.take(0)
    assert {pv: table["value"].to_pylist() for pv, table in found.items()} == {"A": [1.0, 2.0]}
    assert follower.take(0) == {}
    found = both.take(0)
    assert found["B"]["value"].to_pylist() == ["3.0", "x"]
    follower.close()
    for n in range(60):
        times = [bench.now + k for k in range(1000)]
        bench.source.put(series, times, [float(n)] * 1000)
        bench.turn()
    table = both.take(0)["A"]
    lost = int(table.schema.metadata[b"linacre.lost"])
    assert lost + table.num_rows == 60_000
    assert table["value"].to_pylist()[-1] == 59.0
    both.close()
    assert both.take(10) == {}


def test_a_folder_is_read_beside_its_archiver(bench: Bench) -> None:
    bench.open()
    series = bench.source.connect("A")
    reader = None
    for n in range(5):
        bench.source.put(series, [bench.now], [float(n)])
        bench.turn()
        reader = reader or open_reader(bench.folder)
        values = reader.samples("A", 0, 2**62)["value"].to_pylist()
        assert values == [float(k) for k in range(n + 1)]
    assert reader.pvs() == ["A", "B"]
    bench.close()
    assert len(open_reader(bench.folder).samples("A", 0, 2**62)) == 5
