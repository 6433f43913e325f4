"""A procServ that does nothing is told by the keeper of its console, until it goes on."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from epics_support import Ioc, wait_for

from linacre.epics.launch import Program, ProgramKind


def test_a_procserv_that_is_stopped_and_goes_on(start, tmp_path: Path) -> None:
    tree = tmp_path / "source"
    tree.mkdir()
    (tree / "st.cmd").write_text("iocInit\n")
    ioc: Ioc = start(Program(name="ioc", kind=ProgramKind.SOFTIOC, start="st.cmd"), tree)
    ioc.wait_booted()
    assert not ioc.report().procserv_hangs
    os.kill(ioc.process.pid, signal.SIGSTOP)
    try:
        wait_for("it is told", lambda: ioc.report().procserv_hangs)
        assert ioc.report().booted
    finally:
        os.kill(ioc.process.pid, signal.SIGCONT)
    wait_for("it is told no longer", lambda: not ioc.report().procserv_hangs)
