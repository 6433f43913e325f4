"""Who is connected to an IOC, told of real clients of every protocol."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from commands import Command
from harness import Site, until

from linacre.base.errors import LinacreError
from linacre.base.tasks import user_name
from linacre.epics.program import softioc_program

pytestmark = pytest.mark.timeout(300)

AIOCA = """
import asyncio, sys
from aioca import camonitor
async def watch():
    camonitor(sys.argv[1:], lambda value, number: None)
    await asyncio.sleep(1000)
asyncio.run(watch())
"""
P4P = """
import sys, time
from p4p.client.thread import Context
with Context("pva") as context:
    watched = [context.monitor(name, lambda value: None) for name in sys.argv[1:]]
    time.sleep(1000)
"""
Row = tuple[str, str, str, str]
"""Protocol, user, host and known machine of a client; "" where it is not told."""
USER, HOST = user_name(), socket.gethostname()


def who(site: Site, name: str) -> list[dict[str, Any]]:
    """Return `ioc who --json`."""
    return json.loads(site.ok("ioc", "who", name, "--json").out)


def told(site: Site, name: str) -> set[Row]:
    """Return the clients of an IOC; one may hold two connections that are told alike."""
    keys = ("protocol", "user", "host", "what")
    return {tuple(each[key] or "" for key in keys) for each in who(site, name)}


def comes(site: Site, name: str, expected: set[Row]) -> None:
    """Wait until just these are connected to an IOC."""
    seen: list[set[Row]] = []

    def same() -> bool:
        seen.append(told(site, name))
        return seen[-1] == expected

    with contextlib.suppress(AssertionError):
        until(same, limit_s=60)
    assert seen[-1] == expected


@contextlib.contextmanager
def ended(*clients: Command | subprocess.Popen[str]) -> Iterator[None]:
    """End clients after the block."""
    try:
        yield
    finally:
        for client in clients:
            client.terminate()
            client.communicate(timeout=30)


def on_host(site: Site, client: str, *names: str) -> subprocess.Popen[str]:
    """Start a Python client on the host."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("EPICS_")}
    found = json.loads(site.ok("env", "--json").out)
    return subprocess.Popen(
        [sys.executable, "-c", client, *names],
        env=kept | found,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )


@pytest.mark.parametrize("name", ["mag", "bpm"])
def test_clients_are_listed_with_protocol_user_and_host(three: Site, name: str) -> None:
    pv = f"{three.prefix(name)}READI"
    clients = [
        three.spawn("exec", "--", "camonitor", pv),
        three.spawn("exec", "--", "pvmonitor", pv),
        on_host(three, AIOCA, pv),
        on_host(three, P4P, pv),
    ]
    with ended(*clients):
        desk, host = "desk-controls", "the host"
        expected = {
            ("Channel Access", "root", desk, desk),
            ("pvAccess", "root", "", desk),
            ("Channel Access", USER, HOST, host),
            ("pvAccess", USER, "", host),
        }
        comes(three, name, expected)
        table = three.ok("ioc", "who", name).out
        assert table.split()[:5] == ["CLIENT", "PROTOCOL", "USER", "HOST", "WHAT"]
        for each in who(three, name):
            (line,) = [
                line
                for line in table.splitlines()
                if line.startswith(f"{each['address']}:{each['port']} ")
            ]
            assert each["protocol"] in line
            assert line.rstrip().endswith(each["what"])
    until(lambda: three.ok("ioc", "who", name).out == "nobody is connected\n")


def test_an_ioc_without_a_shell_shows_its_sockets(three: Site) -> None:
    with ended(on_host(three, AIOCA, f"{three.prefix('sim')}B")):
        comes(three, "sim", {("Channel Access", "", "", "the host")})
    assert three.ok("ioc", "who", "sim", "--json").out == "[]\n"


def test_neither_the_console_nor_its_user_is_disturbed(three: Site) -> None:
    pv = f"{three.prefix('mag')}READI"
    address = (three.address("mag"), 7001)
    with (
        ended(on_host(three, AIOCA, pv)),
        socket.create_connection(address, timeout=10) as console,
    ):
        until(lambda: b"connected (plus you)" in console.recv(4096))
        # Half a line, not sent off: it must not be run.
        console.sendall(f"dbpf {three.prefix('mag')}SETI 7".encode())
        comes(
            three,
            "mag",
            {("Channel Access", USER, HOST, "the host"), ("console", "", "", "the host")},
        )
        console.sendall(b"\n")
        assert three.ok("exec", "--", "caget", "-t", f"{three.prefix('mag')}SETI").out == "1.5\n"
    assert "TCP client at" not in three.ok("ioc", "log", "mag", "-n", "500").out


def test_an_ioc_that_does_not_run_is_one_clear_line(three: Site) -> None:
    refused = three.run("ioc", "who", "magg")
    assert (refused.status, "it has: mag, bpm, sim" in refused.problem) == (2, True)
    assert three.run("ioc", "who", "mag", "--twin").problem.endswith(
        "linacre ioc twin mag makes one"
    )


class ProcessSite(Site):
    """A facility of the process engine."""

    def write(self) -> None:
        """Write the facility file with the other engine."""
        super().write()
        path = self.folder / "facility.yaml"
        facility = json.loads(path.read_text()) | {"engine": {"kind": "process"}}
        path.write_text(json.dumps(facility, indent=2) + "\n")


@pytest.fixture
def processes() -> Iterator[Site]:
    if shutil.which("procServ") is None:
        pytest.skip("procServ is not installed: apt-get install procserv")
    try:
        softioc_program()
    except LinacreError as error:
        pytest.skip(str(error))
    site = ProcessSite("who")
    try:
        yield site
    finally:
        site.remove()


def test_the_process_engine_tells_the_same(processes: Site) -> None:
    processes.ioc("mag", 11)
    processes.up()
    pv = f"{processes.prefix('mag')}READI"
    clients = [
        processes.spawn("exec", "--", "camonitor", pv),
        on_host(processes, P4P, pv),
    ]
    with ended(*clients):
        comes(
            processes,
            "mag",
            {("Channel Access", USER, HOST, "the host"), ("pvAccess", USER, "", "the host")},
        )
