"""Bits that flip on the disk: what is damaged is reported and left out, the rest is read."""

from __future__ import annotations

import math
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from segment_samples import HOUR, SMALL, START, Samples, expected, read, rows_of, write

from linacre.archiver.errors import DamagedError
from linacre.archiver.model import NANOSECONDS, Kind
from linacre.archiver.store import compaction, rollups
from linacre.archiver.store.files import OsFiles
from linacre.archiver.store.segments import Damage, Limits, Segment, SegmentSet

SAMPLES: Samples = {
    **{
        (f"pv{n}", Kind.FLOAT64): [
            (START + k * NANOSECONDS // 4, math.sin(k) if n % 2 else k % 4 + 0.5, k % 3, 0, k)
            for k in range(1, 8 * n + 2)
        ]
        for n in range(8)
    },
    ("counter", Kind.INT64): [(START + k, k, 0, 0, 0) for k in range(1, 20)],
    ("text", Kind.STRING): [(START + k, f"text {k % 3}", 0, 0, 0) for k in range(1, 20)],
    ("wave", Kind.FLOAT32_ARRAY): [(START + k, [1.5] * k, 0, 0, 0) for k in range(1, 9)],
    ("changed", Kind.INT32): [(START + k, k, 0, 0, 0) for k in range(1, 9)],
    ("changed", Kind.STRING): [(START + k, "x", 0, 0, 0) for k in range(10, 19)],
}
LIMITS = Limits(**vars(SMALL) | {"groups": 6})
PVS = sorted({pv for pv, _ in SAMPLES})


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("good"), SAMPLES, limits=LIMITS).path


def _flips(path: Path) -> Iterator[tuple[Path, int, int]]:
    chance = random.Random(5)
    for file in sorted(path.iterdir()):
        size = file.stat().st_size
        for at in sorted(chance.sample(range(size), 25 if file.suffix != ".parquet" else 8)):
            yield file, at, chance.randrange(8)


def _check(segment: Segment, told: list[Damage]) -> int:
    """Check that what is read is right; return how many samples lack."""
    lacking = 0
    for pv in PVS:
        want = expected(SAMPLES, pv)
        found = read(segment, pv)
        assert set(map(repr, found)) <= set(map(repr, want))
        assert [row[0] for row in found] == sorted(row[0] for row in found)
        lacking += len(want) - len(found)
        last = segment.last(pv, 2**62)
        assert (last and rows_of(last)[0]) == (found[-1] if found else None)
        for step_s in (*segment.steps(pv), 1):
            steps = segment.rollups(pv, step_s, 0, 2**62)
            if pv.startswith("pv") and len(found) == len(want):
                time = np.array([row[0] for row in want], np.int64)
                value = np.array([row[1] for row in want], np.float64)
                severity = np.array([row[2] for row in want], np.int8)
                right = rollups.rollup(time, value, severity, step_s * NANOSECONDS)
                for name in ("start", "count", "max", "last", "last_time"):
                    np.testing.assert_array_equal(getattr(steps, name), getattr(right, name))
                np.testing.assert_allclose(steps.sum, right.sum, rtol=0, atol=1e-12)
    assert not lacking or told
    assert len(told) == len({(one.file, one.row_group) for one in told})
    return lacking


def test_there_are_roll_ups_and_several_files(good: Path) -> None:
    segment = Segment.open(good)
    assert segment.steps("pv7") == (1, 60)
    assert segment.steps("pv0") == ()
    assert len(list(good.glob("float64-s-*.parquet"))) > 1
    assert _check(segment, []) == 0


@pytest.mark.timeout(300)
def test_any_flipped_bit(good: Path, tmp_path: Path) -> None:
    copy = tmp_path / "2026" / "11" / good.name
    shutil.copytree(good, copy)
    lost: dict[str, int] = {}
    for file, at, bit in _flips(good):
        path = copy / file.name
        content = bytearray(file.read_bytes())
        content[at] ^= 1 << bit
        path.write_bytes(content)
        told: list[Damage] = []
        lacking = _check(Segment.open(copy, on_damage=told.append), told)
        lost[file.name] = max(lost.get(file.name, 0), lacking)
        assert all(one.segment == good.name for one in told)
        path.write_bytes(file.read_bytes())
    # The description, the index and roll-ups are made again from the rest.
    assert lost["index.bin"] == lost["segment.json"] == lost["rollup-000.parquet"] == 0
    # One row group at most, of 16 samples.
    assert 0 < lost["float64-s-000.parquet"] <= 16


def test_files_that_lack_or_are_cut(good: Path, tmp_path: Path) -> None:
    for file in sorted(good.iterdir()):
        for keep in (None, 0, file.stat().st_size // 2):
            copy = tmp_path / "2026" / "11" / good.name
            shutil.copytree(good, copy)
            if keep is None:
                (copy / file.name).unlink()
            else:
                (copy / file.name).write_bytes(file.read_bytes()[:keep])
            told: list[Damage] = []
            lacking = _check(Segment.open(copy, on_damage=told.append), told)
            assert told
            if file.name.startswith(("index", "segment", "rollup")):
                assert lacking == 0
            elif not keep:
                assert lacking > 0
            shutil.rmtree(tmp_path / "2026")


def test_the_copy_serves_where_metadata_and_index_are_damaged_elsewhere(
    good: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "2026" / "11" / good.name
    shutil.copytree(good, copy)
    for name in (f.name for f in good.glob("*.parquet")):
        content = bytearray((copy / name).read_bytes())
        content[-20] ^= 255
        (copy / name).write_bytes(content)
    assert _check(Segment.open(copy), []) == 0


def test_what_cannot_be_read_at_all_is_set_aside(good: Path, tmp_path: Path) -> None:
    copy = tmp_path / "2026" / "11" / good.name
    shutil.copytree(good, copy)
    (copy / "index.bin").write_bytes(b"LINACRE\x01")
    (copy / "segment.json").write_bytes(b"{")
    with pytest.raises(DamagedError):
        Segment.open(copy)
    told: list[Damage] = []
    found = SegmentSet.open([tmp_path], on_damage=told.append)
    assert found.segments == () and [one.segment for one in told] == [good.name]
    assert copy.exists()
    SegmentSet.open([tmp_path], files=OsFiles())
    assert not copy.exists()
    assert (tmp_path / "set-aside" / good.name / "float64-s-000.parquet").exists()
    assert SegmentSet.open([tmp_path], files=OsFiles()).segments == ()


def test_a_merge_takes_what_is_good_and_keeps_the_damaged_segment(tmp_path: Path) -> None:
    old = write(tmp_path, SAMPLES)
    later: Samples = {("pv7", Kind.FLOAT64): [(START + HOUR, 7.0, 0, 0, 0)]}
    new = write(tmp_path, later, number=2)
    path = old.path / "float64-s-000.parquet"
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)
    tiers = compaction.Tiers(short=tmp_path, medium=tmp_path, long=tmp_path)
    (merge,) = compaction.due([old, new], START + 2 * HOUR, tiers=tiers, limits=SMALL)
    merged = compaction.merge(merge, files=OsFiles(), limits=SMALL)
    assert len(old.damage) == 1
    compaction.discard(merge.inputs, files=OsFiles())
    assert (tmp_path / "set-aside" / old.name / path.name).exists()
    assert [one.name for one in SegmentSet.open([tmp_path]).segments] == [merged.name]
    rows = sum(len(some) for some in SAMPLES.values()) + 1
    assert rows - 16 <= merged.rows < rows
    assert read(merged, "pv7") == [*expected(SAMPLES, "pv7"), (START + HOUR, 7.0, 0, 0, 0)]
