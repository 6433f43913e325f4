"""An import reads what is the author's, and of the host what everybody may read."""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import Path, PurePosixPath

import pytest
from changing_folder import changing_to_a_link
from import_support import application, plain, understand

from linacre.base.errors import LinacreError, UserError
from linacre.operations.importing import lookup
from linacre.operations.importing.copying import copy, plan_copy
from linacre.operations.importing.elf import read_elf
from linacre.operations.importing.listing import Listing
from linacre.operations.importing.matching import holds, matching


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of the host that only root may read."""
    if os.geteuid() != 0:
        pytest.skip("what is this user's own is theirs to take")
    file = tmp_path / "host/secret"
    file.parent.mkdir()
    file.write_text('top secret\nrecord(ai, "SECRET") {}\n')
    file.chmod(0o600)
    return file


@pytest.mark.parametrize(
    "line",
    ["< {}", 'dbLoadRecords("{}")', 'dbLoadTemplate("{}")', 'iocshLoad("{}")', "< linked"],
)
def test_what_a_script_loads_and_not_everybody_may_read_is_told(
    tmp_path: Path, secret: Path, line: str
) -> None:
    folder = plain(tmp_path / "ioc", f"{line.format(secret)}\niocInit\n")
    (folder / "linked").symlink_to(secret)
    understood = understand(folder)
    assert any(
        str(secret) in note and "not everybody may read" in note for note in understood.notes
    )
    assert not understood.findings.records
    assert "top secret" not in f"{understood.notes}{understood.findings.unknown}"


def test_a_start_script_that_leads_to_another_file_of_the_host_is_refused(
    tmp_path: Path, secret: Path
) -> None:
    folder = plain(tmp_path / "ioc", "iocInit\n")
    (folder / "st.cmd").unlink()
    (folder / "st.cmd").symlink_to(secret)
    with pytest.raises(UserError, match=r"st.cmd leads to .*, which not everybody may read"):
        understand(folder)


def test_links_among_the_files_are_followed(tmp_path: Path) -> None:
    folder = plain(tmp_path / "ioc", '< more.cmd\ndbLoadRecords("db/a.db")\niocInit\n')
    (folder / "real").mkdir()
    (folder / "real/a.db").write_text('record(ai, "A") {}\n')
    (folder / "db").symlink_to("real")
    (folder / "all.cmd").write_text('dbLoadRecords("real/a.db", "P=X")\n')
    (folder / "more.cmd").symlink_to("all.cmd")
    understood = understand(folder)
    assert understood.notes == ()
    assert {*understood.findings.records} == {"A"}
    copy(plan_copy(understood), tmp_path / "copy")
    assert (tmp_path / "copy/db").readlink() == Path("real")
    assert (tmp_path / "copy/db/a.db").read_text() == 'record(ai, "A") {}\n'


def test_a_place_of_the_build_above_the_folder_gives_nothing_away(
    tmp_path: Path, secret: Path
) -> None:
    """envPaths is the author's too: all of the host below its TOP is not theirs."""
    folder = plain(tmp_path / "ioc", f"< {secret}\niocInit\n")
    (folder / "envPaths").write_text('epicsEnvSet("TOP","/")\n')
    understood = understand(folder)
    assert understood.found.tree == folder
    assert not understood.findings.records
    top = tmp_path / "lab"
    application(top, built=str(top), start="< ../../own\niocInit\n")
    (top / "own").write_text('dbLoadRecords("/none")\n')
    (top / "own").chmod(0o600)
    assert any(
        "not everybody may read" in note for note in understand(top / "iocBoot/ioclab").notes
    )
    assert not any("not everybody" in note for note in understand(top).notes)


def test_what_changes_to_a_link_between_the_plan_and_the_copy_is_not_copied(
    tmp_path: Path, secret: Path
) -> None:
    folder = plain(tmp_path / "ioc", "iocInit\n", own_db='record(ai, "A") {}\n')
    plan = plan_copy(understand(folder))
    (folder / "own.db").unlink()
    (folder / "own.db").symlink_to(secret)
    with pytest.raises(LinacreError, match="not everybody may read"):
        copy(plan, tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir() if "copy" in path.name] == []


def test_files_that_include_one_another_without_end_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty files, of which each includes the next twice."""
    folder = plain(tmp_path / "ioc", "< s0.cmd\niocInit\n")
    for number in range(19):
        (folder / f"s{number}.cmd").write_text(f"< s{number + 1}.cmd\n" * 2)
        (folder / f"d{number}.db").write_text(f'include "d{number + 1}.db"\n' * 2)
    monkeypatch.setattr(lookup, "_MOST_READ", 1000)
    with pytest.raises(UserError, match=r"its start script loads more than 1,000 scripts, the"):
        understand(folder)
    (folder / "st.cmd").write_text('dbLoadRecords("d0.db")\niocInit\n')
    with pytest.raises(UserError, match=r"its start script loads more than 1,000 files, the"):
        understand(folder)


def test_a_program_whose_header_is_made_up_is_none(tmp_path: Path) -> None:
    """A dynamic section of 2^60 entries, in a file of 16 MiB of nothing."""
    head = b"\x7fELF" + bytes([2, 1]) + bytes(12) + struct.pack("<HI", 62, 1)
    head += struct.pack("<QQQ", 0, 64, 0) + struct.pack("<IHHHHHH", 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 2, 0, 4096, 0, 0, 1 << 60, 1 << 60, 8)
    program = tmp_path / "program"
    with program.open("wb") as file:
        file.write(head + segment)
        file.seek(4096)
        file.write(struct.pack("<QQ", 1, 0) * 50_000)
        file.truncate(1 << 24)
    found = read_elf(program)
    assert found is not None and len(found.needed) <= 10_000
    assert max(map(len, found.needed)) <= 4096


def test_names_that_no_file_should_have_are_left_out_and_told(tmp_path: Path) -> None:
    folder = plain(tmp_path / "ioc", "iocInit\n")
    (folder / "a\nb").write_text("x")
    (folder / "pipe.d").mkdir()
    os.mkfifo(folder / "pipe.d/pipe")
    plan = plan_copy(understand(folder))
    assert {str(item.path) for item in plan.items} == {"st.cmd"}
    assert plan.left_out == (
        f"{folder}: 'a\\nb' has characters that no name of a file should have",
        f"{folder}/pipe.d/pipe: no plain file",
    )
    assert PurePosixPath("a\nb") not in {item.path for item in plan.items}


@pytest.fixture
def closed(secret: Path) -> Path:
    """A folder of the host that only root may read, with a start script and a module."""
    (secret.parent / "ioc1").mkdir()
    for name in ("ioc1/st.cmd", "secret.py"):
        (secret.parent / name).write_text("x")
    secret.parent.chmod(0o700)
    return secret.parent


def test_folders_that_not_everybody_may_read_are_not_listed(tmp_path: Path, closed: Path) -> None:
    folder = plain(tmp_path / "ioc", "iocInit\n")
    (folder / "st.cmd").unlink()
    (folder / "iocBoot").symlink_to(closed)
    (folder / "linked").symlink_to(closed)
    assert matching(folder, "*", given=folder) == [folder / "iocBoot", folder / "linked"]
    assert matching(folder, "*/*", given=folder) == []
    assert not holds(folder / "linked", ".py", given=folder)
    with pytest.raises(UserError, match=r"has no start script") as refused:
        understand(folder)
    assert "ioc1" not in str(refused.value)


def test_a_folder_that_changes_to_a_link_while_it_is_listed_gives_no_names_away(
    tmp_path: Path, closed: Path
) -> None:
    folder = plain(tmp_path / "ioc", "iocInit\n")
    (folder / "d/ioc1").mkdir(parents=True)
    (folder / "d/own.db").write_text("x")
    names: set[str] = set()
    with changing_to_a_link(folder / "d", "../host"):
        for _ in range(300):
            listing = Listing(folder, folder)
            with suppress(UserError):
                listing.take(folder, PurePosixPath(), folder)
            names |= {path.name for path in listing.items}
            names |= {path.name for path in matching(folder, "d/*", given=folder)}
            assert not [line for line in listing.left_out if "secret" in line]
    assert {"st.cmd", "own.db"} <= names <= {"st.cmd", "own.db", "ioc1", "d", "away"}
