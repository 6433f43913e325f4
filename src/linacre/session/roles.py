"""Which machine of an IOC is the live one: stored state, not a matter of names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from linacre.engines.base import Machine
from linacre.engines.labels import IOC


@dataclass(frozen=True)
class Pair:
    """The machines of one IOC."""

    ioc: str
    live: str
    """The machine that serves; its name where none is made yet."""
    twin: str | None = None
    """The other one, where there is one."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of both, the live one first."""
        return (self.live,) if self.twin is None else (self.live, self.twin)


def live_key(ioc: str) -> str:
    """Return the entry of the facility's record that names the live machine of an IOC."""
    return f"live.{ioc}"


def ioc_of(machine: Machine) -> str | None:
    """Return the IOC that a machine belongs to; None for one of no IOC."""
    return machine.labels.get(IOC)


def pairs(
    iocs: Iterable[str], machines: Mapping[str, Machine], record: Mapping[str, str]
) -> dict[str, Pair]:
    """Return the machines of each IOC, as they are found and recorded."""
    machines_of: dict[str | None, list[str]] = {}
    for name, machine in machines.items():
        machines_of.setdefault(ioc_of(machine), []).append(name)
    found: dict[str, Pair] = {}
    for ioc in iocs:
        there = machines_of.get(ioc, [])
        live = record.get(live_key(ioc), ioc)
        if live not in there and len(there) == 1:
            live = there[0]
        others = [name for name in there if name != live]
        found[ioc] = Pair(ioc, live, others[0] if others else None)
    return found
