"""Real clients reach every IOC: at the desk and on the host, by broadcast and by address."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time

import pytest
from harness import Site
from host_clients import AIOCA, CAPROTO, P4P

from linacre.engines.telnet import TelnetFilter

pytestmark = pytest.mark.timeout(300)


def ca_names(site: Site) -> dict[str, float]:
    """Return PVs served by Channel Access, one of each IOC, and their values."""
    return {
        f"{site.prefix('mag')}READI": 2.5,
        f"{site.prefix('bpm')}READI": 2.5,
        f"{site.prefix('sim')}B": 2.0,
    }


def pva_names(site: Site) -> dict[str, float]:
    """Return PVs served by pvAccess: those of the IOCs on EPICS base."""
    return dict(list(ca_names(site).items())[:2])


def on_host(site: Site, client: str, names: dict[str, float], **variables: str) -> None:
    """Run a Python client on the host; it must read the values."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("EPICS_")}
    done = subprocess.run(
        [sys.executable, "-c", client, *names],
        env=kept | variables,
        cwd=site.folder,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done
    assert json.loads(done.stdout) == list(names.values())


def test_caget_at_the_desk_by_broadcast(three: Site) -> None:
    for name, value in ca_names(three).items():
        assert three.ok("exec", "--", "caget", "-t", "-w", "10", name).out == f"{value:g}\n"
    environment = three.ok("exec", "--", "env").out
    assert "ADDR_LIST" not in environment


def test_pvget_at_the_desk_by_broadcast(three: Site) -> None:
    for name, value in pva_names(three).items():
        found = three.ok("exec", "--", "pvget", "-w", "10", name).out
        assert name in found
        assert f" {value:g}" in found, found


@pytest.mark.parametrize("client", [AIOCA, CAPROTO], ids=["aioca", "caproto"])
def test_python_clients_at_the_desk(three: Site, client: str) -> None:
    names = ca_names(three)
    done = three.ok("exec", "--", "python", "-c", client, *names)
    assert json.loads(done.out) == list(names.values())


def test_p4p_at_the_desk(three: Site) -> None:
    names = pva_names(three)
    done = three.ok("exec", "--", "python", "-c", P4P, *names)
    assert json.loads(done.out) == list(names.values())


def test_a_put_at_the_desk_is_seen_by_a_client_on_the_host(three: Site) -> None:
    name = f"{three.prefix('mag')}SETI"
    three.ok("exec", "--", "caput", name, "4.25")
    on_host(three, AIOCA, {name: 4.25})
    three.ok("exec", "--", "caput", name, "1.5")


@pytest.mark.parametrize(
    ("client", "how"),
    [
        # caproto searches no bridge by itself: it takes 255.255.255.255 for the broadcast address.
        pytest.param(client, how, id=f"{name}-{how}")
        for name, client in (("aioca", AIOCA), ("caproto", CAPROTO))
        for how in ("by itself", "env", "address")
        if (name, how) != ("caproto", "by itself")
    ],
)
def test_channel_access_from_the_host(three: Site, client: str, how: str) -> None:
    on_host(three, client, ca_names(three), **variables(three, how, "CA"))


@pytest.mark.parametrize("how", ["by itself", "env", "address"])
def test_pvaccess_from_the_host(three: Site, how: str) -> None:
    on_host(three, P4P, pva_names(three), **variables(three, how, "PVA"))


def variables(site: Site, how: str, protocol: str) -> dict[str, str]:
    """Return the environment with which a client on the host is to find the IOCs."""
    if how == "env":
        return json.loads(site.ok("env", "--json").out)
    if how == "address":
        addresses = " ".join(site.address(name) for name in site.iocs)
        names = f"EPICS_{protocol}_ADDR_LIST", f"EPICS_{protocol}_AUTO_ADDR_LIST"
        return dict(zip(names, (addresses, "NO"), strict=True))
    return {}


def test_env_is_for_a_posix_shell(three: Site) -> None:
    lines = three.ok("env").out.splitlines()
    assert lines
    assert all(line.startswith("export EPICS_") for line in lines)


def telnet(address: str, typed: bytes, expected: bytes, limit_s: float = 20) -> bytes:
    """Type at the telnet port of an IOC until the expected text comes; return all that came."""
    seen, telnet_filter = b"", TelnetFilter()
    end = time.monotonic() + limit_s
    with socket.create_connection((address, 7001), timeout=10) as link:
        link.settimeout(1)
        link.sendall(typed)
        while expected not in seen and time.monotonic() < end:
            try:
                data = link.recv(4096)
            except TimeoutError:
                continue
            clean, reply = telnet_filter.feed(data)
            link.sendall(reply)
            seen += clean
            if not data:
                break
    assert expected in seen, seen
    return seen


def test_telnet_to_7001_gives_the_shell_of_each_ioc(three: Site) -> None:
    for name, record in (("mag", "COUNT"), ("bpm", "READI")):
        expected = f"{three.prefix(name)}{record}".encode()
        telnet(three.address(name), b"dbl\n", expected)
    # caproto has no shell; its console is there all the same.
    telnet(three.address("sim"), b"", b"Welcome to procServ")


def test_the_standard_ports_are_served(three: Site) -> None:
    for name in ("mag", "bpm"):
        for port in (5064, 5075, 7001, 22):
            socket.create_connection((three.address(name), port), timeout=10).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((three.address(name), 23), timeout=10)
