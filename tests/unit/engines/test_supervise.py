"""Restarting by a supervisor's pipe: a stand-in of runsv's, below this process's own root."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from linacre.base.clock import SystemClock
from linacre.base.errors import EngineError
from linacre.base.processes import ProcessId
from linacre.engines.incus.inside import write_pipe_inside
from linacre.engines.incus.supervise import restart_program

OWN = ProcessId.own()


class QuickClock(SystemClock):
    """A clock of which each second is a hundredth."""

    def monotonic(self) -> float:
        return time.monotonic() * 100


class Supervisor:
    """Takes orders as runsv does: `ends` tells for which of them the program ends."""

    def __init__(self, folder: Path, *, ends: bytes) -> None:
        self._folder = folder
        self._ends = ends
        self.orders = b""
        os.mkfifo(folder / "control")
        self._tell(100, runs=True)
        # Both ways, as runsv has it: it never ends.
        self._pipe = os.open(folder / "control", os.O_RDWR)
        threading.Thread(target=self._go_on, daemon=True).start()

    def until_taken(self, orders: bytes) -> None:
        """Wait until these orders have come, and no others."""
        end = time.monotonic() + 10
        while self.orders != orders:
            assert time.monotonic() < end, self.orders
            time.sleep(0.01)

    def _tell(self, pid: int, *, runs: bool) -> None:
        status = bytes(12) + pid.to_bytes(4, "little") + bytes([0, ord("u"), 0, runs])
        (self._folder / "status.new").write_bytes(status)
        (self._folder / "status.new").replace(self._folder / "status")

    def _go_on(self) -> None:
        while order := os.read(self._pipe, 1):
            self.orders += order
            if order in self._ends:
                self._tell(0, runs=False)
                self._tell(101, runs=True)


def restart(folder: Path, *, make_clock: Callable[[], SystemClock] = SystemClock) -> None:
    where = PurePosixPath(folder)
    asyncio.run(restart_program("mag", OWN, clock=make_clock(), folder=where))


def test_it_waits_for_the_new_one(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, ends=b"t")
    restart(tmp_path)
    supervisor.until_taken(b"tcu")


def test_one_that_does_not_end_is_killed(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, ends=b"k")
    restart(tmp_path, make_clock=QuickClock)
    supervisor.until_taken(b"tcuk")


def test_one_that_does_not_come_is_told(tmp_path: Path) -> None:
    Supervisor(tmp_path, ends=b"")
    with pytest.raises(EngineError, match="in mag: it does not come up again"):
        restart(tmp_path, make_clock=QuickClock)


def test_a_machine_without_a_program(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="this machine has no IOC"):
        restart(tmp_path)


def test_only_a_pipe_that_is_read_is_written_to(tmp_path: Path) -> None:
    """What is there may be anybody's who is root inside."""
    (tmp_path / "file").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    where = PurePosixPath(tmp_path)
    assert not write_pipe_inside(OWN, where / "pipe", b"t")
    reader = os.open(tmp_path / "pipe", os.O_RDWR | os.O_NONBLOCK)
    try:
        assert write_pipe_inside(OWN, where / "pipe", b"t")
        for name in ("file", "link", "none", "../pipe"):
            assert not write_pipe_inside(OWN, where / name, b"t")
        assert os.read(reader, 9) == b"t"
    finally:
        os.close(reader)
    assert (tmp_path / "file").read_bytes() == b""
