"""What IOCs were and are: history, rollback, search, rebuild, on real containers and clients."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import Site

pytestmark = pytest.mark.timeout(300)

TEXT = """\
# The facility of this test.
facility: {name}
engine: {{kind: incus, pool_size: 1GiB}}
networks: {{controls: {{subnet: {subnet}.0/24}}}}
defaults: {{ioc: {{hold_off: 1s}}}}
iocs:
  # what it is for
  a:
    kind: softioc
    owner: magnets # who answers
    area: S02
    device_type: quadrupole
    source: iocs/a
    address: {subnet}.11
  b: {{kind: softioc, source: iocs/b, address: {subnet}.12, owner: vacuum}}
  g:
    kind: softioc
    address: {subnet}.13
    source: {{git: 'file://{git}', revision: main}}
"""


def git(folder: Path, *argv: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *argv], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def commit(site: Site, value: int) -> str:
    """Put another database into the repository and return the commit."""
    folder = site.root / "repository"
    if not folder.exists():
        folder.mkdir()
        git(folder, "init", "--quiet", "--initial-branch=main")
        start = f'dbLoadRecords("ioc.db", "P={site.prefix("g")}")\niocInit\n'
        (folder / "st.cmd").write_text(start)
    record = f'record(ai, "$(P)V") {{ field(VAL, "{value}") field(DESC, "commit {value}") }}\n'
    (folder / "ioc.db").write_text(record)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", f"Value {value}")
    return git(folder, "rev-parse", "HEAD")


def up(site: Site) -> None:
    site.ok("up", "--yes")


def history(site: Site, name: str) -> list[dict[str, Any]]:
    return json.loads(site.ok("ioc", "history", name, "--json").out)["states"]


def actions(site: Site, name: str) -> list[dict[str, Any]]:
    return json.loads(site.ok("ioc", "history", name, "--json").out)["actions"]


def found(site: Site, pattern: str) -> list[dict[str, Any]]:
    done = site.run("find", pattern, "--json")
    assert done.status in (0, 1), done
    return json.loads(done.out)["matches"]


def value(site: Site, pv: str) -> str:
    return site.ok("exec", "--", "caget", "-t", "-w", "5", pv).out.strip()


def pids(site: Site) -> dict[str, int]:
    """Return the process of each IOC in its live machine."""
    return {name: site.pid(row["live"], "softIoc") for name, row in site.status().items()}


@pytest.fixture(scope="module")
def site(make_site: Callable[[str], Site]) -> Site:
    """Three IOCs that are up, one of them from a git repository."""
    site = make_site("past")
    for number, name in enumerate("abg", start=11):
        site.ioc(name, number)
    commit(site, 1)
    repository = site.root / "repository"
    text = TEXT.format(name=site.name, subnet=site.subnet, git=repository)
    (site.folder / "facility.yaml").write_text(text)
    up(site)
    return site


def test_what_an_ioc_serves_is_found_with_type_and_description(site: Site) -> None:
    pv = found(site, f"{site.prefix('g')}*")
    assert [(m["pv"], m["record_type"], m["description"], m["ioc"]) for m in pv] == [
        (f"{site.prefix('g')}V", "ai", "commit 1", "g")
    ]
    assert {m["pv"] for m in found(site, f"{site.name.upper()}*COUNT")} == {
        f"{site.prefix(name)}COUNT" for name in "ab"
    }
    for pattern in ("magnets", "S02", "quadrupole", "a"):
        assert [(m["ioc"], m["pv"]) for m in found(site, pattern)] == [("a", "")], pattern
    assert found(site, "nothing*") == []
    assert "nothing is called NOTHING" in site.run("find", "NOTHING").err


def test_a_rollback_brings_files_and_settings_back_as_a_new_change(site: Site) -> None:
    file, database = site.folder / "facility.yaml", site.folder / "iocs/a/ioc.db"
    text, records = file.read_text(), database.read_text()
    database.write_text(records.replace('"2.5"', '"7.5"'))
    file.write_text(text.replace("    area: S02\n", "    area: S02\n    limits: {cpu: 0.5}\n"))
    up(site)
    assert value(site, f"{site.prefix('a')}READI") == "7.5"
    other = site.pid("b", "softIoc")
    first, second = history(site, "a")[-2:]
    assert second["outcome"] == "done" and second["verb"] == "up" and second["user"]
    assert '-record(ai, "$(P)READI") { field(VAL, "2.5") }' in second["diff"]
    assert '+  "limits": {' in second["diff"]
    assert "area: S02" in second["settings"] and "# who answers" in second["settings"]

    refused = site.run("ioc", "rollback", "a")
    assert refused.status == 1 and "ioc.db" in refused.err and "--yes" in refused.err
    assert "7.5" in database.read_text()

    database.write_text(database.read_text() + "# never brought up\n")
    site.ok("ioc", "rollback", "a", "--yes")
    assert (file.read_text(), database.read_text()) == (text, records)
    assert value(site, f"{site.prefix('a')}READI") == "2.5"
    assert site.pid("b", "softIoc") == other
    kept, last = history(site, "a")[-2:]
    assert kept["verb"] == "not brought up" and "# never brought up" in kept["diff"]
    assert (last["verb"], last["outcome"], last["note"]) == (
        "ioc rollback",
        "done",
        f"back to state {first['number']}",
    )
    site.ok("ioc", "rollback", "a", "--to", str(kept["number"]), "--yes")
    assert database.read_text().endswith("# never brought up\n")
    assert value(site, f"{site.prefix('a')}READI") == "7.5"
    site.ok("ioc", "rollback", "a", "--to", str(first["number"]), "--yes")
    assert json.loads(site.ok("plan", "--json").out)["steps"] == []
    assert "has no state 99" in site.run("ioc", "rollback", "a", "--to", "99").problem


def test_a_rollback_of_a_git_source_goes_to_the_very_commit(site: Site) -> None:
    pv = f"{site.prefix('g')}V"
    assert value(site, pv) == "1"
    first = history(site, "g")[-1]["revision"]
    commit(site, 2)
    up(site)
    assert value(site, pv) == "2"
    assert history(site, "g")[-1]["revision"] != first
    site.ok("ioc", "rollback", "g", "--yes")
    assert value(site, pv) == "1"
    assert f"revision: {first}" in (site.folder / "facility.yaml").read_text()
    assert history(site, "g")[-1]["revision"] == first


def test_a_rollback_that_is_killed_is_finished_by_the_next(site: Site) -> None:
    database = site.folder / "iocs/b/ioc.db"
    records = database.read_text()
    database.write_text(records.replace('"2.5"', '"8.5"'))
    up(site)
    goal = str(history(site, "b")[-2]["number"])
    # Each number is another place in the journal: before the restart, in it, and after it.
    for writes in (2, 4, 6):
        again = ("ioc", "rollback", "b", "--to", goal, "--yes")
        assert site.run(*again, LINACRE_TEST_KILL_AFTER=str(writes)).status == -9
        site.ok(*again)
        assert database.read_text() == records
        assert value(site, f"{site.prefix('b')}READI") == "2.5"
        assert history(site, "b")[-1]["outcome"] == "done"
        database.write_text(records.replace('"2.5"', '"8.5"'))
        up(site)
    site.ok("ioc", "rollback", "b", "--to", goal, "--yes")


def test_what_was_done_with_an_ioc_is_in_its_history(site: Site) -> None:
    site.ok("ioc", "restart", "b")
    done = actions(site, "b")[-1]
    assert (done["verb"], done["outcome"]) == ("ioc restart", "done")
    assert done["steps"] == ["restart b"] and done["user"] and done["at"]
    shown = site.ok("ioc", "history", "b").out
    assert "ioc restart" in shown and "first of all" in shown
    assert "has no IOC nosuch" in site.run("ioc", "history", "nosuch").problem


def test_a_swap_and_a_promotion_are_states(site: Site) -> None:
    twin = site.root / "twin"
    shutil.copytree(site.folder / "iocs/b", twin)
    records = (twin / "ioc.db").read_text()
    (twin / "ioc.db").write_text(records.replace('"2.5"', '"9.5"'))
    site.twin("b", "--source", str(twin))
    assert "b has a twin" in site.run("ioc", "rollback", "b", "--yes").problem
    site.ok("ioc", "swap", "b", "--yes")
    last = history(site, "b")[-1]
    assert (last["verb"], last["note"], last["source"]) == ("ioc swap", "live: b-twin", str(twin))
    assert '+record(ai, "$(P)READI") { field(VAL, "9.5") }' in last["diff"]
    site.ok("ioc", "promote", "b", "--yes")
    assert actions(site, "b")[-1]["verb"] == "ioc promote"
    # It keeps the twin's files, and goes back to its own when it is told to.
    up(site)
    assert value(site, f"{site.prefix('b')}READI") == "9.5"
    site.ok("ioc", "rollback", "b", "--yes")
    assert value(site, f"{site.prefix('b')}READI") == "2.5"


def test_pvs_served_twice_are_told_while_both_run(site: Site) -> None:
    database = site.folder / "iocs/b/ioc.db"
    records = database.read_text()
    shared = f"{site.prefix('a')}READI"
    database.write_text(f'{records}record(ai, "{shared}") {{}}\n')
    line = f"{shared} is served by a and b: clients reach either of them"
    assert line in site.ok("up", "--yes").err
    assert {m["ioc"] for m in found(site, shared)} == {"a", "b"}
    names = next(
        check
        for check in json.loads(site.run("doctor", "--json").out)["checks"]
        if check["check"] == "names"
    )
    assert names["verdict"] == "problem" and shared in json.dumps(names["findings"])
    assert line not in site.ok("ioc", "stop", "b").err
    database.write_text(records)
    assert line not in site.ok("up", "--yes").err


def test_a_lost_or_damaged_catalogue_comes_back_from_the_engine(site: Site) -> None:
    path = site.state.facility(site.name).catalogue
    running = pids(site)
    before = found(site, f"{site.name.upper()}*")
    path.unlink()
    assert "linacre catalogue rebuild" in site.run("find", "*").problem
    told = site.ok("catalogue", "rebuild")
    assert "no history was found" in told.err and "3 IOCs" in told.out
    assert found(site, f"{site.name.upper()}*") == before
    assert [state["verb"] for state in history(site, "a")] == ["catalogue rebuild"]

    path.write_bytes(os.urandom(40_000))
    assert "linacre catalogue rebuild" in site.run("find", "*").problem
    told = site.ok("catalogue", "rebuild")
    assert "the catalogue was damaged; it is now" in told.err
    assert found(site, f"{site.name.upper()}*") == before
    assert [*path.parent.glob(f"{path.name}.damaged-*")]
    assert pids(site) == running
    again = site.ok("catalogue", "rebuild")
    assert "no history" not in again.err
    # A rollback after it leads to what was found then.
    database = site.folder / "iocs/a/ioc.db"
    database.write_text(database.read_text().replace('"2.5"', '"6.5"'))
    up(site)
    site.ok("ioc", "rollback", "a", "--yes")
    assert value(site, f"{site.prefix('a')}READI") == "2.5"


def test_a_newer_linacre_finds_an_older_state_and_restarts_nothing(site: Site) -> None:
    paths = site.state.facility(site.name)
    running = pids(site)
    _make_old(paths.catalogue)
    note = paths.root / "facility.json"
    old = {
        k: v for k, v in json.loads(note.read_text()).items() if k not in ("format", "catalogue")
    }
    note.write_text(json.dumps(old))
    site.ok("up", "--yes")
    assert site.tasks()[-1]["verb"] == "up"
    assert pids(site) == running
    copy = paths.catalogue.with_name(f"{paths.catalogue.name}.schema-0001")
    with sqlite3.connect(copy) as kept:
        assert kept.execute("SELECT verb FROM task").fetchall() == [("up",)]
    # Of what ran before there is no history, and yet there is a way back.
    database = site.folder / "iocs/a/ioc.db"
    records = database.read_text()
    database.write_text(records.replace('"2.5"', '"4.5"'))
    up(site)
    assert [state["verb"] for state in history(site, "a")] == ["found", "up"]
    site.ok("ioc", "rollback", "a", "--yes")
    assert database.read_text() == records


def _make_old(path: Path) -> None:
    """Put a catalogue of the first schema, with a task in it, in the place of the present one."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine, text

    from linacre.catalogue.migrate import SCRIPTS

    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(SCRIPTS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            text(
                "INSERT INTO task (facility, verb, detail, user, host, pid, process_started,"
                " started_at, ended_at, state, log) VALUES ('old', 'up', '', 'somebody', 'here', 1,"
                " '', 1.0, 2.0, 'done', '1.jsonl')"
            )
        )
    engine.dispose()


def test_an_older_linacre_leaves_a_newer_state_alone(site: Site) -> None:
    paths = site.state.facility(site.name)
    note = paths.root / "facility.json"
    kept = note.read_text()
    note.write_text(json.dumps(json.loads(kept) | {"format": 99, "engine": {"new": "shape"}}))
    try:
        for command in (["status"], ["up", "--yes"], ["ioc", "restart", "a"], ["find", "*"]):
            said = site.run(*command).problem
            assert "is kept by a newer Linacre (format 99" in said, said
    finally:
        note.write_text(kept)
    with sqlite3.connect(paths.catalogue) as catalogue:
        (schema,) = catalogue.execute("SELECT version_num FROM alembic_version").fetchone()
        catalogue.execute("UPDATE alembic_version SET version_num = '9999'")
    try:
        for command in (["find", "*"], ["ioc", "restart", "a"], ["task", "list"]):
            assert "was written by a newer Linacre" in site.run(*command).problem
    finally:
        with sqlite3.connect(paths.catalogue) as catalogue:
            catalogue.execute("UPDATE alembic_version SET version_num = ?", (schema,))
    site.ok("ioc", "restart", "a")
