"""Cables: which network a machine's NIC is plugged into, kept as state and not as wiring.

The NIC is a plain veth pair (`nictype: p2p`) that Incus attaches to nothing. A hook on the host
plugs it at every start by what is recorded here, so that no restart of a machine or a daemon
moves a cable.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from linacre.base.processes import run_tool

_BRIDGE, _VETH = "lnb-", "lnv-"
_PREFIXES = (_BRIDGE, _VETH)
_HOOK = """\
#!/bin/sh
# Plugs a machine's cable, at its start, into the network that Linacre recorded for it.
cables=$(dirname "$0")
read -r veth bridge < "$cables/${LXC_NAME#*_}.cable" || exit 0
ip link set dev "$veth" up || exit 1
[ "$bridge" = - ] || ip link set dev "$veth" master "$bridge"
"""


def _short_hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:10]


def bridge_name(facility: str, network: str) -> str:
    """Return the bridge of a network: `lnb-` and a hash, since the kernel allows 15 characters."""
    return f"{_BRIDGE}{_short_hash(facility, network)}"


def veth_name(facility: str, machine: str) -> str:
    """Return the host's end of a machine's cable: `lnv-` and a hash."""
    return f"{_VETH}{_short_hash(facility, machine)}"


class Cables:
    """The cables of one facility on this host."""

    def __init__(self, facility: str, folder: Path) -> None:
        self._facility = facility
        self._folder = folder

    @property
    def hook(self) -> Path:
        """The script that the start of every machine runs on the host."""
        return self._folder / "plug"

    def _record_file(self, machine: str) -> Path:
        return self._folder / f"{machine}.cable"

    def prepare(self) -> None:
        """Write the hook; one that stands is left alone."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if not self.hook.exists() or self.hook.read_text() != _HOOK:
            self._write(self.hook, _HOOK, mode=0o755)

    def record(self, machine: str, network: str | None) -> None:
        """Record where a machine's cable is plugged, from its next start on; None is nowhere."""
        bridge = bridge_name(self._facility, network) if network else "-"
        line = f"{veth_name(self._facility, machine)} {bridge}\n"
        file = self._record_file(machine)
        if not file.exists() or file.read_text() != line:
            self._write(file, line, mode=0o644)

    def links(self) -> list[str]:
        """Return the links on this host of all recorded cables, and the bridges they are in."""
        words = [file.read_text().split() for file in self._folder.glob("*.cable")]
        return sorted({word for line in words for word in line if word.startswith(_PREFIXES)})

    def forget(self, machine: str) -> None:
        """Drop the record of a machine that is gone."""
        self._record_file(machine).unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove all records and the hook."""
        for file in self._folder.iterdir():
            file.unlink()
        self._folder.rmdir()

    async def replug(self, machine: str) -> None:
        """Bring the cable of a running machine to where its record says."""
        veth, bridge = self._record_file(machine).read_text().split()
        if not Path(f"/sys/class/net/{veth}").exists():
            return
        await run_tool("ip", "link", "set", "dev", veth, "up")
        if bridge == "-":
            await run_tool("ip", "link", "set", "dev", veth, "nomaster")
        else:
            await run_tool("ip", "link", "set", "dev", veth, "master", bridge)

    def has_link(self, machine: str) -> bool:
        """Tell whether the host's end of a machine's cable is there."""
        return Path(f"/sys/class/net/{veth_name(self._facility, machine)}").exists()

    async def clear_link(self, machine: str) -> None:
        """Remove the cable that a start cut short left of a machine that does not run."""
        if self.has_link(machine):
            veth = veth_name(self._facility, machine)
            await run_tool("ip", "link", "delete", "dev", veth, check=False)

    @staticmethod
    def _write(path: Path, text: str, *, mode: int) -> None:
        temporary = path.with_name(path.name + ".new")
        temporary.write_text(text)
        temporary.chmod(mode)
        temporary.replace(path)
