"""What start scripts print of errors: found in the log of a real IOC, and in those of old ones."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from epics_support import LIMIT_S, Ioc, wait_for

from linacre.epics.launch import Program, ProgramKind
from linacre.epics.start_errors import START_ERRORS, StartErrors, read_start_errors

STAMP = "2026-11-29T09:16:40+0000 "
BEGINS = '@@@ Restarting child "a"\n@@@ The PID of new child "a" is: 7\n@@@ @@@ @@@ @@@ @@@\n'
ENDS = 'dbl "" "recordType DESC" > "/run/pvs"\ncasr 0 > "/run/booted"\nepics> '
Told = Callable[..., StartErrors]


@pytest.fixture
def told(tmp_path: Path, programs: Path) -> Iterator[Told]:
    """Return what has the keeper of a console read logs, the newest last, and tells what it found.

    Nothing of an IOC runs: the files of its run folder are laid.
    """
    running: list[subprocess.Popen[bytes]] = []

    def of(*logs: str) -> StartErrors:
        newest_first = ("log", "log.1", "log.2")
        for name, text in zip(newest_first, reversed(logs), strict=False):
            lines = text.replace("\n", "\r\n").splitlines(keepends=True)
            (tmp_path / name).write_text("".join(STAMP + line for line in lines), newline="")
        (tmp_path / START_ERRORS).write_text("\n")
        (tmp_path / "ioc.pid").write_text("7 7\n")
        (tmp_path / "booted").write_text("")
        arguments = ["127.0.0.1", "0", "console.sock", "log", "1000000", "5"]
        running.append(subprocess.Popen([programs / "console-keeper", *arguments], cwd=tmp_path))
        told = tmp_path / START_ERRORS
        wait_for("the errors", lambda: read_start_errors(told.read_bytes()) is not None)
        found = read_start_errors(told.read_bytes())
        assert found is not None
        return found

    yield of
    for process in running:
        process.kill()
        process.wait(LIMIT_S)


SPOKEN = {
    "7.0.10 in colours": (
        '\033[1mdbLoadRecords("a.db")\033[0m\n'
        "\033[31;1mERROR\033[0m: Can't open file 'a.db'\n"
        "\033[1mnone 1\033[0m\n"
        "\033[31;1mERROR\033[0m st.cmd line 2: \033[31;1mCommand 'none' not registered.\033[0m\n",
        (
            "dbLoadRecords(\"a.db\"): Can't open file 'a.db'",
            "st.cmd line 2: Command 'none' not registered.",
        ),
    ),
    "7.0.4": (
        "none 1\nst.cmd line 2: Command none not found.\n"
        'dbLoadRecords("b.db","P=A")\n'
        "macLib: macro Q is undefined (expanding string record(ai, $(Q)))\n"
        "dbLoadRecords: failed to load 'b.db'\n",
        (
            "st.cmd line 2: Command none not found.",
            'dbLoadRecords("b.db","P=A"): macLib: macro Q is undefined (expanding string '
            "record(ai, $(Q)))",
            'dbLoadRecords("b.db","P=A"): dbLoadRecords: failed to load \'b.db\'',
        ),
    ),
    "of cd": (
        "\033[1mcd ../no\033[0m\nInvalid directory path, ignored\n",
        ("cd ../no: Invalid directory path, ignored",),
    ),
    "3.14": (
        'dbLoadRecords "c.db"\n'
        'filename="../dbLexRoutines.c" line number=252\n'
        'No such file or directory dbRead opening file "c.db"\n'
        "iocInit()\niocBuild: Aborting, bad database definition (DBD)!\n",
        (
            'dbLoadRecords "c.db": filename="../dbLexRoutines.c" line number=252',
            "iocInit(): iocBuild: Aborting, bad database definition (DBD)!",
        ),
    ),
    "device support": (
        'drvAsynIPPortConfigure("L0","10.0.0.9:4001")\n'
        "2026/11/29 09:16:40.1 L0 port ERROR: no memory\n"
        "ERROR (port) not there\n"
        'Command "asynOpen" not found.\n',
        (
            'drvAsynIPPortConfigure("L0","10.0.0.9:4001"): 2026/11/29 09:16:40.1 L0 port ERROR: '
            "no memory",
            'drvAsynIPPortConfigure("L0","10.0.0.9:4001"): (port) not there',
            'drvAsynIPPortConfigure("L0","10.0.0.9:4001"): Command "asynOpen" not found.',
        ),
    ),
    "nothing wrong": (
        "# an ERROR: is here\n"
        'asynSetTraceMask("L0", 0, ERROR)\n'
        'epicsEnvSet("ERROR_LOG", "0")\n'
        "Warning: no ERROR:\nStarting iocInit\niocRun: All initialization complete\n"
        "0 errors found\nERRORS: none\nERROR:\n",
        (),
    ),
    "what softIoc has": (
        "dbLoadDatabase(\"dbd/softIoc.dbd\")\nERROR: Can't open file 'dbd/softIoc.dbd'\n"
        "softIoc_registerRecordDeviceDriver(pdbbase)\n"
        "ERROR st.cmd line 2: Command 'softIoc_registerRecordDeviceDriver' not registered.\n"
        "PVAServerRegister_registerRecordDeviceDriver(pdbbase)\n"
        "st.cmd line 3: Command PVAServerRegister_... not found.\n"
        'dbLoadDatabase("$(BASE)/dbd/base.dbd")\nERROR: it is there already\n',
        (),
    ),
}


@pytest.mark.parametrize("spoken", SPOKEN)
def test_errors_of_every_epics_are_found_with_their_lines(told: Told, spoken: str) -> None:
    text, expected = SPOKEN[spoken]
    found = told(BEGINS + text + ENDS)
    assert found.told == expected
    assert found.count == len(expected)


def test_the_last_start_alone_counts_up_to_its_scripts_end(told: Told) -> None:
    before = BEGINS + "none\nERROR: of before\n" + ENDS + "ERROR: of before too\n"
    assert told(before + BEGINS + "ERROR: mine\n" + ENDS + "\nERROR: typed later\n").told == (
        "mine",
    )


def test_a_start_that_goes_over_the_end_of_a_log_is_read_whole(told: Told) -> None:
    first = BEGINS + "ERROR: of before\n" + ENDS + BEGINS + "ERROR: one\n"
    assert told(first, "ERROR: two\n" + ENDS).told == ("one", "two")


def test_many_long_errors_are_bounded(told: Told, tmp_path: Path) -> None:
    found = told(BEGINS + f"ERROR: \x07{'x' * 5000}\n" * 1000 + ENDS)
    assert (found.count, len(found.first)) == (1000, 8)
    assert found.told[-1] == "and 992 more"
    assert (tmp_path / START_ERRORS).stat().st_size < 4096


def softioc(tree: Path, script: str) -> Program:
    tree.mkdir()
    (tree / "a.db").write_text('record(ao, "T:A") {}\n')
    (tree / "st.cmd").write_text(script)
    return Program(name="ioc", kind=ProgramKind.SOFTIOC, start="st.cmd", hold_off_s=1)


def told_by(ioc: Ioc) -> StartErrors:
    wait_for("the script has ended", lambda: ioc.report().start_errors is not None)
    errors = ioc.report().start_errors
    assert errors is not None
    return errors


def test_a_real_ioc_tells_its_errors_at_each_start(start, tmp_path: Path) -> None:
    script = 'dbLoadRecords("a.db")\nnoSuchCommand 1\niocInit()\ndbpf("T:B", 1)\n'
    ioc: Ioc = start(softioc(tmp_path / "source", script), tmp_path / "source")
    expected = (
        "st.cmd line 2: Command 'noSuchCommand' not registered.",
        "dbpf(\"T:B\", 1): PV 'T:B' not found",
    )
    assert told_by(ioc).told == expected
    assert ioc.report().booted
    (Path(ioc.layout.tree) / "st.cmd").write_text('dbLoadRecords("a.db")\niocInit()\n')
    pid = ioc.pid()
    os.kill(pid, signal.SIGKILL)
    wait_for("a new start", lambda: ioc.pid() != pid and ioc.report().start_errors is not None)
    assert told_by(ioc) == StartErrors()


def test_a_script_without_ioc_init_is_told_from_one_that_goes_on(start, tmp_path: Path) -> None:
    program = softioc(tmp_path / "source", 'dbLoadRecords("a.db")\nepicsThreadSleep 1\n')
    ioc: Ioc = start(program, tmp_path / "source")
    wait_for("the IOC runs", lambda: ioc.report().ioc_up)
    assert not ioc.report().lacks_ioc_init
    assert told_by(ioc) == StartErrors()
    assert ioc.report().lacks_ioc_init
    assert not ioc.report().booted
