"""The store as a whole: whatever becomes of samples, each is read exactly once."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from archiver_fakes import SECOND, FakeClock, FakeSource

from linacre.archiver.model import Kind, ScalarBatch, Series
from linacre.archiver.reading.folder import open_reader
from linacre.archiver.reading.query import Query
from linacre.archiver.store.compaction import Tiers
from linacre.archiver.store.faults import FaultyFiles
from linacre.archiver.store.segments import Limits
from linacre.archiver.store.shelf import Keeping
from linacre.archiver.store.store import Store

LIMITS = Limits(group_rows=200, own_rows=50, rollup_rows=20, rollup_share=2)
HOUR = 3600.0
MEBI = 1 << 20
NUMBERS = Series(1, "N", Kind.FLOAT64, "DBR_DOUBLE")
COUNTS = Series(2, "C", Kind.INT32, "DBR_LONG")
TEXTS = Series(3, "T", Kind.STRING, "DBR_STRING")
CHANGED = (Series(4, "X", Kind.INT32, "DBR_LONG"), Series(5, "X", Kind.FLOAT64, "DBR_DOUBLE"))
ALL = (NUMBERS, COUNTS, TEXTS, *CHANGED)


class Bench:
    """A store, a clock, and all that was put into it."""

    def __init__(self, folder: Path, start: str = "2026-11-24T09:50:00") -> None:
        self.folder = folder
        self.clock = FakeClock(datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp())
        self.files = FaultyFiles()
        self.keeping = Keeping()
        self.put: dict[str, list[tuple[int, object]]] = {one.pv: [] for one in ALL}
        self.source = FakeSource(None, self.clock)
        self.store: Store | None = None
        self.open()

    @property
    def tiers(self) -> Tiers:
        return Tiers(
            short=self.folder / "short" / "segments",
            medium=self.folder / "medium" / "segments",
            long=self.folder / "long" / "segments",
        )

    @property
    def now(self) -> int:
        return int(self.clock.now() * SECOND)

    def open(self) -> None:
        self.store = Store(
            self.folder / "short" / "journal",
            self.tiers,
            files=self.files,
            clock=lambda: self.now,
            keeping=self.keeping,
            limits=LIMITS,
        )
        for one in ALL:
            self.store.declare(one)
        self.query = Query(self.store.snapshot, None)

    def reopen(self) -> None:
        self.store.close()
        self.open()

    def add(self, series: Series, values: list, step: int = SECOND // 5) -> None:
        """Samples until now, a fifth of a second apart."""
        last = self.put[series.pv][-1][0] if self.put[series.pv] else 0
        first = self.now - len(values) * step
        time = [max(first, last) + (k + 1) * step // 7 * 7 for k in range(len(values))]
        if series.kind is Kind.STRING:
            self.source.put_texts(series, time, values)
        else:
            self.source.put(series, time, values)
        drained = self.source.drain()
        self.store.append(drained.scalars, drained.blobs)
        self.put[series.pv] += list(zip(time, values, strict=True))
        self.store.tick()

    def move(self, seconds: float) -> None:
        self.clock.move(seconds)
        self.store.tick()

    def levels(self) -> list[str]:
        return [segment.name for segment in self.store.snapshot().segments]

    def check(self, query: Query | None = None, start: int = 0) -> None:
        query = query or self.query
        for pv, put in self.put.items():
            wanted = [one for one in put if one[0] > start]
            if not put:
                continue
            table = query.samples(pv, 0, 2**62)
            got = list(zip(table["time"].to_pylist(), table["value"].to_pylist(), strict=True))
            np.testing.assert_equal(got, wanted, err_msg=pv)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()


@pytest.mark.parametrize("seed", range(12))
def test_whatever_becomes_of_samples(bench: Bench, seed: int) -> None:
    chosen = np.random.default_rng(seed)
    for _ in range(60):
        what = chosen.choice(["add", "add", "add", "move", "hour", "maintain", "rotate", "open"])
        if what == "add":
            series = ALL[chosen.integers(len(ALL))]
            n = int(chosen.integers(1, 80))
            if series.kind is Kind.STRING:
                bench.add(series, [f"text {k}" for k in range(n)])
            elif series.kind is Kind.FLOAT64:
                values = chosen.normal(1e6, 1, n)
                values[chosen.random(n) < 0.1] = np.nan
                bench.add(series, values.tolist())
            else:
                bench.add(series, chosen.integers(0, 99, n).tolist())
        elif what == "move":
            bench.move(float(chosen.uniform(0, 600)))
        elif what == "hour":
            bench.move(HOUR * float(chosen.choice([1, 3, 26, 24 * 32])))
        elif what == "maintain":
            assert bench.store.maintain()
        elif what == "rotate":
            bench.store.rotate()
        else:
            bench.reopen()
    bench.store.sync()
    bench.check()
    bench.check(open_reader(bench.folder))
    for pv in ("N", "C", "X"):
        if bench.put[pv]:
            check_reading(bench, pv, chosen)


def check_reading(bench: Bench, pv: str, chosen: np.random.Generator) -> None:
    time = np.array([at for at, _ in bench.put[pv]])
    value = np.array([float(v) for _, v in bench.put[pv]])
    for _ in range(5):
        start, end = np.sort(chosen.choice(time, 2)).tolist()
        start -= int(chosen.integers(0, 2)) * int(chosen.integers(10**12))
        first = max(0, int(np.searchsorted(time, start, side="right")) - 1)
        wanted = time[first:][time[first:] <= end]
        assert bench.query.samples(pv, start, end)["time"].to_pylist() == wanted.tolist()
        assert (
            bench.query.after(pv, start, 7)["time"].to_pylist() == time[time > start][:7].tolist()
        )
        table = bench.query.bins(pv, start, end + 1000, 40)
        for row in table.to_pylist():
            inside = value[(time >= row["start"]) & (time < row["end"])]
            inside = inside[~np.isnan(inside)]
            assert row["count"] == len(inside)
            if len(inside):
                assert row["mean"] == pytest.approx(inside.mean(), rel=1e-12)
                assert row["std"] == pytest.approx(inside.std(), abs=1e-6)
                assert (row["first"], row["last"]) == (inside[0], inside[-1])
                assert (row["min"], row["max"]) == (inside.min(), inside.max())


def test_the_end_of_a_year(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "2026-12-31T21:30:00")
    for _ in range(8):
        bench.add(NUMBERS, list(np.arange(60.0)))
        bench.add(TEXTS, ["a"] * 3)
        bench.store.maintain()
        bench.move(HOUR / 2)
    bench.move(HOUR)
    assert bench.store.maintain()
    assert [name.rpartition("-")[0] for name in bench.levels()] == [
        "2026-12-month",
        "2027-01-01T00-flush",
        "2027-01-01T01-flush",
    ]
    bench.check()
    bench.move(24 * HOUR)
    assert bench.store.maintain()
    assert bench.levels()[1].startswith("2027-01-01-day")
    bench.move(31 * 24 * HOUR)
    assert bench.store.maintain()
    assert bench.levels()[1].startswith("2027-01-month")
    assert len(list((tmp_path / "long").glob("segments/*/*/*"))) == 2
    bench.check()
    bench.reopen()
    bench.check()
    bench.store.close()


def test_readers_while_all_moves(bench: Bench) -> None:
    stop = threading.Event()
    wrong: list[object] = []
    folder = None
    bench.add(COUNTS, [0])
    bench.store.sync()
    folder = open_reader(bench.folder)

    def read(query: Query) -> None:
        try:
            while not stop.is_set():
                values = query.samples("C", 0, 2**62)["value"].to_pylist()
                if values != list(range(len(values))):
                    wrong.append(values)
                counted = query.bins("C", 0, 2**62, 3)["count"].to_pylist()
                if sum(counted) < len(values):
                    wrong.append((counted, len(values)))
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=read, args=(q,)) for q in (bench.query, folder)]
    for thread in threads:
        thread.start()
    for k in range(40):
        bench.clock.move(HOUR / 2)
        bench.add(COUNTS, list(range(1 + 20 * k, 21 + 20 * k)))
        bench.store.maintain()
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_is_too_old_or_too_much_goes(bench: Bench) -> None:
    bench.keeping = Keeping(max_age_s=10 * HOUR)
    bench.reopen()
    for _ in range(60):
        bench.add(NUMBERS, [1.0] * 60)
        bench.move(HOUR)
        bench.store.maintain()
    times = bench.query.samples("N", 0, 2**62)["time"].to_numpy()
    # A day goes as a whole, when its end is too old.
    assert 0 < (bench.now - times[0]) / (HOUR * SECOND) < 10 + 24 + 1
    assert any(event.kind == "retired" for event in bench.store.happened())
    kept = bench.store.bytes
    bench.keeping = Keeping(max_bytes=kept // 2)
    bench.reopen()
    bench.store.maintain()
    assert 0 < bench.store.bytes <= kept // 2
    left = bench.query.samples("N", 0, 2**62)["time"].to_numpy()
    assert left[-1] == times[-1]
    assert left[0] > times[0]


def test_what_is_too_much_goes_in_small_pieces(bench: Bench) -> None:
    most, text = 8 * MEBI, base64.b64encode(np.random.default_rng(1).bytes(75_000)).decode()
    bench.keeping = Keeping(max_bytes=most)
    bench.reopen()
    sizes: list[int] = []
    for n in range(50 * 4):
        # Not the same ones again: nothing is to be gained by compressing them together.
        moved = [text[k:] + text[:k] for k in range(n * 180, n * 180 + 180, 60)]
        bench.add(TEXTS, moved)
        bench.move(6 * HOUR)
        bench.store.maintain()
        sizes.append(size_of(bench.folder))
    assert max(sizes) <= most
    # Not much more goes than must: of months that are merged, too.
    assert min(sizes[-20 * 4 :]) > most - 3 * MEBI
    bench.put["T"] = bench.put["T"][-len(bench.query.samples("T", 0, 2**62)) :]
    bench.check()


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_deleted_samples_leave_the_files(bench: Bench) -> None:
    for _ in range(3):
        bench.add(NUMBERS, [1.0] * 60)
        bench.add(TEXTS, ["a"])
        bench.move(HOUR)
        bench.store.maintain()
    until = bench.put["N"][-1][0]
    assert bench.store.maintain({"N": until})
    assert not bench.store.snapshot().has("N")
    bench.put["N"] = []
    bench.check()
    bench.reopen()
    bench.check()


def test_a_full_disk_ends_no_maintenance(bench: Bench) -> None:
    bench.add(NUMBERS, [1.0] * 60)
    bench.store.rotate()
    bench.files.faults.room = 100
    assert not bench.store.maintain()
    assert not bench.store.maintain()
    failures = [e for e in bench.store.happened() if e.kind == "maintenance_failed"]
    assert len(failures) == 1, "told once"
    assert "No space left" in str(failures[0].detail["why"])
    bench.check()
    bench.files.faults.room = None
    assert bench.store.maintain()
    assert len(bench.levels()) == 1
    bench.check()


def test_a_flipped_bit_in_a_segment_is_told(bench: Bench) -> None:
    bench.add(NUMBERS, list(np.arange(500.0)))
    bench.add(COUNTS, list(range(300)))
    bench.store.rotate()
    bench.store.maintain()
    bench.store.close()
    (file,) = bench.tiers.short.glob("*/*/*/float64-*.parquet")
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 1
    file.write_bytes(data)
    bench.open()
    table = bench.query.samples("N", 0, 2**62)
    assert 0 < table.num_rows < 500
    assert table.schema.metadata[b"linacre.damaged"] == b"1"
    assert bench.query.samples("C", 0, 2**62).num_rows == 300
    assert bench.store.damaged == 1
    assert [event.kind for event in bench.store.happened()] == ["damaged"]


def test_a_kill_between_segment_and_journal(bench: Bench) -> None:
    bench.add(NUMBERS, list(np.arange(60.0)))
    bench.store.rotate()
    unlink = bench.files.unlink
    bench.files.unlink = lambda path: None
    bench.store.maintain()
    bench.files.unlink = unlink
    assert list(bench.folder.glob("short/journal/*.journal"))
    bench.check(open_reader(bench.folder))
    bench.reopen()
    assert not list(bench.folder.glob("short/journal/*.journal"))
    bench.check()


def test_a_batch_of_many_series(bench: Bench) -> None:
    n = 5000
    for k in range(n):
        bench.store.declare(Series(100 + k, f"P{k}", Kind.FLOAT32, "DBR_FLOAT"))
    ids = np.arange(100, 100 + n, dtype=np.int32)
    zeros = np.zeros(n, np.int32)
    value = np.arange(n, dtype=np.float64).view(np.int64)
    time = np.full(n, bench.now)
    batch = ScalarBatch(ids, time, value, zeros.astype(np.int8), zeros.astype(np.int16), zeros)
    bench.store.append([batch], [])
    bench.store.rotate()
    assert bench.store.maintain()
    assert bench.store.last_times([f"P{k}" for k in range(n)]) == {
        f"P{k}": bench.now for k in range(n)
    }
    assert bench.query.samples("P77", 0, 2**62)["value"].to_pylist() == [77.0]
