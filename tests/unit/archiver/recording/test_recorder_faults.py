"""The archiver where the disk is full, the clock is set, a file is lost, a thread fails."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from archiver_bench import SPECS, Bench

from linacre.archiver.model import ChannelSpec, Drop, Kind, Provider
from linacre.archiver.reading.folder import open_reader
from linacre.archiver.recording.running import Archiver
from linacre.archiver.registry.registry import Registry
from linacre.archiver.store.files import OsFiles
from linacre.base.errors import LinacreError


def test_a_full_disk(bench: Bench) -> None:
    bench.open(memory=16 * 2**20)
    series = bench.source.connect("A")
    bench.source.put(series, [bench.now], [0.0])
    bench.turn()
    bench.files.faults.room = 0
    bench.source.put(series, [bench.now], [1.0])
    bench.turn()
    assert bench.archiver.control.info().disk_full
    for n in range(2, 102):
        times = [bench.now + k for k in range(1000)]
        bench.source.put(series, times, [float(n)] * 1000)
        bench.turn()
    bench.files.faults.room = None
    bench.turn(2)
    bench.source.put(series, [bench.now], [200.0])
    bench.turn(2)
    assert not bench.archiver.control.info().disk_full
    values = bench.values("A")
    (status,) = bench.archiver.control.status("A")
    assert values[:3] == [0.0, 1.0, 2.0]
    assert values[-1] == 200.0
    assert status.drops[Drop.DISK] == 100_003 - len(values)
    assert status.samples == bench.archiver.control.info().samples == len(values)
    kinds = [event.kind for event in bench.archiver.reader.events(None, 0, 2**62)]
    assert "disk_full" in kinds and "disk_has_room" in kinds


def test_a_start_on_a_full_volume(small_volume: Callable[..., Path]) -> None:
    volume = small_volume("2m")
    bench = Bench(volume / "study")
    bench.files = OsFiles()
    bench.open()
    bench.source.put(bench.source.connect("A"), [bench.now], [1.0])
    bench.turn()
    bench.close()
    with (volume / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
        while ballast.write(bytes(4096)):
            pass
    bench.open(pvs=(*SPECS, ChannelSpec(pv="NEW")))
    assert bench.values("A") == [1.0]
    bench.source.put(bench.source.connect("NEW"), [bench.now], [5.0])
    bench.turn()
    assert bench.archiver.control.info().disk_full
    with pytest.raises(LinacreError, match="takes nothing now"):
        bench.archiver.control.pause(["A"])
    folder = open_reader(volume / "study")
    assert folder.samples("A", 0, 2**62)["value"].to_pylist() == [1.0]
    (volume / "ballast").unlink()
    bench.turn(2)
    bench.turn(2)
    assert not bench.archiver.control.info().disk_full
    assert bench.values("NEW") == [5.0]
    bench.archiver.control.pause(["A"])
    found = Registry.open_reader(volume / "study")
    assert found is not None
    assert {c.spec.pv: c.paused for c in found.channels()}["A"]
    assert "disk_has_room" in [event.kind for event in found.events(None, 0, 2**62)]
    found.close()
    bench.close()


def test_a_clock_that_is_set_back_stops_nothing(bench: Bench) -> None:
    bench.open()
    series = bench.source.connect("A")
    bench.source.put(series, [bench.now], [1.0])
    bench.turn()
    time_ns = bench.now
    bench.clock.seconds -= 7200
    for n in range(10):
        bench.source.put(series, [time_ns + n], [2.0])
        bench.turn()
    assert bench.values("A") == [1.0, *[2.0] * 10]


def test_a_second_archiver_is_refused(bench: Bench) -> None:
    bench.open()
    with pytest.raises(LinacreError):
        Archiver(bench.settings, {Provider.CA: bench.make}, clock=bench.clock)


def test_a_lost_registry_is_made_anew_from_the_samples(bench: Bench) -> None:
    bench.open()
    bench.archiver.control.add([ChannelSpec(pv="C")])
    bench.turn()
    series = bench.source.connect("C", Kind.INT32, "DBR_LONG")
    bench.source.put(series, [bench.now], [7])
    bench.turn()
    bench.close()
    (bench.folder / "archiver.sqlite").write_bytes(b"nonsense" * 1000)
    bench.open()
    assert bench.values("C") == [7]
    assert bench.source.specs["C"].after_ns == series_time(bench, "C")
    again = bench.source.connect("C", Kind.INT32, "DBR_LONG")
    assert again == series
    assert bench.source.connect("A").id != series.id
    (event,) = [e for e in bench.archiver.reader.events(None, 0, 2**62) if e.kind == "registry"]
    assert "damaged" in str(event.detail["what"])


def series_time(bench: Bench, pv: str) -> int:
    return bench.archiver.reader.samples(pv, 0, 2**62)["time"].to_pylist()[-1]


@pytest.mark.parametrize("broken", ["turn", "store"])
def test_a_thread_that_fails_is_told(bench: Bench, broken: str, wait: Callable) -> None:
    archiver = bench.open()
    told: list[tuple[str, BaseException]] = []
    if broken == "turn":
        bench.source.fails = RuntimeError("no more")
    else:
        archiver.store.append = lambda *a: 1 / 0
        bench.source.put(bench.source.connect("A"), [bench.now], [1.0])
    archiver.start(lambda name, error: told.append((name, error)))
    wait(lambda: told)
    assert told[0][0] == "recorder"
    bench.source.fails = None


@pytest.fixture
def wait() -> Callable:
    import time

    def until(look: Callable[[], object], limit_s: float = 10) -> None:
        end = time.monotonic() + limit_s
        while not look():
            assert time.monotonic() < end, "not in time"
            time.sleep(0.01)

    return until
