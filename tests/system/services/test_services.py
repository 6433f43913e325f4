"""The example's services for real: they serve, and keep what was given to them."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest
from harness import Site, until
from ruamel.yaml import YAML
from service_clients import DHCP, tftp_get
from service_sources import epics_source

# Five images may have to be built first, beside other tests.
pytestmark = [pytest.mark.thorough, pytest.mark.timeout(1000)]

EXAMPLE = Path(__file__).parents[3] / "examples/services"
NAMES = ("boot", "db", "build", "wiki")
SQL = "mariadb -N -h {} -u logbook -pchange-me logbook"


def example(site: Site) -> dict[str, Any]:
    """Copy the example beside a facility of a test, and return its services."""
    shutil.copytree(EXAMPLE, site.folder, dirs_exist_ok=True)
    for path in site.folder.rglob("*"):
        if path.is_file() and path.suffix != ".xz":
            path.write_text(path.read_text().replace("10.64.20.", f"{site.subnet}."))
    found = YAML(typ="safe", pure=True).load(site.folder / "facility.yaml")
    return json.loads(json.dumps(found["services"]))


@pytest.fixture(scope="module")
def site(make_site: Callable[[str], Site], timings: dict[str, float]) -> Site:
    """The example, an IOC that waits for its database, and a client of that."""
    site = make_site("services")
    services = example(site)
    shutil.copy(epics_source(), site.folder / "services/build")
    # The same packages: the same image.
    services["client"] = {
        "address": f"{site.subnet}.9",
        "packages": services["db"]["packages"],
        "command": ["sleep", "infinity"],
        "after": ["db"],
        "hold_off": "1s",
    }
    site.settings = {"services": services, "engine": {"kind": "incus", "pool_size": "4GiB"}}
    site.machines |= services.keys()
    site.ioc("mag", 11, after=["db"])
    timings["four services, images not yet in the pool: up"] = site.up(limit_s=900).took_s
    return site


def rows(site: Site) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in site.whole_status()["services"]}


def sql(site: Site, statement: str) -> str:
    """Run a statement from the client's machine, over TCP."""
    done = site.inside("client", f'{SQL.format(f"{site.subnet}.6")} -e "{statement}"')
    assert done.status == 0, done
    return done.out.strip()


def test_all_serve_and_a_second_up_changes_nothing(site: Site) -> None:
    for row in rows(site).values():
        assert row["green"], row
        assert row["closed"] == []
        assert row["files"] == "clean"
    assert "nothing to change" in site.ok("up", "--yes").err
    assert json.loads(site.ok("plan", "--json").out)["steps"] == []
    assert site.run("doctor").status == 0, site.run("doctor")


def test_they_start_in_their_order(site: Site) -> None:
    task = next(each for each in site.tasks() if each["verb"] == "up")
    shown = site.ok("task", "show", str(task["id"]), "--json").out
    ended = {s["key"]: s["ended_at"] for s in json.loads(shown)["steps"]}
    started = {s["key"]: s["started_at"] for s in json.loads(shown)["steps"]}
    assert started["start mag"] >= ended["start db"]
    assert started["start client"] >= ended["start db"]


def test_an_address_by_dhcp_and_the_boot_file_by_tftp(site: Site) -> None:
    script = f"python3 - <<'END'\n{DHCP}END\n"
    done = site.inside("desk-controls", script)
    assert done.status == 0, done
    address, name, server = done.out.split()
    assert 100 <= int(address.rpartition(".")[2]) <= 150
    assert server == f"{site.subnet}.5"
    assert tftp_get(server, name) == (EXAMPLE / "services/boot/tftp/crate.boot").read_bytes()
    site.ok("service", "restart", "boot")
    site.ok("up", "--yes", "--rebuild", "boot")
    assert address in site.inside("boot", "cat /var/lib/misc/dnsmasq.leases").out


def test_the_database_keeps_what_was_written_to_it(site: Site) -> None:
    sql(site, "create table shift (n int, text varchar(40)); insert into shift values (1, 'dark')")
    for pid in site.processes("db"):
        site.kill(pid)
    until(lambda: rows(site)["db"]["machine"] != "running", 30, "its machine did not die")
    site.ok("service", "start", "db")
    assert sql(site, "select text from shift") == "dark"
    sql(site, "insert into shift values (2, 'bright')")
    site.ok("up", "--yes", "--rebuild", "db")
    assert sql(site, "select text from shift order by n") == "dark\nbright"
    owner = site.inside("db", "stat -L -c %U:%G /var/lib/mysql /var/lib/mysql/logbook").out
    assert owner.split() == ["mysql:mysql"] * 2


def test_a_database_that_is_stopped_ends_cleanly(site: Site) -> None:
    site.ok("service", "restart", "db")
    assert "Shutdown complete" in site.ok("service", "log", "db", "-n", "200").out
    site.ok("service", "stop", "db")
    site.ok("service", "start", "db")
    log = site.ok("service", "log", "db", "-n", "2000").out
    assert log.count("Shutdown complete") >= 2
    assert "Starting crash recovery" not in log.rpartition("Shutdown complete")[2]


def test_a_changed_file_is_laid_and_restarts_its_service_alone(site: Site) -> None:
    file = site.folder / "services/dnsmasq.conf"
    file.write_text(file.read_text() + "dhcp-option=option:ntp-server,0.0.0.0\n")
    plan = json.loads(site.ok("plan", "--json").out)
    assert plan["restarts"] == ["boot"]
    assert [s["action"] for s in plan["steps"]] == ["update", "restart", "record"]
    refused = site.run("up")
    assert "This restarts boot." in refused.err
    assert rows(site)["boot"]["files"] == "changed"
    site.ok("up", "--yes")
    assert rows(site)["boot"]["files"] == "clean"
    assert "ntp-server" in site.inside("boot", "cat /etc/dnsmasq.conf").out


def as_ioc(site: Site, script: str) -> str:
    """Run a script on the build server as the user whose the volumes are."""
    user = "setpriv --reuid=ioc --regid=ioc --init-groups --reset-env bash -le"
    done = site.inside("build", f"{user} <<'END'\n{script}\nEND\n")
    assert done.status == 0, done
    return done.out


def test_an_application_is_made_on_the_build_server(site: Site) -> None:
    as_ioc(site, "/srv/service/make-base")
    made = """cd /srv/build && rm -rf app && mkdir app && cd app
        makeBaseApp.pl -t ioc demo < /dev/null
        makeBaseApp.pl -i -t ioc -p demo -a linux-x86_64 demo < /dev/null
        make -s > /dev/null
        ls bin/linux-x86_64"""
    assert as_ioc(site, made).split() == ["demo"]


def test_sources_are_pushed_to_the_build_server(site: Site) -> None:
    as_ioc(site, "git init -q --bare --initial-branch=main /srv/git/demo.git")
    folder = site.root / "push"
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(["git", "init", "-q", folder], check=True)
    commit = ("commit", "-q", "--allow-empty", "-m", "x")
    url = f"git://{site.subnet}.7/demo.git"
    for command in ((*who, *commit), ("push", "-q", url, "HEAD:refs/heads/main")):
        subprocess.run(["git", "-C", folder, *command], check=True)
    assert as_ioc(site, "git -C /srv/git/demo.git log --format=%s").strip() == "x"


def page(opener: urllib.request.OpenerDirector, url: str, **form: str) -> str:
    data = urllib.parse.urlencode(form).encode() if form else None
    with opener.open(url, data=data, timeout=20) as answer:
        return answer.read().decode()


def test_an_edit_of_the_wiki_survives_a_rebuild(site: Site) -> None:
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
    )
    url = f"http://{site.subnet}.8:8080/doku.php"
    form = page(opener, f"{url}?id=start&do=edit")
    token = form.partition('name="sectok" value="')[2].partition('"')[0]
    page(opener, url, id="start", sectok=token, wikitext="Beam at noon", **{"do[save]": "1"})
    assert "Beam at noon" in page(opener, f"{url}?id=start")
    site.ok("up", "--yes", "--rebuild", "wiki")
    assert "Beam at noon" in page(opener, f"{url}?id=start")


def test_the_console_and_the_log_are_those_of_an_ioc(site: Site) -> None:
    assert "procServ" in site.ok("service", "console", "wiki").out
    assert "Development Server" in site.ok("service", "log", "wiki").out
    done = site.run("service", "show", "nosuch")
    assert done.status == 2
    assert done.problem.startswith(f"linacre: {site.name} has no service nosuch; it has: ")
    assert all(name in done.problem for name in (*NAMES, "client"))


def test_the_whole_facility_starts_again(site: Site) -> None:
    site.ok("down")
    site.ok("up", "--yes")
    assert all(row["green"] for row in rows(site).values())
    assert sql(site, "select count(*) from shift") == "2"
