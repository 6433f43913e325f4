from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from linacre.base.errors import BusyError, LinacreError
from linacre.base.paths import FacilityPaths
from linacre.session.lock import FacilityLock

HOLDS = """
    import asyncio, sys
    from pathlib import Path
    from linacre.base.paths import FacilityPaths
    from linacre.session.lock import FacilityLock

    async def main(root):
        async with FacilityLock(FacilityPaths(root), command="up"):
            print("held", flush=True)
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)

    asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.fixture
def paths(tmp_path: Path) -> FacilityPaths:
    return FacilityPaths(tmp_path / "clara")


@contextmanager
def holder(paths: FacilityPaths) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-c", textwrap.dedent(HOLDS), str(paths.root)]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
        process.kill()


class StepClock:
    """A clock whose sleeping moves it on and does something."""

    def __init__(self, on_sleep: object = None) -> None:
        self.time = 0.0
        self.on_sleep = on_sleep

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        if callable(self.on_sleep):
            self.on_sleep()


async def test_a_holder_that_has_not_yet_written_who_it_is_is_waited_for(
    paths: FacilityPaths,
) -> None:
    with holder(paths):
        said = paths.lock.read_text()
        paths.lock.write_text("")
        clock = StepClock(on_sleep=lambda: paths.lock.write_text(said))
        with pytest.raises(BusyError, match='being changed by "up"'):
            async with FacilityLock(paths, command="down", clock=clock):
                pytest.fail("two hold the lock")
        paths.lock.write_text("")
        with pytest.raises(BusyError, match="another command"):
            async with FacilityLock(paths, command="down", clock=StepClock()):
                pytest.fail("two hold the lock")


async def test_a_second_command_is_told_who_holds_the_facility(paths: FacilityPaths) -> None:
    with holder(paths) as process:
        with pytest.raises(BusyError) as caught:
            async with FacilityLock(paths, command="down"):
                pytest.fail("two hold the lock")
        assert re.fullmatch(
            rf'clara is being changed by "up" \(pid {process.pid}, \w+, since \d\d:\d\d:\d\d\);'
            r" try again when it ends, or see linacre task list",
            str(caught.value),
        )


async def test_the_lock_of_a_killed_command_is_free(paths: FacilityPaths) -> None:
    with holder(paths) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        async with FacilityLock(paths, command="down"):
            assert json.loads(paths.lock.read_text())["pid"] == os.getpid()


async def test_the_lock_of_a_command_that_ended_is_free(paths: FacilityPaths) -> None:
    with holder(paths) as process:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait(10) == 0
        async with FacilityLock(paths, command="down"):
            pass
        assert paths.lock.read_text() == ""


async def test_two_in_one_process_exclude_each_other(paths: FacilityPaths) -> None:
    async with FacilityLock(paths, command="up"):
        with pytest.raises(BusyError, match='by "up"'):
            await FacilityLock(paths, command="down").__aenter__()


async def test_a_program_started_under_the_lock_does_not_keep_it(paths: FacilityPaths) -> None:
    async with FacilityLock(paths, command="up"):
        daemon = subprocess.Popen(["sleep", "60"])
    async with FacilityLock(paths, command="up"):
        daemon.kill()
    daemon.wait()


async def test_waiting_takes_the_lock_when_it_is_free(paths: FacilityPaths) -> None:
    with holder(paths) as process:

        def end() -> None:
            process.kill()
            process.wait()

        async with FacilityLock(paths, command="down", wait_s=5, clock=StepClock(end)):
            pass


async def test_waiting_has_an_end(paths: FacilityPaths) -> None:
    clock = StepClock()
    with holder(paths), pytest.raises(BusyError):
        await FacilityLock(paths, command="down", wait_s=5, clock=clock).__aenter__()
    assert 5 <= clock.time < 5.2


async def test_a_lock_without_a_name_in_it_still_locks(paths: FacilityPaths) -> None:
    async with FacilityLock(paths, command="up"):
        paths.lock.write_text('{"command": "u')
        with pytest.raises(BusyError, match="clara is being changed by another command"):
            await FacilityLock(paths, command="down").__aenter__()


async def test_a_lock_that_was_removed_with_its_facility_locks_nothing(
    paths: FacilityPaths,
) -> None:
    async with FacilityLock(paths, command="down --purge") as lock:
        lock.discard()
    assert not paths.lock.exists()
    async with FacilityLock(paths, command="up"):
        assert paths.lock.exists()


async def test_a_lock_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "clara").touch()
    with pytest.raises(LinacreError, match="cannot be opened: File exists; run as the user"):
        await FacilityLock(FacilityPaths(tmp_path / "clara"), command="up").__aenter__()


async def test_an_error_in_the_block_frees_the_lock(paths: FacilityPaths) -> None:
    with pytest.raises(ValueError, match="x"):
        async with FacilityLock(paths, command="up"):
            raise ValueError("x")
    async with FacilityLock(paths, command="up"):
        pass
