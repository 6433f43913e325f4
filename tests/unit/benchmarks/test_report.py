"""What a benchmark measured is printed, whatever ends it, and nothing of it stays behind."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from common.ending import Told
from common.facility import BenchFacility, bench_facility
from common.report import Keep, medians, report, within
from linacre.base.errors import BusyError, LinacreError, UserError


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return json.loads(capsys.readouterr().out)


def run(work: Any, *, repeat: int = 1) -> int:
    return report("x", aim={"aim_s": 60}, repeat=repeat, conditions=lambda: {"n": 1}, run=work)


def test_medians_of_every_number_by_name() -> None:
    runs = [{"a": 1.0, "in": {"b": 5}}, {"a": 9.0, "in": {"b": 6}}, {"a": 2.0, "in": {"b": 50_000}}]
    assert medians(runs) == {"a": 2.0, "in": {"b": 6}}


def test_runs_before_a_failure_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    values = iter([1.5])

    def work(keep: Keep) -> None:
        try:
            keep({"total_s": next(values)})
        except StopIteration:
            raise LinacreError("it broke") from None

    status = run(work, repeat=2)
    said = capsys.readouterr()
    assert status == 1
    assert json.loads(said.out)["runs"] == [{"total_s": 1.5}]
    assert json.loads(said.out)["error"] == "it broke"
    assert "linacre bench: it broke" in said.err


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (LinacreError("it broke"), 1, "it broke"),
        (UserError("--subnet is too small"), 2, "--subnet is too small"),
        (KeyError("took_s"), 1, "KeyError('took_s')"),
    ],
)
def test_what_was_measured_before_a_failure_is_printed(
    capsys: pytest.CaptureFixture[str], error: Exception, status: int, words: str
) -> None:
    def work(keep: Keep) -> None:
        keep({"first_s": 1.5, "n": 1})
        keep({"n": 2})
        raise error

    assert run(work) == status
    found = told(capsys)
    assert found["error"] == words
    assert found["conditions"] == {"n": 1}
    assert found["runs"] == [{"first_s": 1.5, "n": 2}]
    assert found["median"] == {"first_s": 1.5, "n": 2}


def test_a_run_that_failed_half_way_is_no_part_of_the_medians(
    capsys: pytest.CaptureFixture[str],
) -> None:
    values = iter([1, 2, 60])

    def work(keep: Keep) -> None:
        keep({"s": next(values)})
        if next(iter([*values][:1]), None) == 60:
            return
        raise LinacreError("it broke")

    assert run(work, repeat=2) == 1
    assert told(capsys)["median"] == {"s": 1}


def test_a_failure_before_anything_was_measured_is_still_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def work(keep: Keep) -> None:
        raise LinacreError("it broke at once")

    assert run(work) == 1
    found = told(capsys)
    assert (found["error"], found["runs"], found["median"]) == ("it broke at once", [], {})


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def heeded(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """A signal that ends a program, also where nohup or a shell has the tests ignore it."""
    number: signal.Signals = request.param
    before = signal.getsignal(number)
    default = signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL
    signal.signal(number, default)
    yield number
    signal.signal(number, before)


def test_what_was_measured_before_a_signal_is_printed(
    capsys: pytest.CaptureFixture[str], heeded: signal.Signals
) -> None:
    before = signal.getsignal(heeded)

    def work(keep: Keep) -> None:
        keep({"first_s": 1.5})
        os.kill(os.getpid(), heeded)
        signal.pause()

    assert run(work) == 128 + heeded
    found = told(capsys)
    assert (found["error"], found["runs"]) == (f"ended by {heeded.name}", [{"first_s": 1.5}])
    assert signal.getsignal(heeded) == before


def test_what_clearing_up_said_does_not_hide_what_went_wrong(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def work(keep: Keep) -> None:
        try:
            raise LinacreError("the swap failed")
        finally:
            raise LinacreError("so did the removal")

    assert run(work) == 1
    assert told(capsys)["error"] == "the swap failed; then: so did the removal"


def test_figures_are_in_a_file_until_they_are_printed(
    capsys: pytest.CaptureFixture[str], state_folder: Path
) -> None:
    found: list[dict[str, Any]] = []

    def work(keep: Keep) -> None:
        part = within(keep, "swaps")
        part({"n": 1})
        part({"gap_s": 0.1})
        found.append(json.loads((state_folder / "bench-x.json").read_text()))

    assert run(work) == 0
    assert found[0]["runs"] == [{"swaps": {"n": 1, "gap_s": 0.1}}]
    assert found[0]["error"] == "it has not ended"
    assert "error" not in told(capsys)
    assert not (state_folder / "bench-x.json").exists()


def test_who_is_refused_leaves_the_file_of_who_runs(state_folder: Path) -> None:
    file = state_folder / "bench-x.json"

    def refused(keep: Keep) -> None:
        raise BusyError("bench-x runs already")

    def work(keep: Keep) -> None:
        keep({"first_s": 1.5})
        assert run(refused) == 1
        assert json.loads(file.read_text())["runs"] == [{"first_s": 1.5}]

    assert run(work) == 0
    assert not file.exists()


def test_the_facility_is_removed_after_a_signal(
    monkeypatch: pytest.MonkeyPatch, heeded: signal.Signals
) -> None:
    ran: list[tuple[str, ...]] = []
    ignored: list[bool] = []

    def fake(facility: BenchFacility, *arguments: str) -> str:
        ran.append(arguments)
        ignored.append(signal.getsignal(heeded) is signal.SIG_IGN)
        if arguments[0] == "down" and len(ran) == 2:
            raise LinacreError("not the first time")
        return ""

    monkeypatch.setattr(BenchFacility, "run", fake)
    with (
        pytest.raises(Told),
        bench_facility("bench-x", subnet=IPv4Network("10.63.0.0/20")) as facility,
    ):
        facility.paths.root.mkdir(parents=True)
        facility.run("up", "--yes")
        os.kill(os.getpid(), heeded)
        signal.pause()
    purge = ("down", "--purge", "--yes")
    assert ran == [("up", "--yes"), purge, purge]
    assert ignored == [False, True, True]
    assert not facility.folder.exists()
