"""Finding an IOC, its program and libraries; its files and its entry."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from import_support import PROGRAM, application, plain, understand

from linacre.base.errors import LinacreError, UserError
from linacre.base.paths import StatePaths
from linacre.declaration.load import load
from linacre.declaration.models import BinaryIoc, SoftIoc
from linacre.operations.importing.elf import host_machine, read_elf
from linacre.operations.importing.libraries import libraries_of
from linacre.operations.importing.take import Taking, Wanted, plan_taking, take
from linacre.operations.importing.telling import data_of, lines_of
from linacre.operations.importing.understood import Understood
from linacre.session.session import open_session

FACILITY = """\
facility: lab # of the test
engine: process
networks: {controls: {subnet: 10.77.0.0/24}}
iocs:
  old: # stays as it is
    kind: python
    module: caproto.ioc_examples.simple
    address: 10.77.0.11
"""


@pytest.fixture
def facility(tmp_path: Path) -> Path:
    file = tmp_path / "facility/facility.yaml"
    file.parent.mkdir()
    file.write_text(FACILITY)
    return file


def planned(understood: Understood, facility: Path, **settings: Any) -> Taking:
    wanted = Wanted(today=date(2026, 11, 23), **settings)

    async def work() -> Taking:
        state = StatePaths(facility.parent / "state")
        session = await open_session(facility, state=state, folder=facility.parent)
        return await plan_taking(understood, session, wanted)

    return asyncio.run(work())


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.lstat().st_mode, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def test_application_is_taken_over(tmp_path: Path, facility: Path) -> None:
    top = application(tmp_path / "lab")
    before = snapshot(top)
    take(planned(understand(top, name="lab"), facility))
    text = facility.read_text()
    assert text.startswith(FACILITY)
    ioc = load(facility).facility.iocs["lab"]
    assert isinstance(ioc, BinaryIoc)
    assert str(ioc.start) == "iocBoot/ioclab/st.cmd"
    assert ioc.built_at == PurePosixPath("/home/epics/lab")
    assert str(ioc.address) == "10.77.0.12"
    assert f"# Taken over from {top} on 2026-11-23." in text
    copied = snapshot(facility.parent / "iocs/lab")
    assert set(copied) == {
        *("bin/linux-x86_64/lab", "db/lab.db", "db/lab.substitutions", "db/mag.template"),
        *("dbd/lab.dbd", "iocBoot/ioclab/envPaths", "iocBoot/ioclab/lab.req"),
        "iocBoot/ioclab/st.cmd",
    }
    assert snapshot(top) == before
    assert not list(facility.parent.glob("iocs/.*"))


@pytest.mark.parametrize("which", ["top", "iocBoot", "ioc", "slash"])
def test_any_folder_of_an_application_will_do(tmp_path: Path, which: str) -> None:
    top = application(tmp_path / "lab")
    given = {
        "top": top,
        "iocBoot": top / "iocBoot",
        "ioc": top / "iocBoot/ioclab",
        "slash": Path(f"{top}/iocBoot/ioclab/../ioclab/"),
    }[which]
    understood = understand(given)
    assert understood.found.tree == top
    assert str(understood.found.start) == "iocBoot/ioclab/st.cmd"


def test_several_start_scripts_are_listed(tmp_path: Path) -> None:
    top = application(tmp_path / "lab")
    shutil.copytree(top / "iocBoot/ioclab", top / "iocBoot/iocother")
    with pytest.raises(UserError) as caught:
        understand(top)
    assert "2 start scripts; name one by --start" in str(caught.value)
    assert "iocBoot/ioclab/st.cmd, iocBoot/iocother/st.cmd" in str(caught.value)
    assert understand(top, start="iocBoot/iocother/st.cmd").name == "iocother"
    with pytest.raises(UserError, match=r"--start no.cmd: not in"):
        understand(top, start="no.cmd")
    with pytest.raises(UserError, match="--start /etc/passwd: not in"):
        understand(top, start="/etc/passwd")


def test_what_is_no_ioc(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        understand(tmp_path / "no")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is not a folder"):
        understand(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="has no start script"):
        understand(tmp_path / "empty")


def test_program_that_is_not_built(tmp_path: Path) -> None:
    top = application(tmp_path / "lab")
    (top / "bin/linux-x86_64/lab").unlink()
    with pytest.raises(UserError, match=r"the program .*/lab .the first line of .* is not there"):
        understand(top)


def test_program_of_another_architecture(tmp_path: Path) -> None:
    top = application(tmp_path / "lab")
    program = top / "bin/linux-x86_64/lab"
    data = bytearray(program.read_bytes())
    data[18:20] = b"\xb7\x00" if host_machine() != "aarch64" else b"\x3e\x00"
    program.write_bytes(data)
    with pytest.raises(UserError, match=f"is built for .*, and this host is {host_machine()}"):
        understand(top)


def test_program_that_is_none(tmp_path: Path) -> None:
    top = application(tmp_path / "lab")
    (top / "bin/linux-x86_64/lab").write_text("hello")
    with pytest.raises(UserError, match="is no program for Linux"):
        understand(top)
    (top / "bin/linux-x86_64/lab").write_bytes(PROGRAM.read_bytes()[:70])
    with pytest.raises(UserError, match="is no program for Linux"):
        understand(top)


def test_elf_of_this_python() -> None:
    elf = read_elf(Path(sys.executable).resolve())
    assert elf is not None
    assert elf.machine == host_machine()
    assert any(name.startswith("libc.so") for name in elf.needed)
    assert elf.glibc >= (2, 2)
    assert read_elf(Path(__file__)) is None


def test_newer_glibc_is_told(tmp_path: Path) -> None:
    top = application(tmp_path / "lab")
    with (top / "bin/linux-x86_64/lab").open("ab") as file:
        file.write(b"\0GLIBC_2.99\0")
    notes = "\n".join(understand(top).notes)
    assert "the program needs glibc 2.99 and the image of IOC machines has 2.41" in notes
    assert "on which the process engine runs it," in "\n".join(
        understand(top, engine="process").notes
    )


def test_libraries_are_followed(tmp_path: Path) -> None:
    """A library stands for one where its file has its name: none of them is loaded."""
    elf = read_elf(PROGRAM)
    assert elf is not None
    data = PROGRAM.read_bytes().replace(b"libc.so.6\0", b"liblab.so\0")
    top = application(tmp_path / "lab")
    program = top / "bin/linux-x86_64/lab"
    program.write_bytes(data)

    def found() -> tuple[list[str], list[str], list[str]]:
        each = libraries_of(program, tree=top, present=Path, more=(str(tmp_path / "support"),))
        return [p.name for p in each.own], [p.name for p in each.elsewhere], [*each.missing]

    assert found() == ([], [], ["liblab.so"])
    (tmp_path / "support").mkdir()
    shutil.copy(PROGRAM, tmp_path / "support/liblab.so")
    assert found() == ([], ["liblab.so"], [])
    (tmp_path / "env").write_text(f"LD_LIBRARY_PATH={tmp_path}/support\n")
    understood = understand(top, environment=tmp_path / "env")
    assert [str(copy.path) for copy in understood.copies] == ["linacre-lib/liblab.so"]
    assert understood.declared.environment == {"LD_LIBRARY_PATH": "/home/epics/lab/linacre-lib"}
    (top / "lib/linux-x86_64").mkdir(parents=True)
    shutil.move(tmp_path / "support/liblab.so", top / "lib/linux-x86_64")
    assert found() == (["liblab.so"], [], [])
    (top / "lib/linux-x86_64/liblab.so").unlink()
    assert "liblab.so" in "\n".join(understand(top).notes)


def test_plain_folder(tmp_path: Path, facility: Path) -> None:
    folder = plain(
        tmp_path / "S02 Mag", 'dbLoadRecords("a.db","P=X:")\niocInit\n', a_db='record(ai,"$(P)A"){}'
    )
    (folder / ".git").mkdir()
    (folder / ".git/config").write_text("")
    taking = planned(understand(folder), facility)
    assert taking.understood.name == "s02-mag"
    take(taking)
    ioc = load(facility).facility.iocs["s02-mag"]
    assert isinstance(ioc, SoftIoc)
    assert ioc.built_at is None
    assert set(snapshot(taking.target)) == {"st.cmd", "a.db"}


def test_python_script(tmp_path: Path, facility: Path) -> None:
    folder = tmp_path / "py"
    folder.mkdir()
    (folder / "ioc.py").write_text("import os, softioc, helper, frobnicate\n")
    (folder / "helper.py").write_text("")
    understood = understand(folder, start="ioc.py")
    assert "imports frobnicate" in "\n".join(understood.notes)
    assert "helper" not in "\n".join(understood.notes)
    taking = planned(understood, facility)
    take(taking)
    assert "  script: ioc.py\n" in facility.read_text()


def test_links_out_of_the_folder_are_copied(tmp_path: Path, facility: Path) -> None:
    folder = plain(tmp_path / "p", "iocInit\n")
    (tmp_path / "site").mkdir()
    (tmp_path / "site/a.db").write_text("a\n")
    (folder / "a.db").symlink_to(tmp_path / "site/a.db")
    (folder / "b.db").symlink_to("a.db")
    (folder / "site").symlink_to(tmp_path / "site")
    (folder / "site/again").symlink_to(folder)
    (folder / "gone").symlink_to("/no/such/file")
    taking = planned(understand(folder), facility)
    assert taking.plan is not None
    assert any("leads nowhere" in line for line in taking.plan.left_out)
    take(taking)
    assert (taking.target / "a.db").read_text() == "a\n"
    assert not (taking.target / "a.db").is_symlink()
    assert not (taking.target / "site").is_symlink()
    assert not (taking.target / "gone").exists()


def test_in_place(tmp_path: Path, facility: Path) -> None:
    top = application(facility.parent / "lab")
    taking = planned(understand(top, name="lab"), facility, in_place=True)
    assert taking.plan is None
    take(taking)
    assert "  source: lab\n" in facility.read_text()
    other = application(tmp_path / "other", start="iocInit\n")
    with pytest.raises(UserError, match=r"--in-place: .* use --copy"):
        planned(understand(other, name="other"), facility, in_place=True)


def test_name_and_address_that_are_taken(tmp_path: Path, facility: Path) -> None:
    top = application(tmp_path / "lab")
    with pytest.raises(UserError, match=r"there is an IOC old already, at .*yaml:5; choose"):
        planned(understand(top, name="old"), facility)
    with pytest.raises(UserError, match="Lab_1 is no host name; write lab-1"):
        planned(understand(top, name="Lab_1"), facility)
    with pytest.raises(UserError, match=r"^lab: address: 10.77.0.11 is also the address of old"):
        planned(understand(top, name="lab"), facility, address="10.77.0.11")
    with pytest.raises(UserError, match=r"10.99.0.1 is outside"):
        planned(understand(top, name="lab"), facility, address="10.99.0.1")
    with pytest.raises(UserError, match="no network none; write controls"):
        planned(understand(top, name="lab"), facility, network="none")
    (facility.parent / "iocs/lab").mkdir(parents=True)
    with pytest.raises(UserError, match="is there already"):
        planned(understand(top, name="lab"), facility)
    assert facility.read_text() == FACILITY


def test_nothing_is_left_where_the_file_cannot_be_written(tmp_path: Path, facility: Path) -> None:
    taking = planned(understand(application(tmp_path / "lab"), name="lab"), facility)
    changed = FACILITY + "# changed meanwhile\n"
    facility.write_text(changed)
    with pytest.raises(LinacreError, match="changed by somebody else"):
        take(taking)
    assert facility.read_text() == changed
    assert not (facility.parent / "iocs/lab").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_unreadable_file(tmp_path: Path, facility: Path) -> None:
    folder = plain(tmp_path / "p", "iocInit\n", a_db="")
    (folder / "a.db").chmod(0)
    with pytest.raises(UserError, match=r"a.db cannot be read"):
        planned(understand(folder), facility)


def test_place_that_no_machine_can_have(tmp_path: Path) -> None:
    understood = understand(application(tmp_path / "lab", built="/usr/lib/lab"))
    assert understood.declared.built_at is None
    assert "built at /usr/lib/lab, which no machine can have" in "\n".join(understood.notes)


def test_telling(tmp_path: Path, facility: Path) -> None:
    taking = planned(understand(application(tmp_path / "lab")), facility)
    lines = "\n".join(lines_of(taking.understood))
    assert "records          10 (4 ai, 2 ao, 2 bo" not in lines
    assert "built at         /home/epics/lab" in lines
    data = data_of(taking)
    assert data["records"]["LAB:SET1"] == "ao"
    assert data["entry"] == taking.entry
    assert data["start_written"] is None
