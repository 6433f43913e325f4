from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from linacre.base import processes
from linacre.base.errors import LinacreError
from linacre.base.processes import ProcessId, ProcessStat, all_processes, run_tool

OTHER_BOOT = "11111111-2222-3333-4444-555555555555"


def test_this_process_is_alive() -> None:
    assert ProcessId.own() == ProcessId.of(os.getpid())
    assert ProcessId.own().is_alive


def test_a_process_with_the_same_pid_that_started_later_is_another() -> None:
    own = ProcessId.own()
    boot, _, ticks = own.started.rpartition(":")
    assert not replace(own, started=f"{boot}:{int(ticks) - 1}").is_alive


def test_no_process_is_one_of_another_boot_whatever_its_id_and_ticks() -> None:
    own = ProcessId.own()
    ticks = own.started.rpartition(":")[2]
    earlier = replace(own, started=f"{OTHER_BOOT}:{ticks}")
    assert not earlier.is_alive
    earlier.kill(signal.SIGKILL)
    assert ProcessId.parse(str(earlier)) == earlier


def test_a_killed_process_is_gone_even_before_it_is_waited_for() -> None:
    child = subprocess.Popen(["sleep", "60"])
    found = ProcessId.of(child.pid)
    assert found is not None
    found.kill(signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not found.is_alive
    assert ProcessId.of(child.pid) is None
    child.wait()
    assert not found.is_alive
    found.kill(signal.SIGKILL)


def test_only_the_very_process_gets_a_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = ProcessId.of(child.pid)
        assert found is not None
        replace(found, started=f"{OTHER_BOOT}:1").kill(signal.SIGKILL)
        assert found.is_alive

        def refused(pid: int) -> int:
            raise PermissionError

        monkeypatch.setattr(processes.os, "pidfd_open", refused)
        replace(found, started=f"{OTHER_BOOT}:1").kill(signal.SIGKILL)
        assert found.is_alive
        found.kill()
        assert child.wait() == -signal.SIGTERM


def test_what_is_written_is_read_again() -> None:
    own = ProcessId.own()
    assert ProcessId.parse(f"{own}\n") == own
    # As pid files were written before the boot stood in them.
    assert ProcessId.parse(f"{own.pid} {own.started.rpartition(':')[2]}") == own


@pytest.mark.parametrize("text", ["", "1", "1 2 3", "x 2", "1 x", "1 :2", "1 boot:", "-1 2"])
def test_what_is_no_process_is_none(text: str) -> None:
    assert ProcessId.parse(text) is None


def test_a_name_may_hold_brackets_and_blanks(tmp_path: Path) -> None:
    program = tmp_path / "a) S (b 7"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "60"]) as child:
        found = ProcessStat.of(child.pid)
        assert found is not None
        assert (found.pid, found.parent) == (child.pid, os.getpid())
        assert (ProcessId.named(found), f"{program} 60") in all_processes()
        child.kill()


@pytest.mark.parametrize("text", ["", ")", "1 (a) S", "x (a) S 1" + " 0" * 40])
def test_a_stat_that_is_not_whole_is_none(text: str) -> None:
    assert ProcessStat.parse(text) is None


def test_a_pid_file_tells_a_process_from_any_other_of_its_id(tmp_path: Path) -> None:
    own, file = ProcessId.own(), tmp_path / "pid"
    own.note(file)
    assert ProcessId.noted(file) == own
    assert [each.name for each in tmp_path.iterdir()] == ["pid"]
    # As a shell writes it: the stat, and the boot.
    boot, _, ticks = own.started.partition(":")
    stat = Path(f"/proc/{own.pid}/stat").read_text()
    file.write_text(f"{stat.strip()}\n{boot}\n")
    assert ProcessId.noted(file) == own
    file.write_text(f"{stat.strip()}\nanother-boot\n")
    assert ProcessId.noted(file) == ProcessId(own.pid, f"another-boot:{ticks}")
    for damaged in ("", "12", "x y\nz", "12 34 56"):
        file.write_text(damaged)
        assert ProcessId.noted(file) is None
    assert ProcessId.noted(tmp_path / "none") is None


def test_a_zombie_is_not_the_process_that_it_was() -> None:
    own = ProcessId.own()
    stat = ProcessStat.of(own.pid)
    assert stat is not None
    assert own.is_that_of(stat)
    assert not own.is_that_of(replace(stat, state="Z"))
    assert not own.is_that_of(replace(stat, ticks=stat.ticks + 1))


async def test_a_tool_is_given_and_prints_what_it_should() -> None:
    assert await run_tool("cat", stdin=b"x" * 1_000_000) == "x" * 1_000_000
    assert await run_tool("true", stdin=b"x" * 1_000_000) == ""
    with pytest.raises(LinacreError, match=r"sh -c .* failed: why"):
        await run_tool("sh", "-c", "echo why; exit 3")
    assert await run_tool("sh", "-c", "echo why; exit 3", check=False) == "why\n"


@pytest.mark.parametrize("check", [True, False])
async def test_a_tool_that_prints_without_end_is_ended(tmp_path: Path, check: bool) -> None:
    script = f"exec 3> {tmp_path}/held; (sleep 1000 & yes)"
    with pytest.raises(LinacreError, match=r"printed more than 16 MiB: ended"):
        await run_tool("sh", "-c", script, check=check)
    held = str(tmp_path / "held")
    for file in Path("/proc").glob("[0-9]*/fd/3"):
        with contextlib.suppress(OSError):
            assert str(file.readlink()) != held
