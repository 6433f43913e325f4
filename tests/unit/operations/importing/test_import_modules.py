"""Support modules that a script uses and its program does not have."""

from __future__ import annotations

from pathlib import Path

import pytest
from import_support import application, plain, understand

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
    ],
)
def test_softioc_has_none_of_them(tmp_path: Path, line: str, told: str) -> None:
    folder = plain(tmp_path / "ioc", f"{line}iocInit\n", m_db='record(motor, "M") {}\n')
    assert about_modules(understand(folder).notes) == [told]


def test_base_alone_needs_none(tmp_path: Path) -> None:
    script = 'dbLoadRecords("a.db")\nepicsEnvSet("A","B")\niocInit\ndbpf("A", 1)\n'
    folder = plain(tmp_path / "ioc", script, a_db='record(calcout, "A") {}\n')
    assert about_modules(understand(folder).notes) == []


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
