"""New IOCs while a facility of containers runs: made, copied, renamed and removed."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from create_support import get, green, refused, text_of, write_by_hand
from harness import Site

pytestmark = pytest.mark.timeout(400)

OWN = """\
description: A supply of ours
settings:
  CHANNEL: {description: The channel of the crate, required: true}
ioc:
  kind: softioc
  # Channel @CHANNEL@.
  source: iocs/@NAME@
  address: "@ADDRESS@"
  environment: {P: "@PREFIX@"}
"""


@pytest.fixture(scope="module")
def site(make_site: Callable[[str], Site]) -> Site:
    """A facility of two IOCs that is up, whose file a person wrote."""
    site = make_site("new")
    write_by_hand(site)
    site.machines |= {"mag", "mag2", "supply", "sick", "bpm", "old", "one"}
    site.ok("up", "--yes")
    return site


def test_from_create_to_the_first_pv_and_back(site: Site, timings: dict[str, float]) -> None:
    before = text_of(site)
    other = site.identity("first", "softIoc")
    prefix = site.prefix("mag")
    done = site.ok(
        *("ioc", "create", "mag", "--template", "softioc", "--set", f"PREFIX={prefix}"),
        *("--owner", "us", "--area", "S02", "--json"),
    )
    timings["ioc create: command"] = done.took_s
    told = json.loads(done.out)
    assert told["is_running"]
    assert told["address"] == f"{site.subnet}.13"
    assert sorted(told["pvs"]) == sorted(f"{prefix}{pv}" for pv in ("SETI", "READI", "MODEL"))
    assert get(site, f"{prefix}SETI") == "0"
    assert green(site) == {"first": "first", "second": "second", "mag": "mag"}
    assert "mag" in site.ok("exec", "--", "cat", "/etc/hosts").out
    assert other.is_alive
    assert "nothing to change" in site.ok("up").err
    assert refused(site, "ioc", "delete", "first").endswith(
        "second starts after first; take it out of their after first"
    )
    asked = site.run("ioc", "delete", "mag")
    assert asked.status == 1
    assert "which serves 3 PVs now, its persistent folder (" in asked.err
    site.ok("ioc", "delete", "mag", "--yes", "--purge")
    assert text_of(site) == before
    assert green(site).keys() == {"first", "second"}
    assert not (site.folder / "iocs/mag").exists()
    assert "mag" not in site.ok("exec", "--", "cat", "/etc/hosts").out
    assert "nothing to change" in site.ok("up").err


def test_a_groups_own_template_and_a_clone(site: Site) -> None:
    own = site.folder / "templates/supply"
    (own / "files").mkdir(parents=True)
    (own / "template.yaml").write_text(OWN)
    (own / "files/st.cmd").write_text('dbLoadRecords("@NAME@.db", "P=$(P)")\niocInit\n')
    record = 'record(ao, "$(P)CH") { field(VAL, "@CHANNEL@") field(PINI, "YES") }\n'
    (own / "files/@NAME@.db").write_text(record)
    names = [each["name"] for each in json.loads(site.ok("ioc", "templates", "--json").out)]
    assert names == ["binary", "python", "softioc", "supply"]
    assert "--set CHANNEL=..." in refused(site, "ioc", "create", "supply", "-t", "supply")
    prefix = site.prefix("supply")
    arguments = ("--set", "CHANNEL=7", "--set")
    assert "has no setting PREFIX" in refused(
        site, "ioc", "create", "supply", "-t", "supply", *arguments, f"PREFIX={prefix}"
    )
    site.ok("ioc", "create", "supply", "-t", "supply", "--set", "CHANNEL=7")
    assert get(site, "SUPPLY:CH") == "7"
    twice = site.run("ioc", "clone", "supply", "mag2")
    assert twice.status == 1
    assert "mag2 would serve the 1 PVs of supply beside it" in twice.err
    site.ok("ioc", "clone", "supply", "mag2", "--set", f"P={prefix}")
    assert get(site, f"{prefix}CH") == "7"
    assert get(site, "SUPPLY:CH") == "7"
    assert "# Channel 7." in text_of(site).partition("mag2:")[2]
    for name in ("mag2", "supply"):
        site.ok("ioc", "delete", name, "--yes", "--purge")


def test_a_rename_takes_the_data_along_and_restarts_no_other(site: Site) -> None:
    before = text_of(site)
    site.inside("first", "echo 42 > /srv/persist/data/kept")
    other = site.identity("second", "softIoc")
    asked = site.run("ioc", "rename", "first", "one")
    assert asked.status == 1
    assert text_of(site) == before
    done = site.ok("ioc", "rename", "first", "one", "--yes")
    assert f"first is one now, at {site.subnet}.11, and serves" in done.err
    assert text_of(site) == before.replace("  first: #", "  one: #").replace(
        "iocs/first", "iocs/one"
    ).replace("[first]", "[one]")
    assert green(site) == {"one": "one", "second": "second"}
    assert site.inside("one", "cat /srv/persist/data/kept").out == "42\n"
    assert other.is_alive
    assert get(site, f"{site.prefix('old')}first:SETI") == "1.5"
    assert sorted(each.name for each in (site.folder / "iocs").iterdir()) == ["one", "second"]
    again = site.ok("up")
    assert "nothing to change" in again.err
    assert "no longer declared" not in again.err
    site.ok("ioc", "rename", "one", "first", "--yes")
    assert text_of(site) == before
    assert site.inside("first", "cat /srv/persist/data/kept").out == "42\n"


def test_an_ioc_with_a_twin_is_left_alone(site: Site) -> None:
    site.twin("second")
    assert "second has a twin: linacre ioc promote second" in refused(
        site, "ioc", "rename", "second", "two", "--yes"
    )
    assert "second has a twin" in refused(site, "ioc", "delete", "second", "--yes")
    site.ok("ioc", "promote", "second", "--yes")


def test_one_that_does_not_boot_stays_declared_until_it_is_deleted(site: Site) -> None:
    before = text_of(site)
    own = site.folder / "templates/sick"
    (own / "files").mkdir(parents=True)
    entry = 'ioc:\n  kind: python\n  source: iocs/@NAME@\n  script: a.py\n  address: "@ADDRESS@"\n'
    (own / "template.yaml").write_text(entry)
    (own / "files/a.py").write_text('raise RuntimeError("no magnet")\n')
    done = site.run("ioc", "create", "sick", "-t", "sick")
    assert done.status == 1
    assert "its last word: RuntimeError: no magnet" in done.problem
    assert "sick stays declared at" in done.problem
    assert "undo this with linacre ioc delete sick" in done.problem
    site.ok("ioc", "delete", "sick", "--yes", "--purge")
    assert text_of(site) == before
    green(site)


def test_what_a_deletion_left_when_it_was_killed_is_deleted_by_the_same_command(
    site: Site,
) -> None:
    before = text_of(site)
    site.ok("ioc", "create", "bpm", "-t", "python")
    # The third write: the entry is gone, and the step that removed it is not yet said to be done.
    cut = site.run("ioc", "delete", "bpm", "--yes", LINACRE_TEST_KILL_AFTER="3")
    assert cut.status == -9, cut
    assert text_of(site) == before
    assert "machine bpm that is not declared" in refused(
        site, "ioc", "create", "bpm", "-t", "softioc"
    )
    site.ok("ioc", "delete", "bpm", "--yes")
    assert green(site).keys() == {"first", "second"}
    assert "no longer declared" not in site.ok("up").err
