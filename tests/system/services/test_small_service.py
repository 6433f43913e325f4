"""A service of what every image has: it serves, keeps what is its own, and comes back."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from harness import Site, until

# The image may have to be built first, beside other tests.
pytestmark = pytest.mark.timeout(300)

COUNTS = """\
import http.server, pathlib, signal, sys

signal.signal(signal.SIGTERM, lambda *_: sys.exit("ends as it was told"))
kept = pathlib.Path("/var/lib/counter/count")
word = pathlib.Path("/etc/counter.conf").read_text().strip()

class Counter(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        count = int(kept.read_text()) + 1 if kept.exists() else 1
        kept.write_text(str(count))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{word} {count}".encode())

print("serving", flush=True)
http.server.HTTPServer(("", 8080), Counter).serve_forever()
"""


@pytest.fixture(scope="module")
def site(make_site: Callable[[str], Site]) -> Site:
    """A service that counts who asks, and an IOC that waits for it."""
    site = make_site("service")
    (site.folder / "services").mkdir()
    (site.folder / "services/counter.py").write_text(COUNTS)
    (site.folder / "services/counter.conf").write_text("one\n")
    counter = {
        "address": f"{site.subnet}.5",
        "source": "services",
        "files": {"/etc/counter.conf": "services/counter.conf"},
        "command": ["python3", "counter.py"],
        "ports": ["8080/tcp"],
        "volumes": ["/var/lib/counter"],
        "hold_off": "1s",
    }
    site.settings = {"services": {"counter": counter}}
    site.machines.add("counter")
    site.ioc("mag", 11, after=["counter"])
    site.up()
    return site


def row(site: Site) -> dict[str, Any]:
    (found,) = site.whole_status()["services"]
    return found


def asked(site: Site) -> str:
    """Return what the service answers to a client on this host."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://{site.subnet}.5:8080", timeout=20) as answer:
        return answer.read().decode()


def test_it_serves_and_a_second_up_changes_nothing(site: Site) -> None:
    found = row(site)
    assert found["green"], found
    assert (found["closed"], found["files"]) == ([], "clean")
    assert asked(site) == "one 1"
    assert "nothing to change" in site.ok("up", "--yes").err
    assert site.run("doctor").status == 0, site.run("doctor")


def test_the_ioc_that_waits_for_it_starts_after_it(site: Site) -> None:
    task = next(each for each in site.tasks() if each["verb"] == "up")
    steps = json.loads(site.ok("task", "show", str(task["id"]), "--json").out)["steps"]
    times = {s["key"]: (s["started_at"], s["ended_at"]) for s in steps}
    assert times["start mag"][0] >= times["start counter"][1]


def test_it_comes_back_and_keeps_what_is_its_own(site: Site) -> None:
    count = int(asked(site).split()[1])
    site.kill(site.pid("counter", "counter.py"))
    until(lambda: row(site)["starts"] == 2 and row(site)["green"])
    assert asked(site) == f"one {count + 1}"
    site.ok("up", "--yes", "--rebuild", "counter")
    assert asked(site) == f"one {count + 2}"


def test_it_is_stopped_as_it_wishes(site: Site) -> None:
    site.ok("service", "restart", "counter")
    assert "ends as it was told" in site.ok("service", "log", "counter").out
    site.ok("service", "stop", "counter")
    assert not row(site)["green"]
    site.ok("service", "start", "counter")
    assert row(site)["green"]


def test_a_changed_file_is_laid_and_restarts_it_alone(site: Site) -> None:
    (site.folder / "services/counter.conf").write_text("two\n")
    plan = json.loads(site.ok("plan", "--json").out)
    assert plan["restarts"] == ["counter"]
    assert "This restarts counter." in site.run("up").err
    assert row(site)["files"] == "changed"
    site.ok("up", "--yes")
    assert row(site)["files"] == "clean"
    assert asked(site).startswith("two ")


def test_its_console_and_names_typed_wrong(site: Site) -> None:
    assert "procServ" in site.ok("service", "console", "counter").out
    done = site.run("service", "show", "nosuch")
    assert done.status == 2
    assert done.problem.startswith(f"linacre: {site.name} has no service nosuch; it has: counter")
