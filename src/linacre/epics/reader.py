"""Reads every PV of some IOCs as a client does: `python -m linacre.epics.reader` at a desk.

What to read comes on standard input and what was found goes to standard output (answers.py). All
PVs of an IOC are read over one circuit first. Where that comes to a stand, the PV that was asked
for first and gave no value is read again on a circuit of its own, and those behind it on others:
so exactly the PVs that hang are named, in a few seconds, with few circuits.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from ipaddress import IPv4Address
from itertools import cycle
from pathlib import Path
from typing import Any

from linacre.epics.answers import Answers, Asked, answer, read_question
from linacre.epics.libca import PRIORITIES, ChannelAccess, Circuit

SEARCH_LIMIT_S = 2.0
"""A PV is unheard of where nobody has answered for so long."""
VALUE_LIMIT_S = 1.5
"""A circuit has come to a stand where it brings no value for so long."""
LANES = 12
"""Circuits to one IOC at a time; each costs the IOC a thread or two."""

_PERIOD_S = 0.01
_PVA_AFTER_S = 0.4
_HOSTS = Path("/etc/hosts")


class _Ioc:
    """The PVs of one IOC on their way."""

    def __init__(self, access: ChannelAccess, asked: Asked) -> None:
        self._access = access
        self._asked = asked
        self._names = list(dict.fromkeys(asked.pvs))
        self._priorities = cycle(PRIORITIES)
        self._first = access.circuit(0)
        self._lanes: list[Circuit] = []
        self._ended: list[Circuit] = []
        self._tasks: deque[list[str]] = deque()
        self._silent: list[str] = []
        self._lost: list[str] = []
        """Searched once more, with nothing in the way, and not heard of."""
        self.by_pva: dict[str, str] = {}
        """The PVs that answered by pvAccess, with the error that they answered; mostly ""."""
        access.read(self._first, self._names)

    @property
    def unheard(self) -> list[str]:
        """The PVs that nobody has answered the search for."""
        return [name for name in (*self._first.searching, *self._lost) if name not in self.by_pva]

    @property
    def changed_at(self) -> float:
        """When a PV last connected or answered."""
        return max(circuit.changed_at for circuit in (self._first, *self._lanes))

    def step(self, now: float) -> bool:
        """Go on as far as there is something to do; return whether all is told."""
        for circuit in (self._first, *self._lanes):
            if circuit.waiting and now - circuit.changed_at > VALUE_LIMIT_S:
                self._part(circuit)
        for circuit in list(self._lanes):
            if not circuit.waiting and now - circuit.changed_at > SEARCH_LIMIT_S:
                self._lost += circuit.searching
                circuit.searching = {}
            if not circuit.searching and not circuit.waiting:
                self._access.clear(circuit)
                self._lanes.remove(circuit)
                self._ended.append(circuit)
        while self._tasks and len(self._lanes) < LANES:
            self._lanes.append(self._access.circuit(next(self._priorities)))
            self._access.read(self._lanes[-1], self._tasks.popleft())
        searched = not self.unheard or now - self._first.changed_at > SEARCH_LIMIT_S
        return searched and not (self._first.waiting or self._lanes or self._tasks)

    def _part(self, circuit: Circuit) -> None:
        """Let those behind the PV that holds a circuit go on without it.

        Some of them may seem unheard of: the server has answered the search for them, and what
        comes next of a channel goes over the circuit too.
        """
        first, *rest = circuit.waiting
        rest += [name for name in circuit.searching if name not in self.by_pva]
        circuit.waiting, circuit.searching = {}, {}
        if circuit is not self._first and not rest:
            self._silent.append(first)
            return
        self._tasks.append([first])
        size = -(-len(rest) // (LANES - 1)) or 1
        self._tasks += [rest[n : n + size] for n in range(0, len(rest), size)]

    def told(self) -> Answers:
        """Return what is known now."""
        circuits = (self._first, *self._ended, *self._lanes)
        by_pva = dict(self.by_pva)
        refused = {name: why for each in circuits for name, why in each.refused.items()}
        refused |= {name: why for name, why in by_pva.items() if why}
        hosts = {name: ch.host for each in circuits for name, ch in each.answered.items()}
        answered = {*hosts, *by_pva} - refused.keys()
        unheard = self.unheard
        silent = [name for name in dict.fromkeys(self._silent) if name not in answered]
        known = {*answered, *refused, *unheard, *silent}
        addresses = {name: _address(host) for name, host in hosts.items()}
        return Answers(
            answered=len(answered),
            unheard=tuple(unheard),
            silent=tuple(silent),
            unread=tuple(name for name in self._names if name not in known),
            refused=refused,
            elsewhere={
                name: address
                for name, address in addresses.items()
                if address and address != self._asked.address
            },
        )


@cache
def _hosts() -> dict[str, str]:
    if not _HOSTS.exists():
        return {}
    lines = [line.split() for line in _HOSTS.read_text().splitlines()]
    return {name: line[0] for line in lines if line for name in line[1:]}


def _address(host: str) -> str | None:
    """Return the address of a server that libca names by address or by name; None if unknown."""
    name = host.rpartition(":")[0]
    try:
        return str(IPv4Address(name))
    except ValueError:
        return _hosts().get(name)


class _PvAccess:
    """Reads by pvAccess the PVs that nobody serves by Channel Access."""

    def __init__(self, iocs: Mapping[str, _Ioc]) -> None:
        # Only now: it takes a third of a second to import, and most sites have no need of it.
        library: Any = import_module("p4p.client.raw")
        self._context = library.Context("pva", nt=False, useenv=True)
        self.began_at = time.monotonic()
        # Held, or they end.
        self._reads = [
            self._context.get(name, self._taker(ioc, name))
            for ioc in iocs.values()
            for name in ioc.unheard
        ]

    @staticmethod
    def _taker(ioc: _Ioc, name: str) -> Callable[[object], None]:
        def take(value: object) -> None:
            ioc.by_pva[name] = str(value) if isinstance(value, Exception) else ""

        return take


def read_all(asked: Mapping[str, Asked], *, limit_s: float) -> dict[str, Answers]:
    """Read all PVs of some IOCs; what was not told within the limit is said to be unread."""
    access = ChannelAccess()
    began_at = time.monotonic()
    iocs = {name: _Ioc(access, each) for name, each in asked.items()}
    by_pva: _PvAccess | None = None
    while (now := time.monotonic()) < began_at + limit_s:
        access.run_for(_PERIOD_S)
        busy = [ioc for ioc in iocs.values() if not ioc.step(now)]
        searching = any(ioc.unheard for ioc in iocs.values())
        searched = by_pva is not None and now > by_pva.began_at + SEARCH_LIMIT_S
        if not busy and (searched or not searching):
            break
        quiet_s = now - max((ioc.changed_at for ioc in iocs.values()), default=now)
        if by_pva is None and searching and quiet_s > _PVA_AFTER_S:
            by_pva = _PvAccess(iocs)
    return {name: ioc.told() for name, ioc in iocs.items()}


def main() -> None:
    """Answer the question on standard input."""
    asked, limit_s = read_question(sys.stdin.buffer.read())
    sys.stdout.buffer.write(answer(read_all(asked, limit_s=limit_s)))
    sys.stdout.flush()
    # Libraries that wait for a server that hangs must not hold us.
    os._exit(0)


if __name__ == "__main__":
    main()
