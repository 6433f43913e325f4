"""The registry: what survives, what is written once, and what a damaged file costs."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from linacre.archiver.events import Throttle
from linacre.archiver.model import ChannelSpec, Kind, Metadata, Method, NoticeKind, Provider, Series
from linacre.archiver.registry.reading import RegistryReader
from linacre.archiver.registry.registry import Registry
from linacre.archiver.registry.rows import Channel, metadata_from
from linacre.archiver.service import Event
from linacre.base.errors import UserError

NOW = 1_800_000_000_000_000_000


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    registry = Registry.open(tmp_path, now_ns=lambda: NOW)
    yield registry
    registry.close()


def again(registry: Registry) -> Registry:
    registry.close()
    return Registry.open(registry.folder, now_ns=lambda: NOW)


def test_channels_survive(registry: Registry) -> None:
    scan = ChannelSpec(
        pv="A:B", provider=Provider.PVA, method=Method.SCAN, period_s=2.5, fields=("value.x",)
    )
    channels = [
        Channel(spec=scan, added_ns=NOW, added_by="me"),
        Channel(spec=ChannelSpec(pv="C"), added_ns=NOW + 1, paused=True),
        Channel(spec=ChannelSpec(pv="D"), added_ns=NOW + 1, removed=True),
    ]
    registry.put(channels)
    opened = again(registry)
    assert opened.channels() == channels[:2]
    assert opened.channels(removed=True) == channels[2:]
    assert opened.knows("D")
    assert not opened.knows("E")
    opened.close()


def test_a_series_keeps_its_number(registry: Registry) -> None:
    one = registry.series("A", Kind.FLOAT64, "DBR_DOUBLE")
    two = registry.series("A", Kind.INT32, "DBR_LONG")
    assert (one.id, two.id) == (1, 2)
    assert registry.series("A", Kind.FLOAT64, "DBR_DOUBLE") is one
    assert registry.kinds("A") == [Kind.FLOAT64, Kind.INT32]
    opened = again(registry)
    assert opened.all_series() == [one, two]
    opened.adopt([Series(9, "B", Kind.INT32, "DBR_LONG"), one])
    assert opened.series("B", Kind.INT32, "DBR_LONG").id == 9
    assert opened.series("B", Kind.FLOAT64, "DBR_DOUBLE").id == 10
    opened.close()


def test_metadata_from_before_what_was_said_last_lose_nothing(registry: Registry) -> None:
    first, second, third = (Metadata(units=units) for units in ("A", "mA", "uA"))
    registry.note_metadata("A", NOW, first)
    registry.note_metadata("A", NOW + 100, second)
    # The server's clock was set back.
    assert registry.note_metadata("A", NOW + 50, third)
    registry.flush()
    opened = again(registry)
    said = {at: opened.metadata("A", NOW + at).units for at in (0, 49, 50, 99, 100, 101, 999)}
    assert said == {0: "A", 49: "A", 50: "uA", 99: "uA", 100: "mA", 101: "uA", 999: "uA"}
    assert opened.metadata("A") == third
    assert not opened.note_metadata("A", NOW + 60, third)
    # At a time of which something is known, that stays.
    assert opened.note_metadata("A", NOW, second)
    opened.flush()
    assert opened.metadata("A", NOW) == first
    assert opened.metadata("A") == second
    opened.close()


def test_a_history_has_what_held_at_its_start_and_each_change(registry: Registry) -> None:
    for at, units in ((10, "A"), (20, "mA"), (30, "uA")):
        registry.note_metadata("A", NOW + at, Metadata(units=units))
    registry.flush()

    def told(start: int, end: int) -> list[tuple[int, str]]:
        found = registry.metadata_history("A", NOW + start, NOW + end)
        pairs = zip(found.from_ns, found.said, strict=True)
        return [(at - NOW, said.units) for at, said in pairs]

    assert told(15, 25) == [(10, "A"), (20, "mA")]
    assert told(20, 30) == [(20, "mA"), (30, "uA")]
    assert told(0, 5) == [(10, "A")], "the first words hold before, too"
    assert registry.metadata_history("B", 0, NOW).said == (Metadata(),)


def test_metadata_is_written_when_it_changes(registry: Registry) -> None:
    first = Metadata(units="A", display=(0.0, 10.0), labels=("off", "on"))
    assert registry.note_metadata("A", NOW, first)
    assert not registry.note_metadata("A", NOW + 10, first)
    opened = again(registry)
    assert not opened.note_metadata("A", NOW + 20, first)
    second = metadata_from({"units": "mA", "precision": 3, "display": [0, 1], "unheard": 1})
    assert opened.note_metadata("A", NOW + 100, second)
    opened.flush()
    assert opened.metadata("A") == second
    assert opened.metadata("A", NOW + 99) == first
    assert opened.metadata("A", NOW - 99) == first
    assert opened.metadata("B") == Metadata()
    opened.close()


def test_events_are_given_in_order(registry: Registry) -> None:
    for pv, time_ns in (("A", NOW + 2), ("B", NOW + 1), ("A", NOW)):
        registry.note(Event(pv, time_ns, NoticeKind.LOST, {"n": 1}))
    assert registry.flush()
    assert [e.pv for e in registry.events(None, NOW, NOW + 2)] == ["B", "A"]
    assert [e.time_ns for e in registry.events("A", 0, 2**64)] == [NOW, NOW + 2]
    registry.forget(["A"], erased_until_ns={"A": NOW})
    assert registry.events("A", 0, NOW * 2) == []
    assert registry.erased() == {"A": NOW}


def test_settings_can_be_taken_back(registry: Registry) -> None:
    registry.set({"ends_ns": "5", "who": "me"})
    opened = again(registry)
    assert opened.setting("ends_ns") == "5"
    opened.set({"ends_ns": None})
    assert opened.setting("ends_ns") is None
    assert opened.setting("who") == "me"
    opened.close()


def test_a_reader_sees_a_running_archiver(registry: Registry) -> None:
    reader = Registry.open_reader(registry.folder)
    assert reader is not None
    registry.put([Channel(spec=ChannelSpec(pv="A"), added_ns=NOW)])
    registry.series("A", Kind.ENUM, "DBR_ENUM")
    registry.flush()
    assert [channel.spec.pv for channel in reader.channels()] == ["A"]
    assert reader.kinds("A") == [Kind.ENUM]
    reader.close()


def test_a_reader_sees_each_commit_while_the_log_begins_anew(registry: Registry) -> None:
    reader = Registry.open_reader(registry.folder)
    assert reader is not None
    registry._writing._connection.execute("PRAGMA wal_autocheckpoint = 5")
    for count in range(1, 60):
        registry.put([Channel(spec=ChannelSpec(pv=f"PV{count}"), added_ns=NOW)])
        assert len(reader.channels()) == count
    reader.close()


@pytest.mark.parametrize("begins_anew", [1, 3])
def test_a_log_that_begins_anew_while_it_is_copied(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, begins_anew: int
) -> None:
    """The file of before and the log of after are not one state: both are copied again."""
    connection, copied = registry._writing._connection, []
    really = shutil.copyfile
    registry.put([Channel(spec=ChannelSpec(pv=f"PV{n}"), added_ns=NOW) for n in range(100)])

    def copy(source: Path, target: Path) -> None:
        really(source, target)
        copied.append(source.name)
        if source.name == "archiver.sqlite" and copied.count(source.name) <= begins_anew:
            registry.put([Channel(spec=ChannelSpec(pv=f"NEW{len(copied)}"), added_ns=NOW)])
            connection.execute("PRAGMA wal_checkpoint(RESTART)")
            registry.put([Channel(spec=ChannelSpec(pv=f"NEWER{len(copied)}"), added_ns=NOW)])

    monkeypatch.setattr("linacre.archiver.registry.reading.shutil.copyfile", copy)
    reader = RegistryReader(registry.folder / "archiver.sqlite")
    monkeypatch.undo()
    count = reader.read("SELECT count(*) FROM channels")[0][0]
    assert reader.read("PRAGMA integrity_check") == [("ok",)]
    assert count == 100 + 2 * begins_anew
    assert copied.count("archiver.sqlite") == begins_anew + 1


def test_a_reader_has_what_a_killed_archiver_committed(registry: Registry, tmp_path: Path) -> None:
    """Also from a disk that takes nothing."""
    registry.put([Channel(spec=ChannelSpec(pv="A"), added_ns=NOW)])
    killed = tmp_path / "killed"
    killed.mkdir()
    for ending in ("", "-wal"):
        file = killed / f"archiver.sqlite{ending}"
        file.write_bytes((registry.folder / file.name).read_bytes())
        file.chmod(0o400)
    killed.chmod(0o500)
    reader = Registry.open_reader(killed)
    assert reader is not None
    assert reader.knows("A")
    assert sorted(p.name for p in killed.iterdir()) == ["archiver.sqlite", "archiver.sqlite-wal"]
    reader.close()


def test_nothing_beside_the_file_is_mapped_into_memory(registry: Registry) -> None:
    """On a full disk of btrfs, writing to a mapped file ends the process."""
    registry.put([Channel(spec=ChannelSpec(pv="A"), added_ns=NOW)])
    assert str(registry.folder) not in Path("/proc/self/maps").read_text()
    assert not (registry.folder / "archiver.sqlite-shm").exists()


def test_a_folder_without_a_registry(tmp_path: Path) -> None:
    assert Registry.open_reader(tmp_path) is None


@pytest.mark.parametrize("copied", [True, False])
def test_a_damaged_file_is_restored(registry: Registry, copied: bool) -> None:
    registry.put([Channel(spec=ChannelSpec(pv=f"PV{i}"), added_ns=NOW) for i in range(500)])
    if copied:
        registry.copy()
    registry.close()
    path = registry.folder / "archiver.sqlite"
    data = bytearray(path.read_bytes())
    data[4096 : len(data)] = bytes(len(data) - 4096)
    path.write_bytes(data)
    opened = Registry.open(registry.folder, now_ns=lambda: NOW)
    assert "damaged" in opened.repaired
    assert len(opened.channels()) == (500 if copied else 0)
    assert list(registry.folder.glob("archiver.sqlite.damaged-20270115T080000Z*"))
    opened.put([Channel(spec=ChannelSpec(pv="NEW"), added_ns=NOW)])
    assert again(opened).knows("NEW")


def test_a_newer_format_is_refused(registry: Registry) -> None:
    registry.close()
    with sqlite3.connect(registry.folder / "archiver.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(UserError, match="newer Linacre"):
        Registry.open(registry.folder, now_ns=lambda: NOW)


def test_a_full_disk_loses_no_series(registry: Registry) -> None:
    connection = registry._writing._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    wanted = [registry.series(f"A:VERY:LONG:NAME:{i}", Kind.ENUM, "DBR_ENUM") for i in range(999)]
    assert not registry.flush()
    connection.execute("PRAGMA max_page_count = 100000")
    assert registry.flush()
    opened = again(registry)
    assert opened.all_series() == wanted
    opened.close()


def test_a_pv_that_flaps_has_an_event_a_minute() -> None:
    throttle = Throttle()
    written = []
    for second in range(180):
        event = Event("A", second, NoticeKind.LOST, {})
        written.extend(throttle.due(second))
        if (now := throttle.take(event, second)) is not None:
            written.append(now)
    written.extend(throttle.rest())
    assert len(written) == 4
    assert sum(int(str(event.detail.get("count", 1))) for event in written) == 180


def test_drops_are_added_up() -> None:
    throttle = Throttle()
    for second in range(10):
        throttle.take(Event("A", second, NoticeKind.DROPPED, {"past": 2, "buffer": 1}), second)
    (event,) = throttle.due(70)
    assert event.detail == {"past": 18, "buffer": 9, "count": 9, "since_ns": 1}
    assert list(throttle.due(140)) == []
