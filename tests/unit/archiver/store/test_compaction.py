"""Which merges are due when."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from segment_samples import DAY, HOUR, START

from linacre.archiver.store import compaction
from linacre.archiver.store.compaction import Tiers
from linacre.archiver.store.segments import Level, Limits, SegmentName
from linacre.archiver.store.segments.description import Description

TIERS = Tiers(short=Path("/s"), medium=Path("/m"), long=Path("/l"))
MINUTE = 60 * 10**9


@dataclass
class Stub:
    """What the plan looks at."""

    level: Level
    start_ns: int
    number: int
    rows: int = 1000
    bytes: int = 1000
    path: Path = field(init=False)
    description: Description = field(init=False)

    def __post_init__(self) -> None:
        name = SegmentName(self.level, self.level.floor(self.start_ns), self.number)
        self.path = Path(str(name))
        nothing: dict[str, Any] = {"first_ns": 0, "last_ns": 0, "parts": (), "replaces": ()}
        self.description = Description(name=name, rows=self.rows, **nothing)


def plan(segments: list[Stub], now: int, **more: Any) -> list[tuple[str, list[int]]]:
    some: Any = segments
    found = compaction.due(some, now, tiers=TIERS, **more)
    return [(str(merge.name), [one.number for one in merge.inputs]) for merge in found]


def flushes(*hours: float) -> list[Stub]:
    return [Stub(Level.FLUSH, START + int(h * HOUR), n) for n, h in enumerate(hours, 1)]


def test_an_hour_is_merged_when_it_is_over() -> None:
    some = flushes(0, 0.5, 1)
    assert plan(some, START + HOUR + MINUTE) == []
    assert plan(some, START + HOUR + 3 * MINUTE) == [("2026-11-24T00-hour-00000002", [1, 2])]
    assert plan(some, START + HOUR + 3 * MINUTE, open_ns=START) == []


def test_a_single_segment_of_an_hour_is_kept_as_it_is() -> None:
    assert plan(flushes(0), START + 5 * HOUR) == []


def test_a_day_takes_hours_and_what_was_never_merged() -> None:
    some = [Stub(Level.HOUR, START, 3), *flushes(5)]
    some[1].number = 4
    assert plan(some, START + DAY) == []
    assert plan(some, START + DAY + 3 * MINUTE) == [("2026-11-24-day-00000004", [3, 4])]
    single = [Stub(Level.HOUR, START, 3)]
    assert plan(single, START + DAY + 3 * MINUTE) == [("2026-11-24-day-00000003", [3])]
    assert plan([Stub(Level.DAY, START, 3)], START + DAY + 3 * MINUTE) == []


def test_after_a_long_stop_months_are_made_at_once() -> None:
    some = flushes(0, 0.5, 30, 24 * 8)
    found = compaction.due(some, START + 60 * DAY, tiers=TIERS)  # type: ignore[arg-type]
    assert [(str(m.name), m.folder) for m in found] == [
        ("2026-11-month-00000003", Path("/l")),
        ("2026-12-month-00000004", Path("/l")),
    ]


def test_year_ends() -> None:
    end = Level.MONTH.end(START)
    assert SegmentName(Level.MONTH, end, 1).folder(Path("/")) == Path(
        "/2026/12/2026-12-month-00000001"
    )
    assert SegmentName(Level.DAY, Level.MONTH.end(end), 1).folder(Path("/")) == Path(
        "/2027/01/2027-01-01-day-00000001"
    )
    for level in Level:
        name = SegmentName(level, level.floor(end + HOUR), 77, 2)
        assert SegmentName.parse(str(name)) == name


def test_a_late_journal_of_a_day_that_was_merged_joins_it() -> None:
    day = Stub(Level.DAY, START, 5)
    late = Stub(Level.FLUSH, START + 3 * HOUR, 6)
    assert plan([day, late], START + 2 * DAY) == [("2026-11-24-day-00000006", [5, 6])]
    early = Stub(Level.FLUSH, START + 3 * HOUR, 4)
    assert plan([early, day], START + 2 * DAY) == [("2026-11-24-day-00000005-r1", [4, 5])]


def test_after_a_clock_steps_back_only_neighbours_are_merged() -> None:
    some = flushes(1, 1, 0, 0, 1, 1)
    assert plan(some, START + 3 * HOUR) == [
        ("2026-11-24T01-hour-00000002", [1, 2]),
        ("2026-11-24T00-hour-00000004", [3, 4]),
        ("2026-11-24T01-hour-00000006", [5, 6]),
    ]


@pytest.mark.parametrize("of", ["rows", "bytes"])
def test_what_is_large_is_not_merged_further(of: str) -> None:
    limits = replace(Limits(), **{f"segment_{of}": 2500})
    some = flushes(0, 0.1, 0.2, 0.3)
    assert [inputs for _, inputs in plan(some, START + 2 * HOUR, limits=limits)] == [
        [1, 2],
        [3, 4],
    ]
    hours = [Stub(Level.HOUR, START, n, **{of: 2000}) for n in (2, 4)]
    assert plan(hours, START + 2 * HOUR, limits=limits) == []
    huge = [Stub(Level.HOUR, START, 2, **{of: 5000})]
    assert plan(huge, START + 3 * DAY, limits=limits) == []


def test_many_segments_are_merged_in_turns() -> None:
    limits = Limits(inputs=4)
    some = flushes(*([0] * 10), *([1] * 3))
    assert [inputs for _, inputs in plan(some, START + 3 * DAY, limits=limits)] == [
        [1, 2, 3, 4],
        [5, 6, 7, 8],
        [9, 10],
        [11, 12, 13],
    ]
    same_hour = flushes(*([0] * 6))
    assert plan(same_hour, START + 3 * HOUR, limits=limits) != []


def test_nothing_is_due_once_all_is_merged() -> None:
    some = [Stub(Level.MONTH, START, 9), Stub(Level.DAY, START + 10 * DAY, 12)]
    assert plan(some, START + 11 * DAY + HOUR) == []
