"""The records that an IOC's own databases declare, as its start script loads them."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from import_support import application, plain

from linacre.declaration.models import BinaryIoc, PythonIoc, SoftIoc
from linacre.epics.layout import Layout
from linacre.operations.importing.declared_records import declared_records

TREE = PurePosixPath("/srv/ioc")
LAYOUT = Layout(
    *(TREE, PurePosixPath("/srv/persist"), TREE, TREE, TREE), None, None, "softIoc", "python"
)
ADDRESS = "10.0.0.9"


def declared(
    folder: Path, *, kind: type[SoftIoc | BinaryIoc] = SoftIoc, **more: object
) -> set[str]:
    name = "softioc" if kind is SoftIoc else "binary"
    given = {"kind": name, "source": {"folder": str(folder)}, "address": ADDRESS, **more}
    ioc = kind.model_validate(given)
    return {*declared_records("mag", ioc, folder, LAYOUT)}


def test_those_of_its_own_files_with_its_environment(tmp_path: Path) -> None:
    script = """\
dbLoadRecords("a.db", "P=$(IOC):$(AREA)")
dbLoadRecords("a.db", "P=$(NOBODY)")
dbLoadRecords("a.db", "OTHER=1")
dbLoadRecords("no.db")
iocInit
"""
    database = 'record(ai, "$(P)A") { alias("$(P)ALSO") }\n'
    folder = plain(tmp_path / "mag", script, a_db=database)
    assert declared(folder, environment={"AREA": "S02"}) == {"mag:S02A", "mag:S02ALSO"}


def test_what_is_of_the_host_is_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / "host.db").write_text('record(ai, "HOST") {}\n')
    script = f'dbLoadRecords("{tmp_path}/host.db")\ndbLoadRecords("../host.db")\niocInit\n'
    assert declared(plain(tmp_path / "mag", script)) == set()


def test_an_application_s_at_the_place_where_it_was_built(tmp_path: Path) -> None:
    top = application(tmp_path / "lab")
    start = {"start": "iocBoot/ioclab/st.cmd", "built_at": "/home/epics/lab"}
    found = declared(top, kind=BinaryIoc, **start)
    assert {"LAB:READ1", "LAB:ALSO1", "LAB:B:SET2", "ZMAG03"} <= found


@pytest.mark.parametrize("script", ["ld < lab.munch\n", "< st.cmd\n", 'dbLoadRecords("'])
def test_scripts_that_tell_nothing(tmp_path: Path, script: str) -> None:
    assert declared(plain(tmp_path / "mag", script)) == set()


def test_a_python_program_declares_none(tmp_path: Path) -> None:
    ioc = PythonIoc.model_validate({"kind": "python", "module": "some.mag", "address": ADDRESS})
    assert declared_records("mag", ioc, tmp_path, LAYOUT) == ()
