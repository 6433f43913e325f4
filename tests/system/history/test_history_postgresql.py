"""A facility whose catalogue is a PostgreSQL of the test, and what holds while it is away."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import Site
from ruamel.yaml import YAML

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

from common.postgresql import Server, programs, server

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Server]:
    folder = programs()
    if folder is None:
        pytest.skip("no PostgreSQL here: install Debian's package postgresql")
    with server(folder) as running:
        yield running


def _in_blocks(site: Site) -> None:
    """Write the facility file as a person would: one in braces cannot be changed by Linacre."""
    file = site.folder / "facility.yaml"
    data = json.loads(file.read_text())
    with file.open("w") as opened:
        YAML(typ="safe").dump(data, opened)


@pytest.fixture(scope="module")
def site(make_site: Callable[[str], Site], postgresql: Server) -> Iterator[Site]:
    """One IOC that is up, its history in a database that other facilities could share."""
    site = make_site("pg")
    with postgresql.database() as database:
        site.settings["catalogue"] = postgresql.url(database)
        site.ioc("a", 11)
        site.write()
        _in_blocks(site)
        site.ok("up", "--yes")
        yield site
        # The database cannot be dropped while the facility's end is written into it.
        site.ok("down", "--purge", "--yes")


def test_history_and_search_are_in_the_database(site: Site, postgresql: Server) -> None:
    assert not site.state.facility(site.name).catalogue.exists()
    done = json.loads(site.ok("find", f"{site.prefix('a')}*", "--json").out)
    assert {m["pv"] for m in done["matches"]} == {
        site.prefix("a") + name for name in ("READI", "SETI", "COUNT")
    }
    states = json.loads(site.ok("ioc", "history", "a", "--json").out)["states"]
    assert [(s["verb"], s["outcome"]) for s in states] == [("up", "done")]
    assert site.tasks()[0]["facility"] == site.name


def test_a_rollback_by_way_of_the_database(site: Site) -> None:
    database = site.folder / "iocs/a/ioc.db"
    records = database.read_text()
    database.write_text(records.replace('"2.5"', '"7.5"'))
    site.ok("up", "--yes")
    site.ok("ioc", "rollback", "a", "--yes")
    assert database.read_text() == records
    said = site.ok("exec", "--", "caget", "-t", "-w", "5", f"{site.prefix('a')}READI").out
    assert said == "2.5\n"


def test_without_the_database_nothing_is_changed_and_looking_goes_on(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = site.folder / "facility.yaml"
    kept = file.read_text()
    running = site.pid("a", "softIoc")
    away = "postgresql://linacre@/catalogue?host=/nonexistent"
    monkeypatch.setitem(site.settings, "catalogue", away)
    site.write()
    try:
        for command in (["ioc", "restart", "a"], ["task", "list"], ["ioc", "history", "a"]):
            said = site.run(*command).problem
            assert "the catalogue postgresql" in said and "Traceback" not in said, said
        assert site.run("status").status == 0
        assert site.pid("a", "softIoc") == running
    finally:
        file.write_text(kept)
    site.ok("ioc", "restart", "a")


def test_a_password_in_the_url_is_refused_and_not_repeated(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = site.folder / "facility.yaml"
    kept = file.read_text()
    with_password = "postgresql://linacre:hunter2@db1/linacre"
    monkeypatch.setitem(site.settings, "catalogue", with_password)
    site.write()
    try:
        done = site.run("status")
        assert done.status == 2 and "~/.pgpass" in done.err and "hunter2" not in done.err
    finally:
        file.write_text(kept)
