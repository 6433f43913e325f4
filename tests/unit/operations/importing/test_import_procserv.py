"""How an IOC was run on its server: procServ's options, units, scripts, settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from import_support import application, understand

from linacre.base.errors import UserError
from linacre.operations.importing.options import Run, read_options
from linacre.operations.importing.units import read_environment, read_procserv, read_unit

UNIT = """\
[Unit]
Description=softIOC lab
After=network.target

[Service]
User=softioc
Environment="EPICS_CA_MAX_ARRAY_BYTES=1000000" IOC_NAME=lab
Environment=OPTIONS='--holdoff 7 --name lab-%i'
EnvironmentFile=-/no/such/file
EnvironmentFile={folder}/lab.env
LimitCORE=infinity
WorkingDirectory={folder}
ExecStart=/usr/bin/procServ --foreground --quiet --chdir {top}/iocBoot/ioclab \\
    --ignore=^C^D --logfile=/var/log/%n.log -P 20001 $OPTIONS \\
    ./st.cmd
Restart=always

[Install]
WantedBy=multi-user.target
"""


def options(text: str) -> Run:
    run = Run()
    read_options(text.split(), run)
    return run


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("-f -L log --holdoff 10 20000 ./st.cmd", ("./st.cmd",)),
        ("--port=20000 --chdir /x ../../bin/a/b st.cmd", ("../../bin/a/b", "st.cmd")),
        ("-qfP 20000 -i ^D^C ./st.cmd", ("./st.cmd",)),
        ("-n lab -c /x unix:/run/lab.sock softIoc -d a.db", ("softIoc", "-d", "a.db")),
        ("--allow --logstamp -P 127.0.0.1:7001 -- ./st.cmd x", ("./st.cmd", "x")),
        ("-e /opt/app 20000 app st.cmd", ("/opt/app", "st.cmd")),
    ],
)
def test_command_of_procserv(text: str, command: tuple[str, ...]) -> None:
    assert options(text).command == command


def test_options_of_procserv() -> None:
    run = options("--holdoff=30 -c /x --env A=1 --name lab --coresize 0 --new -P 20000 ./st.cmd")
    assert (run.hold_off_s, run.folder, run.name) == (30, "/x", "lab")
    assert run.environment == {"A": "1"}
    assert any("--new is not known" in note for note in run.notes)
    assert any("port was 20000; it is 7001" in note for note in run.notes)


def test_unit(tmp_path: Path) -> None:
    top = application(tmp_path / "lab")
    (tmp_path / "lab.env").write_text("# site\nexport EPICS_CA_ADDR_LIST='10.1.1.255'\nX=\"a b\"\n")
    unit = tmp_path / "softioc-lab.service"
    unit.write_text(UNIT.format(folder=tmp_path, top=top))
    run = read_unit(unit, instance="one")
    assert run.command == ("./st.cmd",)
    assert (run.hold_off_s, run.name, run.user) == (7, "lab-one", "softioc")
    assert run.folder == f"{top}/iocBoot/ioclab"
    assert run.environment["EPICS_CA_MAX_ARRAY_BYTES"] == "1000000"
    assert run.environment["X"] == "a b"
    assert any("LimitCORE=infinity" in note for note in run.notes)
    understood = understand(top, unit=unit)
    assert understood.name == "lab-lab"
    assert understood.declared.hold_off_s == 7
    assert understood.declared.environment["IOC_NAME"] == "lab"
    assert "EPICS_CA_ADDR_LIST is 10.1.1.255" in "\n".join(understood.notes)


def test_unit_of_something_else(tmp_path: Path) -> None:
    unit = tmp_path / "web.service"
    unit.write_text("[Service]\nExecStart=/usr/sbin/nginx -g 'daemon off;'\n")
    with pytest.raises(UserError, match=r"does not run procServ .it runs /usr/sbin/nginx"):
        read_unit(unit, instance="x")
    with pytest.raises(UserError, match="no such file"):
        read_unit(tmp_path / "no.service", instance="x")


def test_start_script(tmp_path: Path) -> None:
    script = tmp_path / "start-lab"
    script.write_text(
        "#!/bin/sh\n# procServ starts it\nTOP=/opt/lab\nexport EPICS_TZ=UTC\n"
        "cd ${TOP}/iocBoot/ioclab\nA=1 exec procServ -n lab --holdoff 3 \\\n"
        '   -L "$TOP/log" ${PORT:-20000} ./st.cmd > /dev/null 2>&1 &\n'
    )
    run = read_procserv(script, instance="lab")
    assert run.folder == "/opt/lab/iocBoot/ioclab"
    assert run.environment == {"EPICS_TZ": "UTC", "A": "1"}
    assert run.hold_off_s == 3
    assert run.command[0] == "./st.cmd"


def test_manage_procs(tmp_path: Path) -> None:
    conf = tmp_path / "ioc.conf"
    conf.write_text(
        "[lab]\ncommand = ./st.cmd -v\nchdir = /opt/lab\nuser = softioc\nport = 0\n"
        "[other]\ncommand = /bin/x\n"
    )
    run = read_procserv(conf, instance="lab")
    assert (run.name, run.folder, run.user) == ("lab", "/opt/lab", "softioc")
    assert run.command == ("./st.cmd", "-v")
    with pytest.raises(UserError, match=r"several IOCs .lab, other."):
        read_procserv(conf, instance="third")


def test_settings(tmp_path: Path) -> None:
    settings = tmp_path / "config"
    settings.write_text("NAME=lab\nPORT=4051\nUSER=softioc\nCHDIR=/opt/lab\nEPICS_TZ=UTC\n")
    run = read_procserv(settings, instance="x")
    assert (run.name, run.folder) == ("lab", "/opt/lab")
    assert run.environment == {"EPICS_TZ": "UTC"}
    (tmp_path / "none").write_text("hello\n")
    with pytest.raises(UserError, match="no procServ command line"):
        read_procserv(tmp_path / "none", instance="x")


def test_environment_file(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("A=1\n#B=2\nexport C='x $A'\nD=\"y $A\"\nE=z ${A}\nbad line\nF=\n")
    assert read_environment(file) == {"A": "1", "C": "x $A", "D": "y 1", "E": "z 1", "F": ""}


def test_program_on_the_command_line_is_written_into_a_start_script(tmp_path: Path) -> None:
    top = application(tmp_path / "lab", start='dbLoadRecords("../../db/lab.db")\niocInit\n')
    settings = tmp_path / "run"
    boot = top / "iocBoot/ioclab"
    settings.write_text(f"procServ -c {boot} 20000 ../../bin/linux-x86_64/lab st.cmd\n")
    program = understand(top, procserv=settings).program
    assert str(program.start) == "iocBoot/ioclab/linacre.cmd"
    assert program.laid is not None
    assert program.laid.startswith("#!../../bin/linux-x86_64/lab\n")
    assert program.laid.endswith('\n< "st.cmd"\n')


def test_another_start_folder_is_kept(tmp_path: Path) -> None:
    top = application(tmp_path / "lab")
    settings = tmp_path / "run"
    settings.write_text(f"procServ -c {top} 20000 bin/linux-x86_64/lab iocBoot/ioclab/st.cmd\n")
    program = understand(top, procserv=settings).program
    assert str(program.start) == "linacre.cmd"
    assert program.laid is not None
    assert program.laid.startswith("#!bin/linux-x86_64/lab\n")
    assert '< "iocBoot/ioclab/st.cmd"' in program.laid


def test_softioc_with_options(tmp_path: Path) -> None:
    folder = tmp_path / "soft"
    folder.mkdir()
    (folder / "st.cmd").write_text("dbl\n")
    (folder / "a.db").write_text('record(ai, "$(P)A") {}\n')
    settings = tmp_path / "run"
    settings.write_text(f"cd {folder}\nprocServ 20000 softIoc -m P=X: -d a.db st.cmd\n")
    understood = understand(folder, procserv=settings)
    assert understood.program.kind == "softioc"
    assert understood.program.laid is not None
    assert understood.program.laid.splitlines()[1:] == [
        *('dbLoadRecords("a.db","P=X:")', "iocInit()", '< "st.cmd"')
    ]
    assert list(understood.findings.records) == ["X:A"]
    assert understood.notes[-1:] != ("st.cmd has no iocInit: the IOC will serve nothing",)


def test_what_is_of_the_old_server_is_not_taken_over(tmp_path: Path) -> None:
    top = application(tmp_path / "lab")
    environment = tmp_path / "env"
    environment.write_text("EPICS_CAS_INTF_ADDR_LIST=10.1.2.3\nPATH=/x\nHOME=/home/u\nMODE=1\n")
    understood = understand(top, environment=environment)
    assert understood.declared.environment == {"MODE": "1"}
    assert "EPICS_CAS_INTF_ADDR_LIST was 10.1.2.3" in "\n".join(understood.notes)
