"""IOCs built for Windows, and others whose program or envPaths is not there or not for here."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath

import pytest
from import_support import PROGRAM, understand

from linacre.base.errors import UserError
from linacre.operations.importing.copying import copy, plan_copy
from linacre.operations.importing.take import check_in_place
from linacre.operations.importing.understood import Understood

ST_CMD = """\
#!../../bin/windows-x64/plain

< envPaths
cd ${TOP}
dbLoadDatabase "dbd/plain.dbd"
plain_registerRecordDeviceDriver pdbbase
dbLoadRecords("db/plain.db","P=X:")
cd ${TOP}/iocBoot/${IOC}
iocInit
"""
PLAIN = 'record(ai, "$(P)A") {}\nrecord(calc, "$(P)B") { field(INPA, "$(P)A CP") }\n'
ENV_PATHS = """\
epicsEnvSet("IOC","iocplain")
epicsEnvSet("TOP","C:/EPICS/plain")
epicsEnvSet("ASYN","C:\\\\EPICS\\\\asyn")
"""


def build(top: Path, *, start: str = ST_CMD, database: str = PLAIN) -> Path:
    """Make an application as a build for Windows leaves it, with CR and LF."""
    files = {
        "iocBoot/iocplain/st.cmd": start,
        "iocBoot/iocplain/envPaths": ENV_PATHS,
        "db/plain.db": database,
        "dbd/plain.dbd": "",
        "bin/windows-x64/plain.exe": "MZ",
    }
    for name, text in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, newline="\r\n")
    return top


def copied(understood: Understood, target: Path) -> Path:
    copy(plan_copy(understood), target)
    return target


def test_plain_records_run_as_softioc(tmp_path: Path) -> None:
    understood = understand(build(tmp_path / "plain"))
    assert understood.program.kind == "softioc"
    assert list(understood.findings.records) == ["X:A", "X:B"]
    assert understood.declared.built_at == PurePosixPath("/c/EPICS/plain")
    assert understood.notes == (
        "/c/EPICS/plain/bin/windows-x64/plain (the first line of iocBoot/iocplain/st.cmd) is a "
        "program for Windows: softIoc runs in its place, with linacre.cmd, which is st.cmd without "
        "what softIoc has itself",
        "iocBoot/iocplain/envPaths has paths of Windows: it is written anew, with /c/... for "
        "C:\\...",
    )
    boot = copied(understood, tmp_path / "copy") / "iocBoot/iocplain"
    assert '"TOP","/c/EPICS/plain"' in (boot / "envPaths").read_text()
    assert '"ASYN","/c/EPICS/asyn"' in (boot / "envPaths").read_text()
    lines = (boot / "linacre.cmd").read_text().splitlines()
    assert len(lines) == len(ST_CMD.splitlines())
    assert [line for line in lines if line.startswith("#- softIoc has its own: ")] == [
        '#- softIoc has its own: dbLoadDatabase "dbd/plain.dbd"',
        "#- softIoc has its own: plain_registerRecordDeviceDriver pdbbase",
    ]
    assert (boot / "st.cmd").read_bytes() == (
        tmp_path / "plain/iocBoot/iocplain/st.cmd"
    ).read_bytes()


@pytest.mark.parametrize(
    ("database", "told"),
    [
        (
            'record(ai, "A") { field(DTYP, "asynInt32") }',
            "the device support asynInt32 of A; build the application for Linux",
        ),
        ('record(motor, "M") {}', "the record type motor of M; build"),
        ('record(sub, "S") { field(SNAM, "mine") }', "the function mine of S; build"),
    ],
)
def test_others_are_refused_with_what_they_need(tmp_path: Path, database: str, told: str) -> None:
    with pytest.raises(UserError, match="softIoc cannot take its place: it does not have") as error:
        understand(build(tmp_path / "plain", database=database))
    assert told in str(error.value)


@pytest.mark.parametrize(
    "first",
    [
        "#!../../bin/windows-x64-static/plain",
        "#!../../bin/win32-x86/plain.exe",
        "#!../../bin/cygwin-x86_64/plain",
        r"#!..\..\bin\windows-x64\plain",
    ],
)
def test_every_windows_is_known(tmp_path: Path, first: str) -> None:
    start = ST_CMD.replace("#!../../bin/windows-x64/plain", first)
    assert understand(build(tmp_path / "plain", start=start)).program.stands_in


@pytest.mark.parametrize("first", ["#!../../bin/windows-x64/plain", "#!../../bin/linux-x86/plain"])
def test_a_program_of_the_same_name_that_runs_here_is_taken(tmp_path: Path, first: str) -> None:
    start = ST_CMD.replace("#!../../bin/windows-x64/plain", first)
    top = build(tmp_path / "plain", start=start)
    (top / "bin/linux-x86_64").mkdir()
    shutil.copy(PROGRAM, top / "bin/linux-x86_64/plain")
    understood = understand(top)
    assert understood.program.kind == "binary"
    assert (understood.program.laid or "").startswith("#!../../bin/linux-x86_64/plain\n")
    assert "does not run here: /c/EPICS/plain/bin/linux-x86_64/plain is taken" in (
        "\n".join(understood.notes)
    )


def test_paths_of_windows_in_scripts_are_told(tmp_path: Path) -> None:
    start = ST_CMD.replace("db/plain.db", r"..\db\plain.db")
    notes = understand(build(tmp_path / "plain", start=start)).notes
    place = "iocBoot/iocplain/st.cmd:7"
    assert f"{place} has a path of Windows: write it as Linux has it" in notes


def test_an_env_paths_that_no_build_made_is_written(tmp_path: Path) -> None:
    top = build(tmp_path / "plain", start=ST_CMD.replace("#!../../bin/windows-x64/plain\n", ""))
    (top / "iocBoot/iocplain/envPaths").unlink()
    understood = understand(top)
    assert list(understood.findings.records) == ["X:A", "X:B"]
    assert understood.declared.built_at == PurePosixPath(top)
    written = copied(understood, tmp_path / "copy") / "iocBoot/iocplain/envPaths"
    assert f'epicsEnvSet("TOP","{top}")' in written.read_text()
    with pytest.raises(UserError, match="iocBoot/iocplain/envPaths has to be written"):
        check_in_place(understood)
    assert "and plain is not in" in understood.program.said_by


def test_of_several_programs_the_one_that_the_script_registers_is_meant(tmp_path: Path) -> None:
    top = build(tmp_path / "plain", start=ST_CMD.replace("#!../../bin/windows-x64/plain\n", ""))
    (top / "bin/linux-x86_64").mkdir()
    for name in ("other", "plain"):
        shutil.copy(PROGRAM, top / "bin/linux-x86_64" / name)
    assert understand(top).program.path.name == "plain"


def test_a_program_of_the_servers_path_is_refused(tmp_path: Path) -> None:
    start = ST_CMD.replace("#!../../bin/windows-x64/plain", "#!/usr/bin/env iocsh")
    with pytest.raises(UserError, match=r"is run by iocsh .* had on its PATH: name the IOC's own"):
        understand(build(tmp_path / "plain", start=start))
