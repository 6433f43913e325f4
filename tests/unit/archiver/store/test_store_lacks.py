"""What an archive lacks by damage is told with each answer, whatever becomes of its files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from archiver_fakes import SECOND, FakeClock, FakeSource

from linacre.archiver.model import Kind, Series
from linacre.archiver.reading.damage import damage_of
from linacre.archiver.reading.folder import open_reader
from linacre.archiver.reading.query import Query
from linacre.archiver.store.compaction import Tiers
from linacre.archiver.store.files import OsFiles
from linacre.archiver.store.segments import Limits
from linacre.archiver.store.store import Store

HOUR = 3600.0
LIMITS = Limits(group_rows=200, own_rows=50, rollup_rows=20, rollup_share=2)
NUMBERS = Series(1, "N", Kind.FLOAT64, "DBR_DOUBLE")
COUNTS = Series(2, "C", Kind.INT32, "DBR_LONG")
N = 500


class Kept:
    """A store with `N` samples of two PVs, five a second."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        at = datetime.fromisoformat("2026-11-24T09:50:00").replace(tzinfo=UTC)
        self.clock = FakeClock(at.timestamp())
        self.tiers = Tiers(
            short=folder / "short" / "segments",
            medium=folder / "medium" / "segments",
            long=folder / "long" / "segments",
        )
        self.open()
        self.times = self.now + np.arange(N) * (SECOND // 5)
        source = FakeSource(None, self.clock)
        for series in (NUMBERS, COUNTS):
            source.put(series, self.times, np.arange(N))
        drained = source.drain()
        self.store.append(drained.scalars, drained.blobs)
        self.clock.move(100)

    @property
    def now(self) -> int:
        return int(self.clock.now() * SECOND)

    def open(self) -> None:
        self.store = Store(
            self.folder / "short" / "journal",
            self.tiers,
            files=OsFiles(),
            clock=lambda: self.now,
            limits=LIMITS,
        )
        for one in (NUMBERS, COUNTS):
            self.store.declare(one)
        self.query = Query(self.store.snapshot, None)

    def flush(self) -> None:
        self.store.rotate()
        assert self.store.maintain()

    def reopen(self) -> None:
        self.store.close()
        self.open()

    def told(self, pv: str, start: int = 0, end: int = 2**62) -> set[int]:
        """Return what is told of damage by each way of asking for the same samples."""
        batches = list(self.query.stream(pv, start, end))
        near = open_reader(self.folder)
        return {
            damage_of(self.query.samples(pv, start, end).schema),
            damage_of(batches[-1].schema),
            damage_of(near.samples(pv, start, end).schema),
        }


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    kept = Kept(tmp_path)
    yield kept
    kept.store.close()


def flip(file: Path, share: float) -> None:
    data = bytearray(file.read_bytes())
    data[int(len(data) * share)] ^= 4
    file.write_bytes(data)


def damage_numbers(kept: Kept) -> None:
    (file,) = kept.tiers.short.glob("*/*/*/float64-*.parquet")
    flip(file, 1 / 3)
    kept.reopen()


def test_nothing_is_told_where_nothing_lacks(kept: Kept) -> None:
    assert kept.told("N") == {0}
    kept.flush()
    assert kept.told("N") == kept.told("C") == {0}
    assert [batch.num_rows > 0 for batch in kept.query.stream("N", 0, 2**62)].count(False) == 0


def test_a_stream_tells_after_its_rows_and_goes_on_to(kept: Kept) -> None:
    kept.flush()
    damage_numbers(kept)
    for _ in range(2):
        *pieces, last = kept.query.stream("N", 0, 2**62)
        assert 0 < sum(piece.num_rows for piece in pieces) < N
        assert (last.num_rows, damage_of(last.schema)) == (0, 1)
    assert kept.told("N") == {1}
    assert kept.told("C") == {0}, "it lacks nothing"


def test_only_answers_that_lack_samples_tell(kept: Kept) -> None:
    kept.flush()
    damage_numbers(kept)
    got = set(kept.query.samples("N", 0, 2**62)["time"].to_pylist())
    lacking = [t for t in kept.times.tolist() if t not in got]
    before, after = lacking[0] - 1, lacking[-1] + SECOND
    assert kept.told("N", 0, before) == {0}
    assert kept.told("N", after, 2**62) == {0}
    assert kept.told("N", lacking[3], lacking[5]) == {1}
    assert kept.told("N", lacking[-1] + 1, 2**62) == {1}, "what was current then lacks"
    assert damage_of(kept.query.after("N", before, 1).schema) == 1
    assert damage_of(kept.query.after("N", 0, 3).schema) == 0


def test_bins_tell_what_they_lack_and_not_what_roll_ups_have(kept: Kept) -> None:
    kept.flush()
    damage_numbers(kept)
    start, end = int(kept.times[0]), int(kept.times[-1]) + 1
    fine = kept.query.bins("N", start, end, 400)
    assert sum(fine["count"].to_pylist()) < N
    assert damage_of(fine.schema) == 1
    edge = -(-start // SECOND) * SECOND
    coarse = kept.query.bins("N", edge, edge + 90 * SECOND, 9)
    assert (sum(coarse["count"].to_pylist()), damage_of(coarse.schema)) == (450, 0)


def test_damage_is_told_after_merges_and_restarts(kept: Kept) -> None:
    kept.flush()
    damage_numbers(kept)
    for hours in (2, 30, 24 * 40):
        kept.clock.move(hours * HOUR)
        assert kept.store.maintain()
        kept.reopen()
        assert kept.told("N") == {1}, kept.store.snapshot().segments
        assert kept.told("C") == {0}
        assert kept.store.damaged >= 1
    (segment,) = kept.store.snapshot().segments
    assert segment.name.startswith("2026-11-month")
    coarse = kept.query.bins("N", int(kept.times[0]), int(kept.times[-1]) + 1, 5)
    assert damage_of(coarse.schema) == 1, "roll-ups of a merge have only what was left"


def test_a_damaged_journal_is_told_when_it_is_a_segment_too(kept: Kept) -> None:
    kept.store.close()
    (file,) = (kept.folder / "short" / "journal").glob("*.journal")
    flip(file, 0.9)
    kept.open()
    # Nobody knows whose samples the block had.
    assert kept.told("N") == {1}
    assert kept.store.damaged == 1
    kept.flush()
    kept.reopen()
    assert kept.told("N") == {1}
    day = 24 * 3600 * SECOND
    assert kept.told("N", kept.now + day, kept.now + 2 * day) == {1}, "the newest may lack"
    assert kept.store.damaged == 1


def test_a_segment_that_cannot_be_read_at_all_is_told(kept: Kept) -> None:
    kept.flush()
    (path,) = kept.tiers.short.glob("*/*/*flush*")
    (path / "segment.json").write_bytes(b"{")
    (path / "index.bin").write_bytes(b"LINACRE\x01")
    for _ in range(2):
        kept.reopen()
        assert kept.store.snapshot().lacks("N", 0, 2**62) == 1
        assert kept.store.snapshot().lacks("N", 0, int(kept.times[0]) - 2 * 3600 * SECOND) == 0
        assert kept.store.damaged == 1


def test_a_journal_of_which_nothing_is_left_is_told(kept: Kept) -> None:
    kept.store.close()
    (file,) = (kept.folder / "short" / "journal").glob("*.journal")
    file.write_bytes(b"\x55" * file.stat().st_size)
    at = kept.times[0] / SECOND
    os.utime(file, (at, at))
    assert open_reader(kept.folder).pvs() == []
    for _ in range(2):
        kept.open()
        assert kept.store.snapshot().lacks("N", 0, 2**62) == 1
        assert kept.store.snapshot().lacks("N", kept.now + 2 * 3600 * SECOND, 2**62) == 0
        assert kept.store.damaged == 1
        kept.store.close()
    kept.open()
