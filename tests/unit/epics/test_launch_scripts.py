from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import PurePosixPath

import pytest

from linacre.base.errors import LinacreError, UserError
from linacre.epics import softioc_program
from linacre.epics.launch import Program, ProgramKind, make_scripts
from linacre.epics.layout import Layout

LAYOUT = Layout(
    tree=PurePosixPath("/opt/ioc"),
    persist=PurePosixPath("/srv/persist"),
    run=PurePosixPath("/run/ioc"),
    log=PurePosixPath("/var/log/ioc"),
    etc=PurePosixPath("/etc/linacre"),
    bind=None,
    user="ioc",
    softioc="/usr/local/bin/softIoc",
    python="/usr/bin/python3",
)
SOFTIOC = Program(name="mag", kind=ProgramKind.SOFTIOC, start="st.cmd")


def texts(program: Program, layout: Layout = LAYOUT, **more: str) -> dict[str, str]:
    return {script.path.name: script.text for script in make_scripts(program, layout, **more)}


def test_scripts_are_posix_shell() -> None:
    program = replace(SOFTIOC, persistent=("auto save",), environment={"A": "it's $HOME"})
    shell = shutil.which("dash") or "/bin/sh"
    for name, text in texts(program).items():
        if name != "wrapper.cmd":
            subprocess.run([shell, "-n"], input=text.encode(), check=True)


def test_environment_is_taken_literally() -> None:
    run = texts(replace(SOFTIOC, environment={"A": "it's $HOME"}))["run"]
    line = next(line for line in run.splitlines() if line.startswith("export A="))
    said = subprocess.run(["/bin/sh", "-c", f'{line}\nprintf %s "$A"'], capture_output=True)
    assert said.stdout == b"it's $HOME"


def test_servers_are_told_the_address_they_must_bind_to() -> None:
    bound = replace(LAYOUT, bind=IPv4Address("127.61.2.11"))
    assert "export EPICS_CAS_INTF_ADDR_LIST=127.61.2.11\n" in texts(SOFTIOC, bound)["run"]
    assert "export EPICS_PVAS_INTF_ADDR_LIST=127.61.2.11\n" in texts(SOFTIOC, bound)["run"]
    assert "INTF_ADDR_LIST" not in texts(SOFTIOC)["run"]


def test_binary_is_started_by_its_own_first_line() -> None:
    program = Program(name="scr", kind=ProgramKind.BINARY, start="iocBoot/iocscr/st.cmd")
    made = texts(program, first_line="#!../../bin/linux-x86_64/scr\n")
    assert "cd /opt/ioc/iocBoot/iocscr " in made["run"]
    assert "KILL ../../bin/linux-x86_64/scr /etc/linacre/wrapper.cmd" in made["run"]
    assert '< "st.cmd"' in made["wrapper.cmd"]


def test_python_module_runs_in_the_runner() -> None:
    program = Program(
        name="sim", kind=ProgramKind.PYTHON, start="", module="a.b", args=("--prefix", "X Y:")
    )
    made = texts(program)
    assert "python3 -m linacre.epics.runner -m a.b --prefix 'X Y:'" in made["run"]
    assert "wrapper.cmd" not in made


@pytest.mark.parametrize(
    ("program", "first_line", "said"),
    [
        (replace(SOFTIOC, start="../st.cmd"), None, "start '../st.cmd' is no path inside"),
        (replace(SOFTIOC, persistent=("/data",)), None, "persistent '/data' is no path inside"),
        (replace(SOFTIOC, args=("-v",)), None, "args are for the kind python"),
        (replace(SOFTIOC, kind=ProgramKind.BINARY), "< envPaths", "names no program"),
        (
            replace(SOFTIOC, kind=ProgramKind.BINARY, access_security="a.acf"),
            "#!/usr/bin/env bash",
            "access_security cannot be added",
        ),
    ],
)
def test_what_cannot_be_started_is_said_in_one_line(
    program: Program, first_line: str | None, said: str
) -> None:
    with pytest.raises(UserError, match=said) as caught:
        make_scripts(program, LAYOUT, first_line=first_line)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("IOC mag: ")


def test_missing_softioc_program_says_what_to_install(tmp_path) -> None:
    with pytest.raises(LinacreError, match=r"install g\+\+ and then Linacre again"):
        softioc_program(folder=tmp_path)
