"""What a start script is understood to do."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from import_support import application, plain, understand

from linacre.base.errors import UserError
from linacre.operations.importing.findings import Where
from linacre.operations.importing.macros import expand


def test_an_application_is_understood(tmp_path: Path) -> None:
    understood = understand(application(tmp_path / "lab"))
    findings, declared = understood.findings, understood.declared
    assert understood.name == "ioclab"
    assert understood.program.kind == "binary"
    assert understood.program.laid is None
    assert str(declared.built_at) == "/home/epics/lab"
    assert findings.variables["P2"] == "LAB:B:"
    assert list(findings.records) == [
        *("LAB:READ1", "LAB:ALSO1", "LAB:SET1", "LAB:SWITCH1"),
        *("LAB:B:READ2", "LAB:B:ALSO2", "LAB:B:SET2", "LAB:B:SWITCH2"),
        *("CLA-S02-MAG01", "X,YMAG02", "ZMAG03", "LAB:MAG04"),
    ]
    assert findings.records["LAB:SET1"] == "ao"
    assert declared.persistent == (PurePosixPath("autosave"),)
    assert {use.where for use in findings.files} == {Where.OWN}
    assert (findings.unknown, findings.macros, understood.notes) == ([], [], ())


def test_what_is_not_there_is_told_with_its_line(tmp_path: Path) -> None:
    script = (
        'dbLoadRecords("no.db","P=X:")\n< no.cmd\ndbLoadRecords("a.db","Q=1")\n'
        'cd "/no/such"\niocInit\n'
    )
    understood = understand(plain(tmp_path / "p", script, a_db='record(ai,"$(P)A"){}'))
    assert understood.program.kind == "softioc"
    notes = "\n".join(understood.notes)
    assert "st.cmd:1: the database" in notes
    assert "no.db is not there" in notes
    assert "st.cmd:2: the script" in notes
    assert "$(P) in what st.cmd:3 loads" in notes
    assert "st.cmd:4: cd to /no/such, which is not there" in notes


def test_what_is_not_understood_is_listed(tmp_path: Path) -> None:
    script = 'frobnicate(1, "a b")\ndbLoadRecords("unclosed)\niocInit\n'
    found = understand(plain(tmp_path / "p", script)).findings
    assert found.unknown == ["st.cmd:1: frobnicate 1 a b", "st.cmd:2: dbLoadRecords unclosed)"]


def test_surroundings_of_an_ioc(tmp_path: Path) -> None:
    protocols = tmp_path / "site/protocols"
    protocols.mkdir(parents=True)
    (tmp_path / "site/db").mkdir()
    (tmp_path / "site/db/asyn.db").write_text('record(asyn, "A") {}')
    script = f"""\
epicsEnvSet("STREAM_PROTOCOL_PATH", "{protocols}")
epicsEnvSet("EPICS_CAS_SERVER_PORT", "5066")
epicsEnvSet("EPICS_CA_ADDR_LIST", "10.1.1.255")
drvAsynSerialPortConfigure("S0", "/dev/ttyNONE7", 0, 0, 0)
drvAsynIPPortConfigure("L0", "10.1.2.3:4001 TCP", 0, 0, 1)
EtherIPConfigure("plc", "10.1.2.4", 0)
asynSetOption("S0", 0, "baud", "9600")
dbLoadRecords("{tmp_path}/site/db/asyn.db")
asSetFilename("site.acf")
iocInit
iocLogInit
caPutLogInit("10.1.2.9:7011")
seq sncLab, "P=X:"
dbl > records.txt
system("date")
"""
    folder = plain(tmp_path / "p", script)
    (folder / "site.acf").write_text("ASG(DEFAULT) {}\n")
    understood = understand(folder)
    findings, notes = understood.findings, "\n".join(understood.notes)
    assert findings.devices == ["/dev/ttyNONE7"]
    assert [each.split()[0] for each in findings.hosts] == [
        *("10.1.2.3:4001", "10.1.2.4", "10.1.2.9:7011")
    ]
    assert findings.programs == ["sncLab"]
    assert findings.drivers == ["EtherIPConfigure", "asynSetOption"]
    site = PurePosixPath(tmp_path / "site")
    assert understood.declared.mounts == (site / "protocols", site / "db")
    assert findings.access_security == PurePosixPath(folder / "site.acf")
    assert "EPICS_CAS_SERVER_PORT is 5066" in notes
    assert "EPICS_CA_ADDR_LIST is 10.1.1.255" in notes
    assert "/dev/ttyNONE7 is not on this host" in notes
    assert "iocLogInit" in notes
    assert "records.txt is written" in notes
    assert "system(date)" in notes
    assert findings.unknown == []


def test_autosave_elsewhere_is_told(tmp_path: Path) -> None:
    script = 'set_savefile_path("/var/autosave", "lab")\niocInit\ncreate_monitor_set("a.req",5)\n'
    understood = understand(plain(tmp_path / "p", script))
    assert understood.declared.persistent == ()
    assert "autosave writes to /var/autosave/lab" in "\n".join(understood.notes)


def test_included_scripts_have_their_macros(tmp_path: Path) -> None:
    script = 'iocshLoad("mag.iocsh", "N=3")\ndbLoadRecords("a.db","P=$(N=none)")\niocInit\n'
    folder = plain(tmp_path / "p", script, a_db='record(ai,"$(P)A"){}')
    (folder / "mag.iocsh").write_text('dbLoadRecords("a.db","P=M$(N)")\n')
    assert list(understand(folder).findings.records) == ["M3A", "noneA"]


def test_a_script_that_includes_itself_ends(tmp_path: Path) -> None:
    understood = understand(plain(tmp_path / "p", "< st.cmd\niocInit\n"))
    assert "includes itself" in "\n".join(understood.notes)


def test_what_unfolds_without_end_ends(tmp_path: Path) -> None:
    doubled = {f"M{n}": f"$(M{n + 1})$(M{n + 1})" for n in range(40)} | {"M40": "x"}
    assert len(expand("$(M0)", doubled)) <= 2_000_000
    script = '< st.cmd\n< st.cmd\ndbLoadRecords("a.db")\niocInit\n'
    database = 'include "a.db"\ninclude "a.db"\nrecord(ai, "A") {}\n'
    assert list(understand(plain(tmp_path / "p", script, a_db=database)).findings.records) == ["A"]


def test_a_line_with_a_macro_that_nothing_defines_is_left_out_as_the_shell_does(
    tmp_path: Path,
) -> None:
    script = """\
$(IFSIM) drvAsynIPPortConfigure("L0", "localhost:57677")
< $(IOCSTARTUP)/init.cmd
dbLoadRecords("a.db", "P=$(PREFIX)$(OTHER)")
dbLoadRecords("a.db", "P=$(UNSET=X:)")
$(COMMENT=#) noSuch 1
iocInit
< $(IOCSTARTUP)/after.cmd
"""
    understood = understand(plain(tmp_path / "p", script, a_db='record(ai,"$(P)A"){}'))
    findings = understood.findings
    assert list(findings.records) == ["X:A"]
    assert (findings.hosts, findings.files[1:], findings.unknown) == ([], [], [])
    assert findings.lacking == {
        "IFSIM": ["st.cmd:1"],
        "IOCSTARTUP": ["st.cmd:2", "st.cmd:7"],
        "PREFIX": ["st.cmd:3"],
        "OTHER": ["st.cmd:3"],
    }
    left_out = "left out by the IOC shell, for nothing defines"
    assert understood.notes[:4] == (
        f"st.cmd:1 is {left_out} $(IFSIM)",
        f"st.cmd:2 and 1 more line are {left_out} $(IOCSTARTUP)",
        f"st.cmd:3 is {left_out} $(PREFIX), $(OTHER)",
        "what the server's environment defined: give it by --environment, or write it into the "
        "IOC's entry as environment",
    )
    given = tmp_path / "environment"
    given.write_text("PREFIX=Y\nOTHER=:\n")
    known = understand(tmp_path / "p", environment=given).findings
    assert list(known.records) == ["Y:A", "X:A"]


def test_the_environment_holds_in_names_of_templates_and_not_in_databases(tmp_path: Path) -> None:
    script = """\
epicsEnvSet("P", "X:")
epicsEnvSet("WHERE", "templates")
dbLoadRecords("a.db")
dbLoadTemplate("a.substitutions")
dbLoadTemplate("a.substitutions", "P=$(P)")
iocInit
"""
    folder = plain(tmp_path / "p", script, a_db='record(ai,"$(P=own:)A"){}')
    (folder / "templates").mkdir()
    (folder / "templates/t.db").write_text('record(ai,"$(P=own:)T$(N)"){}')
    (folder / "a.substitutions").write_text('file "$(WHERE)/t.db" { {N=1} }\n')
    assert list(understand(folder).findings.records) == ["own:A", "own:T1", "X:T1"]


def test_a_script_of_vxworks_is_refused(tmp_path: Path) -> None:
    script = "< cdCommands\ncd topbin\nld < lab.munch\niocInit\n"
    told = r"st.cmd:3 loads lab.munch as vxWorks does, .* name a start script for Linux"
    with pytest.raises(UserError, match=told):
        understand(plain(tmp_path / "p", script))


def test_what_is_done_after_ioc_init_is_seen(tmp_path: Path) -> None:
    script = "doAfterIocInit(\"create_manual_set('a.req','P=X:')\")\niocInit\n"
    findings = understand(plain(tmp_path / "p", script)).findings
    assert findings.drivers == ["doAfterIocInit"]
    assert [use.path.name for use in findings.files] == ["a.req"]
