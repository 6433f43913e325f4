"""IOCs that run and are not right: told by `up`, `status`, `ioc show` and the doctor."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
from collections.abc import Callable
from typing import Any

import pytest
from harness import Site, until

pytestmark = pytest.mark.timeout(180)
BAD = """\
dbLoadRecords("../db/not-there.db")
noSuchCommand 1
iocInit()
"""
FIRST = "dbLoadRecords(\"../db/not-there.db\"): Can't open file '../db/not-there.db'"


@pytest.fixture(scope="module")
def site(make_site: Callable[..., Site]) -> Site:
    if shutil.which("procServ") is None:
        pytest.skip("procServ is not installed: apt-get install procserv")
    site = make_site("impred")
    site.settings["engine"] = "process"
    site.ioc("good", 11)
    site.ioc("bad", 12)
    site.source("bad", {"st.cmd": BAD})
    site.write()
    return site


def findings(site: Site) -> dict[str, dict[str, Any]]:
    checks = json.loads(site.run("doctor", "--json").out)["checks"]
    return {each["what"]: each | {"check": c["check"]} for c in checks for each in c["findings"]}


def test_errors_of_a_start_script_are_told_everywhere(site: Site) -> None:
    up = site.ok("up", "--yes")
    assert f"bad: 3 errors in its start script, the first: {FIRST}; see linacre ioc show bad" in (
        up.err.splitlines()
    )
    assert "good: " not in up.err
    rows = site.status()
    assert (rows["good"]["green"], rows["good"]["start_errors"]) == (True, 0)
    bad = rows["bad"]
    assert (bad["green"], bad["ioc"], bad["start_errors"], bad["pvs"]) == (False, "up", 3, 0)
    assert bad["start_messages"][2] == "st.cmd line 2: Command 'noSuchCommand' not registered."
    assert site.run("status").status == 1
    assert FIRST in site.ok("ioc", "show", "bad").out
    (found,) = json.loads(site.ok("find", "*nosuchcommand' not registered*", "--json").out)[
        "matches"
    ]
    assert (found["ioc"], found["start_errors"]) == ("bad", 3)
    assert f"3 errors in its start script, the first: {FIRST}" in site.ok("find", "bad").out
    assert f"3 errors in its start script, the first: {FIRST}" in (
        site.ok("ioc", "history", "bad").out
    )
    assert f"the first: {FIRST}" in site.ok("ioc", "restart", "bad").err
    told = findings(site)
    assert told.keys() == {"bad"}
    assert told["bad"]["check"] == "script"
    assert FIRST in told["bad"]["text"]


def test_errors_that_are_accepted_are_green_without_a_restart(site: Site) -> None:
    before = site.status()["bad"]["started_at"]
    site.ioc("bad", 12, start_errors="accepted")
    site.source("bad", {"st.cmd": BAD})
    site.write()
    assert "bad" not in site.ok("up", "--yes").err.replace("good", "")
    assert site.assert_green()["bad"]["started_at"] == before
    assert site.status()["bad"]["start_errors"] == 3


@pytest.mark.parametrize("accepted", [False, True])
def test_records_that_are_declared_and_not_served_are_told_until_they_are(
    site: Site, accepted: bool
) -> None:
    less = 'record(ai, "$(P)A") {}\nrecord(nosuch, "$(P)B") {}\nrecord(ai, "$(P)C") {}\n'
    script = 'dbLoadRecords("a.db", "P=T:")\niocInit()\n'
    settings = {"start_errors": "accepted"} if accepted else {}
    site.ioc("bad", 12, **settings)
    site.source("bad", {"st.cmd": script, "a.db": less})
    site.write()
    told = "2 of 3 records that its databases declare are not served: T:B, T:C"
    assert f"bad: {told}; see linacre ioc log bad" in site.ok("up", "--yes").err.splitlines()
    row = site.status()["bad"]
    assert (row["green"], row["pvs"], row["unserved"]) == (accepted, 1, told)
    assert f"bad: {told}" in site.run("status").out
    assert told in [each["text"] for each in findings(site).values()] or not accepted
    assert told in site.ok("ioc", "restart", "bad").err
    site.source("bad", {"st.cmd": script, "a.db": less.replace("nosuch", "ai")})
    assert "not served" not in site.ok("up", "--yes").err
    assert site.assert_green()["bad"]["unserved"] is None


def test_errors_are_gone_with_their_cause(site: Site) -> None:
    site.ioc("bad", 12)
    site.up()
    assert site.status()["bad"]["start_errors"] == 0
    assert "nothing is called" in site.run("find", "*not registered*").err
    states = json.loads(site.ok("ioc", "history", "bad", "--json").out)["states"]
    assert (states[0]["start_errors"], states[-1]["start_errors"]) == (3, 0)


def test_a_script_without_ioc_init_is_not_booting(site: Site) -> None:
    site.ioc("bad", 12)
    site.source("bad", {"st.cmd": 'dbLoadRecords("ioc.db", "P=T:")\n'})
    done = site.run("up", "--yes", limit_s=30)
    assert done.status == 1
    assert "bad serves nothing: its start script ended without iocInit" in done.problem
    row = site.status()["bad"]
    assert (row["green"], row["ioc"]) == (False, "no iocInit")
    assert "ended without iocInit" in findings(site)["bad"]["text"]


def test_what_came_up_wrong_is_told_also_where_another_did_not(site: Site) -> None:
    site.ioc("bad", 12)
    site.source("bad", {"st.cmd": 'dbLoadRecords("ioc.db", "P=T:")\n'})
    site.source("good", {"st.cmd": 'dbLoadRecords("ioc.db", "P=T2:")\nnoSuch 1\niocInit\n'})
    site.write()
    done = site.run("up", "--yes", limit_s=30)
    assert done.status == 1
    assert "good: 1 error in its start script, the first: st.cmd line 2: " in done.err
    site.ioc("good", 11)
    site.ioc("bad", 12)
    site.up()
    site.assert_green()


def test_a_procserv_that_takes_no_input_is_red_until_it_is_restarted(site: Site) -> None:
    address = site.status()["good"]["endpoint"]
    assert site.status()["good"]["procserv"] == "up"
    with socket.create_connection((address, 7001), timeout=10) as pasted:
        pasted.settimeout(1)
        with contextlib.suppress(TimeoutError):
            pasted.sendall(b"dbpf X 5\n" * 30_000)
        until(lambda: site.status()["good"]["procserv"] == "hangs", 40)
    row = site.status()["good"]
    assert (row["green"], row["ioc"]) == (False, "up")
    assert findings(site)["good"]["check"] == "procserv"
    done = site.ok("ioc", "restart", "good")
    assert done.err.splitlines()[-1] == "good: restarted"
    row = site.status()["good"]
    assert (row["green"], row["procserv"]) == (True, "up")
