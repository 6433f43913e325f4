"""What the benchmark of growth makes of what it measured."""

from __future__ import annotations

import os
import sys
from ipaddress import IPv4Network
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import scale
from common import processes
from common.costs import Cost, middle, timed, total
from common.facility import BenchFacility, database
from common.growth import Batch, boundaries, first_and_last, growth, table
from linacre.base.errors import LinacreError
from linacre.declaration.load import load


def cost(s: float, *, client: float = 0.5, daemon: float | None = 0.25, status: int = 0) -> Cost:
    return Cost(
        began=100.0,
        ended=100.0 + s,
        client_cpu_s=client,
        daemon_cpu_s=daemon,
        host_cpu_s=2.0,
        status=status,
    )


def options_of(monkeypatch: pytest.MonkeyPatch, *argv: str) -> Any:
    monkeypatch.setattr(sys, "argv", ["scale", *argv])
    return scale._options()


def facility(folder: Path) -> BenchFacility:
    subnet = IPv4Network("10.63.0.0/20")
    return BenchFacility("bench-x", folder, subnet, "incus", database(20), most=500)


def test_sizes_are_taken_smallest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert options_of(monkeypatch).n == (15, 50, 100, 200, 500)
    assert options_of(monkeypatch, "-n", "50,15,50").n == (15, 50)


@pytest.mark.parametrize("text", ["15,", "0", "15;50", "-5", "many"])
def test_sizes_typed_wrong_are_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    with pytest.raises(SystemExit):
        options_of(monkeypatch, f"-n={text}")
    assert "numbers with commas between, such as 15,50,100" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("sizes", "batch", "expected"),
    [
        ((15, 50, 100, 200), 50, [15, 50, 100, 150, 200]),
        ((15, 50), 50, [15, 50]),
        ((50, 70), 50, [20, 50, 70]),
        ((120,), 50, [50, 70, 100, 120]),
        ((200,), 500, [200]),
    ],
)
def test_no_up_adds_more_than_a_batch(
    sizes: tuple[int, ...], batch: int, expected: list[int]
) -> None:
    found = boundaries(sizes, batch)
    assert found == expected
    assert set(sizes) <= set(found)
    assert all(after - before <= batch for before, after in pairwise([0, *found]))


def test_first_and_last_batch_of_each_size() -> None:
    batches = [Batch(0, 15, 4.0), Batch(15, 50, 6.0), Batch(50, 100, 11.0), Batch(100, 150, 15.0)]
    expected = {"first_50_s": 10.0, "last_50_s": 11.0, "last_to_first": 1.1}
    assert first_and_last(batches, size=100, batch=50) == expected
    assert first_and_last(batches, size=150, batch=50)["last_to_first"] == 1.5
    # The first are the last: there is nothing to compare.
    assert first_and_last(batches, size=50, batch=50) == {}


def test_last_batch_of_a_size_between() -> None:
    batches = [Batch(0, 50, 10.0), Batch(50, 70, 4.0), Batch(70, 100, 6.0), Batch(100, 120, 5.0)]
    assert first_and_last(batches, size=120, batch=50)["last_50_s"] == 11.0


def test_medians_of_runs_of_a_command() -> None:
    found = middle([cost(1.0), cost(9.0, client=0.7), cost(2.0, status=1)])
    assert found == {
        "s": 2.0,
        "client_cpu_s": 0.5,
        "daemon_cpu_s": 0.25,
        "host_cpu_s": 2.0,
        "each_s": [1.0, 9.0, 2.0],
        "exit_status": 1,
    }


def test_cpu_of_a_daemon_that_has_ended_is_not_told() -> None:
    assert middle([cost(1.0, daemon=None)]) == {"s": 1.0, "client_cpu_s": 0.5, "host_cpu_s": 2.0}


def test_cost_of_all_ups_together() -> None:
    assert total([cost(1.0), cost(2.5)]) == {
        "s": 3.5,
        "client_cpu_s": 1.0,
        "daemon_cpu_s": 0.5,
        "host_cpu_s": 4.0,
    }


SIZES: dict[str, Any] = {
    "100": {
        "up": {"s": 30.0, "first_50_s": 12.0, "last_50_s": 18.0, "last_to_first": 1.5},
        "status": {"s": 2.0, "client_cpu_s": 0.5, "daemon_cpu_s": 0.0, "each_s": [2.0]},
        "memory": {"available_used_bytes": 1_200_000_000},
    },
    "200": {
        "status": {"s": 5.0, "client_cpu_s": 0.6, "daemon_cpu_s": 1.5},
        "down": {"s": 3.0, "client_cpu_s": 0.4},
    },
}


def test_growth_from_each_size_to_the_next() -> None:
    assert growth(SIZES) == {"100 to 200": {"status": {"s": 2.5, "client_cpu_s": 1.2}}}
    assert growth({"100": SIZES["100"]}) == {}


def test_table_of_what_is_there() -> None:
    lines = [line.split("  ") for line in table(SIZES).splitlines()]
    rows = {words[0]: [word.strip() for word in words[1:] if word.strip()] for words in lines}
    assert rows["seconds (CPU of client + daemon)"] == ["n=100", "n=200"]
    assert rows["status"] == ["2.00 (0.50+0.00)", "5.00 (0.60+1.50)"]
    assert rows["down"] == ["-", "3.00 (0.40)"]
    assert rows["memory"] == ["1200 MB", "-"]
    assert rows["up: the first 50"] == ["12.00", "-"]
    assert rows["up: the last 50"] == ["18.00", "-"]


def test_table_of_nothing_is_a_heading() -> None:
    assert table({}) == "seconds (CPU of client + daemon)"


def test_one_ioc_has_a_source_of_its_own_that_stays_changed(tmp_path: Path) -> None:
    made = facility(tmp_path)
    made.write(2, apart=(0,))
    own, common = made.source(0, apart=(0,)), made.source(1, apart=(0,))
    (own / "small.db").write_text("# changed\n")
    made.write(3, apart=(0,))
    assert (own / "small.db").read_text() == "# changed\n"
    assert (common / "small.db").read_text().count("record(") == 20
    declared = load(made.file).facility
    sources = [getattr(each.source, "folder", None) for each in declared.iocs.values()]
    assert sources == ["ioc0000", "small", "small"]


def test_pool_is_large_enough_from_the_beginning(tmp_path: Path) -> None:
    made = facility(tmp_path)
    sizes: list[int] = []
    for count in (0, 500):
        made.write(count)
        engine = load(made.file).facility.engine
        sizes.append(int(getattr(engine, "pool_size")))  # noqa: B009
    assert sizes[0] == sizes[1] > 500 * 20 * 1024**2


def test_cost_of_a_command_is_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    busy = "import time\nwhile time.process_time() < 0.2: pass"

    def argv(_facility: BenchFacility, *arguments: str) -> list[str]:
        return [sys.executable, "-c", busy if arguments == ("status",) else "exit(1)"]

    monkeypatch.setattr(BenchFacility, "argv", argv)
    monkeypatch.setattr(processes, "daemons", lambda _folder: [])
    made = facility(tmp_path)
    found = timed(made, "status")
    assert found.client_cpu_s >= 0.2
    assert found.wall_s >= 0.2
    assert timed(made, "doctor", allowed=(0, 1)).status == 1
    with pytest.raises(LinacreError, match="linacre doctor failed in the benchmark"):
        timed(made, "doctor")


def test_cpu_of_a_daemon_that_ends_with_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(BenchFacility, "argv", lambda *_: [sys.executable, "-c", ""])
    monkeypatch.setattr(processes, "cpu_of", lambda pids: float(sum(pids)))

    def daemons(*looks: list[int]) -> None:
        left = iter(looks)
        monkeypatch.setattr(processes, "daemons", lambda _folder: next(left))

    made = facility(tmp_path)
    daemons([7], [])
    assert timed(made, "down").daemon_cpu_s is None
    daemons([], [7])
    assert timed(made, "up").daemon_cpu_s == 7.0
    daemons([7], [7])
    assert timed(made, "status").daemon_cpu_s == 0.0


def test_memory_of_a_process_is_read() -> None:
    assert processes.rss_of([os.getpid()]) > 10_000_000
    assert processes.rss_of([]) == 0
