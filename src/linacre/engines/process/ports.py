"""Whether the standard ports of a loopback address are free, and who has them if not."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path

from linacre.base.errors import EngineError

STANDARD_PORTS = {
    5064: "Channel Access",
    5075: "pvAccess",
    7001: "the console",
}
"""The TCP ports of an IOC; the UDP ports beside them are shared by design."""

_LISTEN = "0A"


def check_free(machine: str, address: IPv4Address) -> None:
    """Raise `EngineError` unless all standard ports of an address can be bound."""
    for port, use in STANDARD_PORTS.items():
        try:
            _bind(address, port)
        except OSError as error:
            raise EngineError(_reason(machine, address, port, use, error)) from error


def _bind(address: IPv4Address, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As EPICS servers do: connections of the last run that linger are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((str(address), port))


def _reason(machine: str, address: IPv4Address, port: int, use: str, error: OSError) -> str:
    where = f"{machine}: {address} port {port} ({use})"
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use by {holder(address, port)}; end it, or declare another address"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{where} cannot be used: the loopback is down; run: ip link set lo up"
    return f"{where} cannot be used: {error.strerror}"


def holder(address: IPv4Address, port: int) -> str:
    """Return who listens on a port, as far as /proc tells this user."""
    inodes = _listening(address, port)
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with suppress(OSError):
            for link in (folder / "fd").iterdir():
                if str(link.readlink()) in inodes:
                    return f"process {folder.name} ({_command(folder)})"
    return "a program of another user"


def _listening(address: IPv4Address, port: int) -> frozenset[str]:
    """Return the sockets, as /proc/<pid>/fd names them, that listen there."""
    little = int.from_bytes(address.packed, "little")
    ours = {f"{little:08X}:{port:04X}", f"{0:08X}:{port:04X}", f"{0:032X}:{port:04X}"}
    found: set[str] = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path("/proc/net", table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[1] in ours and fields[3] == _LISTEN:
                    found.add(f"socket:[{fields[9]}]")
    return frozenset(found)


def _command(folder: Path) -> str:
    argv = (folder / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    return os.fsdecode(b" ".join(argv))[:80]
