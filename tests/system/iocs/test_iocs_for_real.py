"""What the scripts make of a real IOC: what a user, a client and a supervisor notice."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from epics_support import Ioc, exists, wait_for

from linacre.epics.launch import Program, ProgramKind


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "source"
    (tree / "auto").mkdir(parents=True)
    (tree / "auto/first").write_text("as delivered\n")
    (tree / "a.db").write_text('record(ao, "T:A") { field(VAL, "1.5") field(PINI, "YES") }\n')
    (tree / "read.acf").write_text("ASG(DEFAULT) { RULE(1, READ) }\n")
    (tree / "write.acf").write_text("ASG(DEFAULT) { RULE(1, WRITE) }\n")
    (tree / "st.cmd").write_text('dbLoadRecords("a.db")\niocInit\n')
    return tree


def softioc(**settings: object) -> Program:
    return Program(
        name="ioc",
        kind=ProgramKind.SOFTIOC,
        start="st.cmd",
        hold_off_s=1,
        **settings,  # pyright: ignore[reportArgumentType]
    )


def test_softioc_serves_both_protocols_and_a_shell(start, tree: Path) -> None:
    ioc: Ioc = start(softioc(), tree)
    ioc.wait_booted()
    report = ioc.report()
    assert (report.procserv_up, report.ioc_up, report.pv_count) == (True, True, 1)
    assert "T:A" in ioc.shell("dbl", until="T:A\r\n")
    assert ioc.tool("caget", "T:A").stdout.split() == ["T:A", "1.5"]
    assert ioc.tool("pvget", "-t", "T:A").stdout.split() == ["1.5"]
    assert ioc.tool("caput", "T:A", "2").returncode == 0
    assert ioc.tool("pvput", "T:A", "3").returncode == 0
    assert ioc.tool("caget", "-t", "T:A").stdout == "3\n"
    missing = ioc.tool("caget", "-w", "0.5", "T:B")
    assert missing.returncode == 1
    assert "'T:B' not found" in missing.stderr


def test_access_security_that_was_declared_wins_over_st_cmd(start, tree: Path) -> None:
    own = f'asSetFilename("{tree}/write.acf")\n'
    (tree / "st.cmd").write_text(f'{own}dbLoadRecords("a.db")\niocInit\n')
    ioc: Ioc = start(softioc(access_security="read.acf"), tree)
    ioc.wait_booted()
    refused = ioc.tool("caput", "T:A", "2")
    assert refused.returncode == 1
    assert "denied" in refused.stderr


def test_ioc_that_does_not_start_is_not_booted(start, tree: Path) -> None:
    (tree / "bad.acf").write_text("ASG(")
    ioc: Ioc = start(softioc(access_security="bad.acf"), tree)
    wait_for("st.cmd to end", lambda: "casr" in ioc.log())
    report = ioc.report()
    assert report.ioc_up
    assert not report.booted


def test_ioc_is_restarted_by_exit_and_by_a_kill(start, tree: Path) -> None:
    ioc: Ioc = start(softioc(), tree)
    ioc.wait_booted()
    for starts, end in ((2, None), (3, signal.SIGKILL)):
        pid = ioc.pid()
        if end:
            os.kill(pid, end)
        else:
            ioc.shell("exit", until="Restarting")
        wait_for("another start", lambda: ioc.report().starts == starts)  # noqa: B023
        ioc.wait_booted()
        assert ioc.pid() != pid
    assert ioc.report().restart_loop


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_procserv(start, tree: Path, end: signal.Signals) -> None:
    ioc: Ioc = start(softioc(), tree)
    ioc.wait_booted()
    children = Path(f"/proc/{ioc.process.pid}/task/{ioc.process.pid}/children").read_text()
    pids = [int(pid) for pid in children.split()]
    assert ioc.pid() in pids
    assert len(pids) == 2
    ioc.process.send_signal(end)
    ioc.process.wait(10)
    wait_for("the IOC and the keeper to end", lambda: not any(exists(pid) for pid in pids))
    report = ioc.report()
    assert not report.procserv_up
    assert not report.booted


def test_persistent_folder_begins_with_what_the_tree_holds(start, tree: Path) -> None:
    ioc: Ioc = start(softioc(persistent=("auto",)), tree)
    ioc.wait_booted()
    kept = Path(ioc.layout.persist) / "auto"
    assert (kept / "first").read_text() == "as delivered\n"
    (Path(ioc.layout.tree) / "auto/second").write_text("by the IOC\n")
    assert (kept / "second").exists()


def test_log_is_rotated(start, tree: Path) -> None:
    ioc: Ioc = start(softioc(log_bytes=4096, log_files=2), tree)
    ioc.wait_booted()
    for _ in range(2):
        ioc.shell("help", until="the name or pattern")
    older = Path(ioc.layout.log) / "ioc.log.1"
    wait_for("the log to be rotated", older.exists)
    ioc.shell("dbl", until="T:A\r\n")
    wait_for("the new log", lambda: "T:A" in ioc.log())
    assert "the name or pattern" in older.read_text()


def test_python_softioc_has_the_ioc_shell(start, tree: Path) -> None:
    (tree / "ioc.py").write_text(
        "from softioc import asyncio_dispatcher, builder, softioc\n"
        "builder.SetDeviceName('T')\n"
        "builder.aOut('A', initial_value=1.5)\n"
        "builder.LoadDatabase()\n"
        "softioc.iocInit(asyncio_dispatcher.AsyncioDispatcher())\n"
        "softioc.interactive_ioc(globals())\n"
    )
    program = Program(
        name="ioc",
        kind=ProgramKind.PYTHON,
        start="ioc.py",
        access_security="read.acf",
        environment=_pythonpath(),
        hold_off_s=1,
    )
    ioc: Ioc = start(program, tree)
    ioc.wait_booted()
    assert ioc.report().pv_count == 1
    assert "Channel Access Server" in ioc.shell("casr", until="clients connected")
    assert ioc.tool("caget", "-t", "T:A").stdout == "1.5\n"
    assert ioc.tool("caput", "T:A", "2").returncode == 1
    pid = ioc.pid()
    ioc.shell("exit", until="Restarting")
    wait_for("another start", lambda: ioc.report().ioc_up and ioc.pid() != pid)


def test_caproto_example_runs_as_it_is(start, tree: Path) -> None:
    pytest.importorskip("caproto", reason="caproto is not installed: pip install caproto")
    program = Program(
        name="ioc",
        kind=ProgramKind.PYTHON,
        start="",
        module="caproto.ioc_examples.simple",
        args=("--prefix", "X:", "--list-pvs"),
        environment=_pythonpath(),
    )
    ioc: Ioc = start(program, tree)
    ioc.wait_booted()
    assert ioc.report().pv_count == 3
    assert ioc.tool("caget", "-t", "X:A").stdout == "1\n"


def test_shell_script_as_st_cmd(start, tree: Path) -> None:
    (tree / "st.cmd").write_text("#!/bin/sh\necho begun for $IOC\nexec softIoc plain.cmd\n")
    (tree / "st.cmd").chmod(0o755)
    (tree / "plain.cmd").write_text('dbLoadRecords("a.db")\niocInit\n')
    program = Program(name="ioc", kind=ProgramKind.BINARY, start="st.cmd", hold_off_s=1)
    ioc: Ioc = start(program, tree, first_line="#!/bin/sh")
    ioc.wait_booted()
    assert "T:A" in ioc.shell("dbl", until="T:A\r\n")
    assert "begun for ioc" in ioc.log()
    assert ioc.report().pv_count is None


def _pythonpath() -> dict[str, str]:
    return {"PYTHONPATH": str(Path(__file__).parents[3] / "src"), "PYTHONWARNINGS": "ignore"}
