"""Support modules that a script uses and its program does not have."""

from __future__ import annotations

from pathlib import Path

import pytest
from import_support import application, plain, understand

STREAM = 'record(ai, "S") { field(DTYP, "stream") field(INP, "@s.proto read L0") }\n'
ASYN = 'drvAsynIPPortConfigure("L0", "10.0.0.9:4001")\n'


def about_modules(notes: tuple[str, ...]) -> list[str]:
    return [note.partition(",")[0] for note in notes if "support module" in note]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (ASYN, "st.cmd:1: the command drvAsynIPPortConfigure is of the support module asyn"),
        (
            'set_savefile_path("as")\n',
            "st.cmd:1: the command set_savefile_path is of the support module autosave",
        ),
        (
            'pmacCreateController("P", "L0")\nmotorSimCreateController("M", 1)\n',
            "st.cmd:2: the command motorSimCreateController is of the support module motor",
        ),
        (
            'dbLoadRecords("m.db")\n',
            "record M: the record type motor is of the support module motor",
        ),
        (
            'dbLoadRecords("s.db")\n',
            "record S: the device support stream is of the support module StreamDevice",
        ),
        ("require mrfioc2\n", "st.cmd:1: the command require is of the support module require"),
    ],
)
def test_softioc_has_none_of_them(tmp_path: Path, line: str, told: str) -> None:
    databases = {"m_db": 'record(motor, "M") {}\n', "s_db": STREAM}
    folder = plain(tmp_path / "ioc", f"{line}iocInit\n", **databases)
    assert about_modules(understand(folder).notes) == [told]


def test_base_alone_needs_none(tmp_path: Path) -> None:
    script = 'dbLoadRecords("a.db")\nepicsEnvSet("A","B")\niocInit\ndbpf("A", 1)\n'
    folder = plain(tmp_path / "ioc", script, a_db='record(calcout, "A") {}\n')
    assert about_modules(understand(folder).notes) == []


def test_what_records_need_beyond_base_is_told(tmp_path: Path) -> None:
    database = """\
record(ai, "A") { field(DTYP, "Soft Channel") }
record(ai, "B") { field("DTYP", "My Crate") }
record(aSub, "C") { field(SNAM, "average") field(INAM, "") }
record(crate, "D") { field(DTYP, "$(WHAT)") }
"""
    script = 'dbLoadRecords("a.db", "WHAT=Db State")\niocInit\n'
    assert understand(plain(tmp_path / "ioc", script, a_db=database)).notes == (
        "softIoc does not have the record type crate of D",
        "softIoc does not have the device support My Crate of B",
        "softIoc does not have the function average of C",
    )


def test_a_program_is_looked_into_for_what_its_script_calls(tmp_path: Path) -> None:
    first = "#!../../bin/linux-x86_64/lab\n"
    top = application(
        tmp_path / "lab", built=str(tmp_path / "lab"), start=f"{first}{ASYN}iocInit\n"
    )
    (note,) = about_modules(understand(top).notes)
    assert note.endswith("drvAsynIPPortConfigure is of the support module asyn")
    assert about_modules(understand(top, engine="process").notes) == []
    program = top / "bin/linux-x86_64/lab"
    program.write_bytes(program.read_bytes() + b"\0drvAsynIPPortConfigure\0")
    assert about_modules(understand(top).notes) == []
