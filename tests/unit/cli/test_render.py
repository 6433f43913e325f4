from __future__ import annotations

import io
import json
import re
import time
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from rich.console import Console

from linacre.cli.render import (
    UpProgress,
    duration,
    print_facts,
    print_json,
    print_table,
    state_text,
)


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_off_a_terminal_a_table_is_plain_and_nothing_is_cut() -> None:
    out = io.StringIO()
    long = "x" * 300
    print_table(["NAME", "STATE"], [["[S02]", state_text("done")], [long, "y"]], stream=out)
    lines = [line.split() for line in out.getvalue().splitlines()]
    assert lines == [["NAME", "STATE"], ["[S02]", "done"], [long, "y"]]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_states_are_coloured_and_what_is_too_wide_is_folded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = Terminal()
    print_table(["NAME", "STATE"], [["a", state_text("done")], ["bc", "y"]], stream=out)
    assert out.getvalue().splitlines() == [
        "\x1b[1mNAME\x1b[0m  \x1b[1mSTATE\x1b[0m",
        "a     \x1b[32mdone\x1b[0m",
        "bc    y",
    ]
    out = Terminal()
    print_table(["NAME", "STATE"], [["x" * 60, "y"]], stream=out)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())
    assert all(len(line) <= 40 for line in plain.splitlines())
    assert out.getvalue().count("x") == 60
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    print_table(["NAME"], [[state_text("done")]], stream=out)
    assert out.getvalue() == "NAME\ndone\n"


def test_wide_and_many_lines_are_aligned_and_nothing_moves_the_cursor() -> None:
    out = io.StringIO()
    rows = [["磁石", "a\nb"], ["e\u0301", "c"], ["\x1b[2Jq", state_text("done")]]
    print_table(["NAME", "WHAT"], rows, stream=out)
    assert out.getvalue().splitlines() == [
        "NAME    WHAT",
        "磁石    a",
        "        b",
        "e\u0301       c",
        "^[[2Jq  done",
    ]


def test_facts_are_told_as_people_read_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    facts = {
        "name": "drift",
        "started_at": 1795856184.0,
        "uptime_s": 185.2,
        "has_ended": False,
        "archives": ("CLA-*:READI", "X"),
        "rate_hz": 25.23700595,
        "disk_bytes": 20 << 30,
        "bytes": 33_000,
        "cable": None,
        "area": "",
        "starts": 1,
    }
    print_facts(facts)
    assert capsys.readouterr().out.splitlines() == [
        "name        drift",
        "started at  2026-11-28 08:56:24",
        "uptime      3 min 05 s",
        "has ended   no",
        "archives    CLA-*:READI X",
        "rate        25.2/s",
        "disk        20 GiB",
        "bytes       32 KiB",
        "cable       -",
        "area        -",
        "starts      1",
    ]


def test_json_takes_what_models_are_made_of() -> None:
    @dataclass(frozen=True)
    class Ioc:
        name: str
        address: IPv4Address

    out = io.StringIO()
    data = {"ioc": Ioc("µ", IPv4Address("10.0.0.1")), "path": Path("/x"), "set": {"b", "a"}}
    print_json(data, stream=out)
    assert json.loads(out.getvalue()) == {
        "ioc": {"name": "µ", "address": "10.0.0.1"},
        "path": "/x",
        "set": ["a", "b"],
    }


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.97, "10 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (7800, "2 h 10 min"),
        (273600, "3 d 4 h"),
    ],
)
def test_a_length_of_time_is_said_as_people_do(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_off_a_terminal_progress_is_a_plain_line_for_each_step_that_ended() -> None:
    out, time = io.StringIO(), Time()
    with UpProgress(console=Console(file=out, width=40), monotonic=time) as progress:
        progress.expect(3)
        progress.started("a", "make S02-MAG")
        progress.started("b", "make [S02-BPM]")
        time.now = 2.0
        progress.done("a")
        progress.failed("b", "no space left in the storage pool of clara; make room there")
        progress.note("the first PV answered after 2.0 s")

    assert out.getvalue().splitlines() == [
        "done   make S02-MAG  2.0 s",
        "failed make [S02-BPM]  2.0 s: no space left in the storage pool of clara; make room there",
        "the first PV answered after 2.0 s",
    ]


def test_on_a_terminal_running_steps_and_the_count_are_seen() -> None:
    out, time = io.StringIO(), Time()
    console = Console(file=out, force_terminal=True, width=80)
    with UpProgress(total=20, console=console, monotonic=time) as progress:
        for number in range(15):
            progress.started(str(number), f"make IOC-{number}")
        time.now = 65.0
        progress.done("0")

    shown = out.getvalue()
    assert "make IOC-11" in shown and "1 min 05 s" in shown
    assert "and 2 more" in shown and "1 of 20 steps" in shown
