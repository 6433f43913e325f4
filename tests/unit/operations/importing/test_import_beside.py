"""An IOC whose script reads, by relative names, what lies beside its folder."""

from __future__ import annotations

from datetime import date
from ipaddress import IPv4Address
from pathlib import Path, PurePosixPath

import pytest
from import_support import application, plain, understand

from linacre.base.errors import UserError
from linacre.operations.importing.copying import copy, plan_copy
from linacre.operations.importing.entry import entry_of
from linacre.operations.importing.promised import compared
from linacre.operations.importing.take import check_in_place
from linacre.operations.importing.understood import Understood


def shared(top: Path, *names: str) -> Path:
    """Make a folder of databases, a record each, with files that no script names."""
    top.mkdir(parents=True)
    for name in (*names, "unused"):
        (top / f"{name}.db").write_text(f'record(ai, "{name.upper()}") {{}}\n')
    return top


def copied(understood: Understood, target: Path) -> set[str]:
    copy(plan_copy(understood), target)
    return {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}


def entry(understood: Understood) -> str:
    address = IPv4Address("10.0.0.9")
    return entry_of(
        understood, source="iocs/x", address=address, network=None, today=date(2026, 1, 1)
    )


def test_the_copy_keeps_the_shape_and_takes_only_what_is_read(tmp_path: Path) -> None:
    shared(tmp_path / "site/db", "a", "b")
    (tmp_path / "site/db/a.db").write_text('record(ai, "A") {}\ninclude "b.db"\n')
    script = 'dbLoadRecords("../db/a.db")\ndbLoadRecords("own.db")\niocInit\n'
    folder = plain(tmp_path / "site/ioc", script, own_db='record(ai, "OWN") {}')
    (folder / "notes.txt").write_text("")
    (tmp_path / "site/other").mkdir()
    (tmp_path / "site/other/secret").write_text("")
    understood = understand(folder)
    assert understood.beside == (PurePosixPath("db/a.db"), PurePosixPath("db/b.db"))
    assert understood.name == "ioc"
    assert {*understood.findings.records} == {"A", "B", "OWN"}
    assert understood.declared.mounts == ()
    assert understood.notes == ()
    assert "\n  start: ioc/st.cmd\n" in entry(understood)
    assert copied(understood, tmp_path / "copy") == {
        "db/a.db",
        "db/b.db",
        "ioc/st.cmd",
        "ioc/own.db",
        "ioc/notes.txt",
    }


def test_links_out_of_either_folder_are_copied_as_what_they_lead_to(tmp_path: Path) -> None:
    shared(tmp_path / "site/db", "real")
    (tmp_path / "site/db/a.db").symlink_to("real.db")
    folder = plain(tmp_path / "site/ioc", 'dbLoadRecords("../db/a.db")\niocInit\n')
    (folder / "linked.db").symlink_to("../db/unused.db")
    assert copied(understand(folder), tmp_path / "copy") == {
        "db/a.db",
        "ioc/st.cmd",
        "ioc/linked.db",
    }
    assert "UNUSED" in (tmp_path / "copy/ioc/linked.db").read_text()


def test_what_not_everybody_may_read_is_not_taken_from_outside(tmp_path: Path) -> None:
    """A repository with a link to /etc/shadow, or a script that reads it, does not get it."""
    shared(tmp_path / "site/db", "a")
    secret = tmp_path / "site/db/secret.db"
    secret.write_text("# of the host alone\n")
    secret.chmod(0o640)
    script = 'dbLoadRecords("../db/a.db")\ndbLoadRecords("../db/secret.db")\niocInit\n'
    folder = plain(tmp_path / "site/ioc", script)
    (folder / "linked.db").symlink_to(secret)
    own = folder / "own.db"
    own.write_text("# the IOC's\n")
    own.chmod(0o600)
    plan = plan_copy(understand(folder))
    assert len([line for line in plan.left_out if "not everybody may read" in line]) == 2
    assert {str(item.path) for item in plan.items} == {"db/a.db", "ioc/st.cmd", "ioc/own.db"}


@pytest.mark.parametrize(
    "script",
    [
        'cd ../db\ndbLoadRecords("a.db")\niocInit\n',
        'epicsEnvSet("TOP", "..")\ndbLoadRecords("$(TOP)/db/a.db")\niocInit\n',
        'epicsEnvSet("EPICS_DB_INCLUDE_PATH", ".:../db")\ndbLoadRecords("a.db")\niocInit\n',
        "< ../db/load.cmd\niocInit\n",
    ],
    ids=["cd", "macro", "search path", "script"],
)
def test_every_way_to_what_is_beside_is_seen(tmp_path: Path, script: str) -> None:
    shared(tmp_path / "site/db", "a")
    (tmp_path / "site/db/load.cmd").write_text('dbLoadRecords("../db/a.db")\n')
    understood = understand(plain(tmp_path / "site/ioc", script))
    assert {*understood.findings.records} == {"A"}
    assert "db/a.db" in copied(understood, tmp_path / "copy")
    assert "unused.db" not in str(understood.beside)


def test_full_paths_stay_mounts(tmp_path: Path) -> None:
    folder = shared(tmp_path / "site/db", "a")
    understood = understand(
        plain(tmp_path / "site/ioc", f'dbLoadRecords("{folder}/a.db")\niocInit\n')
    )
    assert understood.beside == ()
    assert understood.found.own == PurePosixPath()
    assert understood.declared.mounts == (PurePosixPath(folder),)


def test_an_application_keeps_its_place_and_its_parts(tmp_path: Path) -> None:
    top = tmp_path / "site/lab"
    script = (
        '#!../../bin/linux-x86_64/lab\n< envPaths\ndbLoadRecords("../../../shared/a.db")\niocInit\n'
    )
    application(top, built=str(top), start=script)
    shared(tmp_path / "site/shared", "a")
    understood = understand(top)
    assert understood.declared.built_at == PurePosixPath(tmp_path / "site")
    files = copied(understood, tmp_path / "copy")
    assert {"lab/bin/linux-x86_64/lab", "lab/iocBoot/ioclab/st.cmd", "shared/a.db"} <= files
    assert not any("labApp" in name or "unused" in name for name in files)


def test_files_of_another_name_where_they_were_built_are_told(tmp_path: Path) -> None:
    top = tmp_path / "site/copy-of-lab"
    script = '< envPaths\ndbLoadRecords("../../../shared/a.db")\niocInit\n'
    application(top, built="/home/epics/lab", start=script)
    shared(tmp_path / "site/shared", "a")
    understood = understand(top)
    assert understood.found.own == PurePosixPath()
    assert any(
        note.startswith("/home/epics/shared/a.db is named by a relative path")
        for note in understood.notes
    )


def test_in_place_is_refused(tmp_path: Path) -> None:
    shared(tmp_path / "site/db", "a")
    folder = plain(tmp_path / "site/ioc", 'dbLoadRecords("../db/a.db")\niocInit\n')
    with pytest.raises(UserError, match=r"--in-place: it reads files beside ioc, .* use --copy"):
        check_in_place(understand(folder))


def test_what_is_not_understood_stays_in_the_entry(tmp_path: Path) -> None:
    lines = "".join(f"what{number} {'x' * 200}\n" for number in range(15))
    text = entry(understand(plain(tmp_path / "ioc", f"noSuch 1\n{lines}iocInit\n")))
    noted = [line for line in text.splitlines() if "# Not understood: " in line]
    assert noted[0] == "  # Not understood: st.cmd:1: noSuch 1"
    assert noted[-1] == "  # Not understood: 4 more lines"
    assert max(map(len, noted)) < 120


def test_promised_records_against_those_served() -> None:
    assert compared(["A", "B"], {"A", "B", "C"}) == "it serves all that the import found, 2 records"
    told = compared(["A", "B", "C"], {"B"})
    assert told == "2 of 3 records that the import found are not served: A, C"
