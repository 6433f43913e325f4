"""The catalogue made anew where one of the machines has files that are not taken."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import Site

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def site(make_site: Callable[..., Site]) -> Site:
    if shutil.which("procServ") is None:
        pytest.skip("procServ is not installed: apt-get install procserv")
    site = make_site("anew")
    site.settings["engine"] = "process"
    for number, name in enumerate(("a", "evil", "z"), start=11):
        site.ioc(name, number)
    site.up()
    return site


def own_files(site: Site, name: str) -> Path:
    """Return the folder of an IOC's own files in its machine."""
    found = site.state.facility(site.name).machines / name
    (script,) = found.rglob("st.cmd")
    return script.parent


def states(site: Site, name: str) -> list[dict[str, Any]]:
    return json.loads(site.ok("ioc", "history", name, "--json").out)["states"]


def test_one_machine_with_hostile_files_keeps_none_of_the_others_from_the_catalogue(
    site: Site,
) -> None:
    for name in ("a", "evil", "z"):
        (own_files(site, name) / "new.db").write_text("# laid by hand\n")
    trap = own_files(site, "evil") / "a\x1b[2Jb"
    trap.touch()
    done = site.run("catalogue", "rebuild")
    assert done.status == 1, done
    assert done.problem == "linacre: the catalogue was not brought up to date for evil"
    assert "evil: the files of evil are not taken: 'a\\x1b[2Jb' has characters" in done.err.replace(
        "./", ""
    )
    assert "4 machines, 3 IOCs" in done.out
    assert site.tasks()[0]["state"] == "failed"
    assert site.tasks()[0]["error"] == "the catalogue was not brought up to date for evil"
    told = {name: states(site, name)[-1]["verb"] for name in ("a", "evil", "z")}
    assert told == {"a": "catalogue rebuild", "evil": "up", "z": "catalogue rebuild"}

    again = site.run("catalogue", "rebuild", "--json")
    assert again.status == 1
    assert [each["ioc"] for each in json.loads(again.out)["missed"]] == ["evil"]

    trap.unlink()
    site.ok("catalogue", "rebuild")
    assert states(site, "evil")[-1]["verb"] == "catalogue rebuild"


def test_what_of_the_catalogue_cannot_be_written_fails_the_command(site: Site) -> None:
    kept = site.state.facility(site.name).files
    aside = kept.with_name("aside")
    kept.rename(aside)
    kept.write_text("no folder")
    (own_files(site, "z") / "new.db").write_text("# laid by hand again\n")
    done = site.run("catalogue", "rebuild")
    kept.unlink()
    aside.rename(kept)
    assert done.status == 1 and done.problem.endswith("not brought up to date for a, evil, z")
    assert "z: the history of IOCs cannot be written" in done.err
