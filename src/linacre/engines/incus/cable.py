"""Cables: which network a machine's NIC is plugged into, kept as state and not as wiring.

The NIC is a plain veth pair (`nictype: p2p`) that Incus attaches to nothing. A hook on the host
plugs it at every start by what is recorded here, so that no restart of a machine or a daemon
moves a cable.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from linacre.base.alone import alone
from linacre.base.errors import EngineError
from linacre.base.processes import run_tool
from linacre.engines.incus import hook
from linacre.engines.incus.inits import Inits
from linacre.engines.incus.links import bridge_of, is_down, link_there
from linacre.engines.incus.records import write_record

BRIDGE, VETH = "lnb-", "lnv-"
"""How the names of our bridges, and of the host's ends of cables, begin."""
_UNPLUGGED = "-"


def _short_hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:10]


def bridge_name(facility: str, network: str) -> str:
    """Return the bridge of a network: `lnb-` and a hash, since the kernel allows 15 characters."""
    return f"{BRIDGE}{_short_hash(facility, network)}"


def veth_name(facility: str, machine: str) -> str:
    """Return the host's end of a machine's cable: `lnv-` and a hash."""
    return f"{VETH}{_short_hash(facility, machine)}"


class Cables:
    """The cables of one facility on this host, in one file so that they change in one stroke."""

    def __init__(self, facility: str, folder: Path) -> None:
        self._facility = facility
        self._folder = folder
        self.inits = Inits(folder / hook.INITS)
        """The inits of running machines, which the same hook writes down."""

    @property
    def hook(self) -> Path:
        """The script that the start of every machine runs on the host."""
        return self._folder / "plug"

    @property
    def _file(self) -> Path:
        return self._folder / hook.PLUGGED

    def alone(self) -> AbstractAsyncContextManager[None]:
        """Keep others from changing cables for the block; held for moments only."""
        return alone(self._folder / "lock")

    def prepare(self) -> None:
        """Write the hook; one that stands is left alone."""
        self.inits.prepare()
        if not self._file.exists():
            write_record(self._file, "")
        if not self.hook.exists() or self.hook.read_text() != hook.SCRIPT:
            write_record(self.hook, hook.SCRIPT, mode=0o755)

    def bring_up_to_date(self) -> None:
        """Write the hook anew where an earlier version of it stands."""
        if self.hook.exists():
            self.prepare()

    def _bridges(self) -> dict[str, str]:
        try:
            lines = [line.split() for line in self._file.read_text().splitlines()]
        except FileNotFoundError:
            return {}
        return {line[0]: line[2] for line in lines if len(line) == 3}

    def _keep(self, bridges: Mapping[str, str]) -> None:
        lines = (
            f"{machine} {veth_name(self._facility, machine)} {bridge}\n"
            for machine, bridge in sorted(bridges.items())
        )
        write_record(self._file, "".join(lines))

    def record(self, moves: Mapping[str, str | None]) -> None:
        """Record where machines are plugged, from their next start on; None is nowhere."""
        before = self._bridges()
        bridges = before | {
            machine: bridge_name(self._facility, network) if network else _UNPLUGGED
            for machine, network in moves.items()
        }
        if bridges != before:
            self._keep(bridges)

    def links(self) -> list[str]:
        """Return the links on this host of all recorded cables, and the bridges they are in."""
        bridges = self._bridges()
        names = {veth_name(self._facility, machine) for machine in bridges}
        return sorted(names | set(bridges.values()) - {_UNPLUGGED})

    def forget(self, machine: str) -> None:
        """Drop the record of a machine that is gone."""
        bridges = self._bridges()
        if bridges.pop(machine, None) is not None:
            self._keep(bridges)
        self.inits.forget(machine)

    def remove(self) -> None:
        """Remove all records and the hook."""
        shutil.rmtree(self._folder)

    def wrong(self, machines: Iterable[str]) -> dict[str, str | None]:
        """Return, of running machines, those in the wrong place with the bridge recorded."""
        bridges = self._bridges()
        found: dict[str, str | None] = {}
        for machine in machines:
            veth = veth_name(self._facility, machine)
            recorded = bridges.get(machine, _UNPLUGGED)
            wanted = None if recorded == _UNPLUGGED else recorded
            if link_there(veth) and (bridge_of(veth) != wanted or is_down(veth)):
                found[machine] = wanted
        return found

    def is_shut(self, machine: str) -> bool:
        """Tell whether the host's end of a machine's cable is there, and down."""
        return is_down(veth_name(self._facility, machine))

    def is_cut(self, machine: str) -> bool:
        """Tell whether a machine runs without its cable."""
        # In this order: of a machine that has just ended the cable goes before its init is gone.
        return not self.has_link(machine) and self.inits.of(machine) is not None

    async def move(
        self, moves: Mapping[str, str | None], *, before: Callable[[], None] | None = None
    ) -> None:
        """Move cables of running machines to bridges: first all out, then in.

        `before` is called when all is ready, right before the first cable moves. Raises
        `LinacreError` where a bridge is missing, and then nothing has moved.
        """
        for bridge in moves.values():
            if bridge is not None and not link_there(bridge):
                raise EngineError(f"the bridge {bridge} is not on this host: run linacre up")
        links = {veth_name(self._facility, machine): bridge for machine, bridge in moves.items()}
        lines = [f"link set dev {link} nomaster" for link in links if bridge_of(link)]
        for link, bridge in links.items():
            lines.append(f"link set dev {link} up")
            if bridge is not None:
                lines.append(f"link set dev {link} master {bridge}")
        # Started beforehand: what `before` does and the first move must not lie apart.
        tool = await asyncio.create_subprocess_exec(
            *("ip", "-batch", "-"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            if before is not None:
                before()
        finally:
            said, _ = await tool.communicate("".join(f"{line}\n" for line in lines).encode())
        if tool.returncode != 0:
            last = said.decode(errors="replace").strip().splitlines()[-1:] or ["no reason given"]
            raise EngineError(f"the cables of {', '.join(moves)} do not move: {last[0]}")

    def has_link(self, machine: str) -> bool:
        """Tell whether the host's end of a machine's cable is there."""
        return link_there(veth_name(self._facility, machine))

    def bridge(self, machine: str) -> str | None:
        """Return the bridge that a machine's cable is in now; None where it is in none."""
        return bridge_of(veth_name(self._facility, machine))

    async def clear_link(self, machine: str) -> None:
        """Remove the cable that a start cut short left of a machine that does not run."""
        if self.has_link(machine):
            veth = veth_name(self._facility, machine)
            await run_tool("ip", "link", "delete", "dev", veth, check=False)
