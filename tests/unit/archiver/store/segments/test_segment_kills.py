"""A process that is killed anywhere leaves each sample exactly once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from segment_samples import (
    DAY,
    HOUR,
    SMALL,
    START,
    KilledError,
    MortalFiles,
    Samples,
    expected,
    read,
    write,
)

from linacre.archiver.model import Kind
from linacre.archiver.store import compaction, retention
from linacre.archiver.store.files import OsFiles
from linacre.archiver.store.segments import SegmentSet


def _samples(hour: int) -> Samples:
    at = START + hour * HOUR
    return {
        ("a", Kind.FLOAT64): [(at + k * 10**9, k / 7, 0, 0, 0) for k in range(1, 30)],
        ("b", Kind.STRING): [(at + k * 10**9, f"text {k}", 1, 2, 3) for k in range(1, 4)],
    }


def _readable(root: Path, pv: str) -> list[object]:
    found = SegmentSet.open([root / "short", root / "long"], files=OsFiles())
    return [row for segment in found.find(pv, 0, 2**62) for row in read(segment, pv)]


def _unfinished(root: Path) -> list[Path]:
    return [*root.rglob(".tmp-*")]


def test_a_segment_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    samples = _samples(0)
    whole = 0
    for k in range(200):
        root = tmp_path / str(k)
        files = MortalFiles(left=k)
        try:
            write(root / "short", samples, files=files, replaces=["j"])
            whole += 1
        except KilledError:
            pass
        found = SegmentSet.open([root / "short"], files=OsFiles())
        assert not _unfinished(root)
        for pv in "ab":
            rows = [row for segment in found.segments for row in read(segment, pv)]
            assert rows in ([], expected(samples, pv))
        # The journal goes only if the segment is there.
        assert (found.replaces == {"j"}) == bool(found.segments)
        if whole:
            assert found.segments
            break
    assert k > 15


def test_a_merge_loses_and_doubles_nothing(tmp_path: Path) -> None:
    first = tmp_path / "first"
    for hour in range(3):
        write(first / "short", _samples(hour), number=hour + 1, start_ns=START + hour * HOUR)
    want = {pv: [row for hour in range(3) for row in expected(_samples(hour), pv)] for pv in "ab"}
    for k in range(300):
        root = tmp_path / str(k)
        shutil.copytree(first, root)
        tiers = compaction.Tiers(short=root / "short", medium=root / "short", long=root / "long")
        files = MortalFiles(left=k)
        before = SegmentSet.open([root / "short"])
        killed = True
        try:
            (merge,) = compaction.due(before.segments, START + 2 * DAY, tiers=tiers, limits=SMALL)
            compaction.merge(merge, files=files, limits=SMALL)
            compaction.discard(merge.inputs, files=files)
            killed = False
        except KilledError:
            pass
        # Another process that only reads sees it right at once, before anything is cleaned up.
        reader = SegmentSet.open([root / "short", root / "long"])
        for pv in "ab":
            rows = [row for one in reader.find(pv, 0, 2**62) for row in read(one, pv)]
            assert rows == want[pv]
            assert _readable(root, pv) == want[pv]
        assert not _unfinished(root)
        shutil.rmtree(root)
        if not killed:
            break
    assert k > 25


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    class FullFiles(OsFiles):
        def create(self, path: Path) -> object:  # type: ignore[override]
            if path.name == "index.bin":
                raise OSError(28, "No space left on device")
            return super().create(path)

    with pytest.raises(OSError, match="No space"):
        write(tmp_path, _samples(0), files=FullFiles())
    assert not _unfinished(tmp_path)
    assert SegmentSet.open([tmp_path]).segments == ()
    assert write(tmp_path, _samples(0)).rows == 32


def test_retention_by_age_and_by_size(tmp_path: Path) -> None:
    short, long = tmp_path / "short", tmp_path / "long"
    for hour in range(5):
        write(short, _samples(hour), number=hour + 1, start_ns=START + hour * HOUR)
    write(long, _samples(9), number=9, start_ns=START + 9 * HOUR)
    found = SegmentSet.open([short, long])
    now = START + 10 * HOUR
    rules = {short: retention.Rule(max_age_s=3600 * 7)}
    due = retention.due(found.segments, now, rules)
    assert [one.number for one in due] == [1, 2]
    room = sum(one.bytes for one in found.segments[2:5])
    both = {short: retention.Rule(max_age_s=3600 * 8, max_bytes=room), long: retention.Rule()}
    assert retention.due(found.segments, now, both) == due
    assert retention.due(found.segments, now, {long: retention.Rule(max_bytes=0)})[0].number == 9
    retention.remove(due, files=OsFiles())
    left = SegmentSet.open([short, long], files=OsFiles())
    assert [one.number for one in left.segments] == [3, 4, 5, 9]


def test_reading_what_was_removed_says_so(tmp_path: Path) -> None:
    segment = write(tmp_path, _samples(0))
    retention.remove([segment], files=OsFiles())
    with pytest.raises(FileNotFoundError):
        read(segment, "a")
