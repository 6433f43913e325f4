from __future__ import annotations

import os
import subprocess

from linacre.base.tasks import process_alive, process_started


def test_this_process_is_alive() -> None:
    started = process_started(os.getpid())
    assert started is not None
    assert process_alive(os.getpid(), started)


def test_a_process_with_the_same_pid_that_started_later_is_another() -> None:
    assert not process_alive(os.getpid(), "0000:1")


def test_a_killed_process_is_gone_even_before_it_is_waited_for() -> None:
    child = subprocess.Popen(["sleep", "60"])
    started = process_started(child.pid)
    assert started is not None
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not process_alive(child.pid, started)
    child.wait()
    assert not process_alive(child.pid, started)
