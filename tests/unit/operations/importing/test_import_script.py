"""What a start script is understood to do."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from import_support import application, plain, understand

from linacre.operations.importing.findings import Where
from linacre.operations.importing.iocsh import parse_line
from linacre.operations.importing.macros import definitions, expand, undefined
from linacre.operations.importing.records import read_database, read_substitutions


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(P)SETI", "CLA:SETI"),
        ("${P}SETI", "CLA:SETI"),
        ("$(NONE=x)", "x"),
        ("$(NONE=$(P)x)", "CLA:x"),
        ("$(NONE=)", ""),
        ("$(NONE)", "$(NONE)"),
        ("$($(WHICH))", "CLA:"),
        ("$(NEST)", "CLA:N"),
        ("$(SELF)", "$(SELF)"),
        ("$(LOOP)", "$(LOOP)"),
        ("\\$(P)", "\\$(P)"),
        ("$(UNCLOSED", "$(UNCLOSED"),
        ("no macros, $5", "no macros, $5"),
        ("$(INNER,Q=2)", "a2"),
    ],
)
def test_macros(text: str, expanded: str) -> None:
    macros = {"P": "CLA:", "WHICH": "P", "NEST": "$(P)N", "SELF": "$(SELF)", "INNER": "a$(Q)"}
    macros["LOOP"] = "$(LOOP2)"
    macros["LOOP2"] = "$(LOOP)"
    assert expand(text, macros) == expanded


def test_undefined_macros_are_named_once() -> None:
    assert undefined("$(A)${B}$(A)") == ["A", "B"]


def test_definitions_keep_quoted_commas() -> None:
    text = r'P=CLA:, R="a,b" ,N=$(P)1,EMPTY=,Q=\"x\"'
    found = definitions(text, {})
    assert found == {"P": "CLA:", "R": "a,b", "N": "CLA:1", "EMPTY": "", "Q": '"x"'}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('dbLoadRecords("a b.db", "P=X:,R=\\"1\\"")', ("dbLoadRecords", "a b.db", 'P=X:,R="1"')),
        ("dbLoadRecords a.db,'P=X:'", ("dbLoadRecords", "a.db", "P=X:")),
        ("  iocInit  ( )", ("iocInit",)),
        ("iocInit()", ("iocInit",)),
        ('epicsEnvSet("A", "")', ("epicsEnvSet", "A", "")),
        ('cd "${TOP}"', ("cd", "/top")),
        ("one,two three", ("one", "two", "three")),
    ],
)
def test_words_of_a_line(line: str, words: tuple[str, ...]) -> None:
    command = parse_line(line, {"TOP": "/top"}, file="st.cmd", line=1)
    assert command is not None
    assert command.words == words


def test_redirections_and_comments() -> None:
    def parse(text: str) -> object:
        return parse_line(text, {}, file="st.cmd", line=3)

    assert parse("# x") is None
    assert parse("#- x") is None
    assert parse("   ") is None
    reading = parse_line('< "envPaths"', {}, file="st.cmd", line=3)
    assert reading is not None
    assert (reading.reads, reading.words) == ("envPaths", ())
    writing = parse_line("dbl > /tmp/x.txt", {}, file="st.cmd", line=3)
    assert writing is not None
    assert (writing.writes, writing.words) == ("/tmp/x.txt", ("dbl",))
    unclosed = parse_line('cd "x', {}, file="st.cmd", line=3)
    assert unclosed is not None
    assert unclosed.broken


def test_database_with_includes_and_aliases() -> None:
    found = read_database(
        'include "more.db"\nrecord(ai,"$(P)A"){alias("$(P)B")}\nalias("X","$(Q)C")\n'
        'record(stringin, "info") { info(autosaveFields, "VAL record(x,y)") }',
        {"P": "L:"},
        lambda name: 'record(bo, "$(P)D") {}' if name == "more.db" else None,
    )
    assert list(found.records) == ["L:D", "L:A", "L:B", "$(Q)C", "info"]
    assert found.undefined == ["Q"]
    missing = read_database("include no.db", {}, lambda _: None)
    assert missing.missing == ["no.db"]


def test_substitutions() -> None:
    text = (
        'global{A=1}\nfile "$(T).db" { pattern {N,R} {"1", "x y"} { 2, $(A) } }\n'
        'file b.db {{N="3",R="a=b"}{N=4}}\nfile c.db {}\n'
    )
    uses = [(each.file, dict(each.macros)) for each in read_substitutions(text, {"T": "t"})]
    assert uses == [
        ("t.db", {"T": "t", "A": "1", "N": "1", "R": "x y"}),
        ("t.db", {"T": "t", "A": "1", "N": "2", "R": "1"}),
        ("b.db", {"T": "t", "A": "1", "N": "3", "R": "a=b"}),
        ("b.db", {"T": "t", "A": "1", "N": "4"}),
        ("c.db", {"T": "t", "A": "1"}),
    ]


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
