"""Where things stand in a machine, as the programs inside it see them."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import PurePosixPath


@dataclass(frozen=True)
class Layout:
    """The places of one machine; an engine says them, launch scripts use them."""

    tree: PurePosixPath
    """The IOC's own files, read-only for it."""
    persist: PurePosixPath
    """The persistent folder, which survives a rebuild."""
    run: PurePosixPath
    """Run-time state: console socket, start times, PV list; gone at a restart of the machine."""
    log: PurePosixPath
    """The folder of the rotated log."""
    etc: PurePosixPath
    """Start scripts made by Linacre."""
    bind: IPv4Address | None
    """The address that servers must bind to; None where the machine's network is its own."""
    user: str | None
    """The user that the IOC runs as; None where it is whoever runs the engine."""
    softioc: str
    """The softIoc program."""
    python: str
    """The Python that has softioc, p4p and Linacre's runner."""
