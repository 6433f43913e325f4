from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from test_launch_scripts import LAYOUT

from linacre.epics.report import (
    DOWN,
    MOST_PVS,
    ServedPv,
    is_restart_loop,
    pv_count,
    report,
    served_pvs,
)
from linacre.epics.start_errors import read_start_errors

STAT = "42 (an (odd) name) S 1 " + " ".join(["0"] * 17) + " 777 0 0\n"


def reader(**files: str):
    machine = {str(LAYOUT.run / name.replace("_", ".")): text for name, text in files.items()}
    machine["/proc/42/stat"] = STAT

    def read(path: PurePosixPath) -> bytes | None:
        text = machine.get(str(path))
        return None if text is None else text.encode()

    return read


UP = {"procserv_pid": "42 777\n", "ioc_pid": "42 777\n"}


def look(**files: str):
    return report(reader(**files), LAYOUT, now=lambda: 1000.0)


def test_nothing_there_is_down() -> None:
    assert look() == DOWN


def test_booted_ioc_counts_its_pvs() -> None:
    found = look(**UP, starts="900\n", booted="Channel Access Server\n", pvs="A\nB\n")
    assert found.procserv_up
    assert found.ioc_up
    assert found.booted
    assert found.started_at == 900.0
    assert found.pv_count == 2
    assert not found.restart_loop


def test_pid_of_another_process_is_not_the_ioc() -> None:
    found = look(**{**UP, "ioc_pid": "42 776\n"}, starts="900\n", booted="x", pvs="A\n")
    assert found.procserv_up
    assert not found.ioc_up
    assert found.started_at is None
    assert found.pv_count is None


@pytest.mark.parametrize("text", ["", "42", "42 777 1", "x y", "\x00\x01"])
def test_broken_pid_file_is_down(text: str) -> None:
    assert not look(procserv_pid=text, ioc_pid=text).procserv_up


def test_empty_mark_is_not_booted() -> None:
    assert not look(**UP, starts="900\n", booted="\n", pvs="A\n").booted


SCRIPT_ENDED = {**UP, "starts": "900\n", "start-errors": "1\niocInit\tno memory\n"}


def test_a_script_that_has_not_ended_has_no_errors_yet() -> None:
    for text in ("", "\n"):
        found = look(**{**SCRIPT_ENDED, "start-errors": text})
        assert found.start_errors is None
        assert not found.lacks_ioc_init


def test_errors_of_the_script_are_told_of_one_that_runs() -> None:
    found = look(**SCRIPT_ENDED, booted="Channel Access Server\n", pvs="")
    assert found.start_errors is not None
    assert found.start_errors.told == ("iocInit: no memory",)
    assert not found.lacks_ioc_init
    assert look(**{**SCRIPT_ENDED, "ioc_pid": ""}).start_errors is None


def test_a_script_that_ended_without_ioc_init() -> None:
    assert look(**SCRIPT_ENDED, booted="").lacks_ioc_init


def test_a_procserv_that_hangs_is_told_while_it_is_there() -> None:
    assert look(**UP, **{"procserv-hangs": "hangs\n"}).procserv_hangs
    assert not look(**UP).procserv_hangs
    assert not look(**{"procserv-hangs": "hangs\n"}).procserv_hangs


def test_half_written_list_ends_at_its_last_whole_name() -> None:
    for listing in ("A\nB\nCLA-S0", 'A, "ai", "a"\n\n \nB\r\n', "", "A"):
        assert pv_count(listing.encode()) == len(served_pvs(listing.encode())), listing
    assert served_pvs(b"A\nB\nCLA-S0") == (ServedPv("A"), ServedPv("B"))


def test_a_listing_tells_types_and_descriptions_or_names_alone() -> None:
    listing = b'A:B, "ai", "Beam, "x" pos"\nA:C, "bo", ""\nA:D\nA:E, "ao", "cut he'
    assert served_pvs(listing) == (
        ServedPv("A:B", "ai", 'Beam, "x" pos'),
        ServedPv("A:C", "bo"),
        ServedPv("A:D"),
    )


@pytest.mark.parametrize(
    ("starts", "hold_off_s", "loop"),
    [
        ([], 15, False),
        ([990.0], 15, False),
        ([960.0, 975.0, 990.0], 15, True),
        ([900.0, 920.0, 939.0], 15, False),
        ([890.0, 930.0, 970.0], 40, True),
        ([100.0, 200.0, 990.0], 15, False),
    ],
)
def test_restart_loop(starts: list[float], hold_off_s: float, loop: bool) -> None:
    assert is_restart_loop(starts, now=1000.0, hold_off_s=hold_off_s) is loop


def test_what_root_in_the_machine_writes_is_bounded() -> None:
    """Times of no calendar, counts without end, a line of a megabyte, lines without number."""
    errors = "9" * 5000
    found = look(**UP, starts=f"{'9' * 300}\n900\n", **{"start-errors": errors})
    assert (found.started_at, found.start_errors) == (900.0, None)
    told = read_start_errors(b"3\n" + (b"x" * 1_000_000 + b"\n") * 30)
    assert told is not None
    assert (told.count, len(told.first)) == (3, 20)
    assert max(len(str(each)) for each in told.first) <= 502
    assert [len(pv.name) for pv in served_pvs(b"x" * 1_000_000 + b"\n")] == [1000]
    assert len(served_pvs(b"x\n" * (MOST_PVS + 10))) == MOST_PVS
