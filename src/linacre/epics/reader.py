"""Reads every PV of some IOCs as a client does: `python -m linacre.epics.reader` at a desk.

What to read comes on standard input and what was found goes to standard output (answers.py). PVs
are searched as every client searches them; where there are very many, a few of each IOC, and the
others are asked for at the server that answered (direct.py).

All PVs of an IOC are read over one circuit first. Where that comes to a stand, the PV that was
asked for first and gave no value is read again on a circuit of its own, and those behind it on
others: so exactly the PVs that hang are named, in a few seconds, with few circuits.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib import import_module
from ipaddress import IPv4Address
from itertools import cycle
from pathlib import Path
from typing import Any, Protocol

from linacre.epics.answers import Answers, Asked, answer, read_question
from linacre.epics.direct import DirectAccess
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


class _Access(Protocol):
    """What reads PVs on circuits."""

    def circuit(self, priority: int, /) -> Circuit: ...

    def read(self, circuit: Circuit, names: list[str], /) -> None: ...

    def clear(self, circuit: Circuit, /) -> None: ...


class _Ioc:
    """The PVs of one IOC on their way."""

    def __init__(
        self, access: ChannelAccess, direct: DirectAccess, asked: Asked, *, searches: int
    ) -> None:
        self._access = access
        self._direct = direct
        self._asked = asked
        self._names = list(dict.fromkeys(asked.pvs))
        self._priorities = cycle(PRIORITIES)
        self._to_read = self._names[searches:]
        """Those that wait until it is known which server has the others."""
        self._heads: list[tuple[_Access, Circuit]] = []
        self._lanes: list[tuple[_Access, Circuit]] = []
        self._ended: list[Circuit] = []
        self._tasks: deque[tuple[_Access, list[str]]] = deque()
        self._silent: list[str] = []
        self._lost: list[str] = []
        """Searched once more, with nothing in the way, and not heard of."""
        self.by_pva: dict[str, str] = {}
        """The PVs that answered by pvAccess, with the error that they answered; mostly ""."""
        self._begin(access, self._names[:searches])

    def _begin(self, access: _Access, names: list[str]) -> None:
        circuit = access.circuit(0)
        self._heads.append((access, circuit))
        access.read(circuit, names)

    @property
    def unheard(self) -> list[str]:
        """The PVs that nobody has answered the search for."""
        searched = (name for _, circuit in self._heads for name in circuit.searching)
        return [name for name in (*searched, *self._lost) if name not in self.by_pva]

    @property
    def changed_at(self) -> float:
        """When a PV last connected or answered."""
        return max(circuit.changed_at for _, circuit in (*self._heads, *self._lanes))

    def step(self, now: float) -> bool:
        """Go on as far as there is something to do; return whether all is told."""
        self._read_the_others(now)
        for access, circuit in (*self._heads, *self._lanes):
            if circuit.waiting and now - circuit.changed_at > VALUE_LIMIT_S:
                self._part(access, circuit)
        for access, circuit in list(self._lanes):
            if not circuit.waiting and now - circuit.changed_at > SEARCH_LIMIT_S:
                self._lost += circuit.searching
                circuit.searching = {}
            if not circuit.searching and not circuit.waiting:
                access.clear(circuit)
                self._lanes.remove((access, circuit))
                self._ended.append(circuit)
        while self._tasks and len(self._lanes) < LANES:
            access, names = self._tasks.popleft()
            self._lanes.append((access, access.circuit(next(self._priorities))))
            access.read(self._lanes[-1][1], names)
        heads = [circuit for _, circuit in self._heads]
        searched = not self.unheard or all(
            now - circuit.changed_at > SEARCH_LIMIT_S for circuit in heads
        )
        waits = self._to_read or any(circuit.waiting for circuit in heads)
        return searched and not (waits or self._lanes or self._tasks)

    def _read_the_others(self, now: float) -> None:
        """Read what was not searched, as soon as it is known where it is to be had.

        Of what that server does not have, or where nobody answers by Channel Access, it is
        searched like the rest.
        """
        first = self._heads[0][1]
        if self._to_read and (place := self._place(first)) is not None:
            self._begin(self._direct.server(*place), self._to_read)
            self._to_read = []
        elif self._to_read and (self.by_pva or now - first.changed_at > SEARCH_LIMIT_S):
            self._begin(self._access, self._to_read)
            self._to_read = []
        for _, circuit in list(self._heads):
            if circuit.unknown:
                self._begin(self._access, circuit.unknown)
                circuit.unknown = []

    def _place(self, circuit: Circuit) -> tuple[str, int] | None:
        """Return the address and port of the IOC's own server, once it has answered."""
        for channel in (*circuit.waiting.values(), *circuit.answered.values()):
            if _address(channel.host) == self._asked.address:
                return self._asked.address, int(channel.host.rpartition(":")[2])
        return None

    def _part(self, access: _Access, circuit: Circuit) -> None:
        """Let those behind the PV that holds a circuit go on without it.

        Some of them may seem unheard of: the server has answered the search for them, and what
        comes next of a channel goes over the circuit too.
        """
        first, *rest = circuit.waiting
        rest += [name for name in circuit.searching if name not in self.by_pva]
        circuit.waiting, circuit.searching = {}, {}
        if not rest and all(circuit is not head for _, head in self._heads):
            self._silent.append(first)
            return
        self._tasks.append((access, [first]))
        size = -(-len(rest) // (LANES - 1)) or 1
        self._tasks += [(access, rest[n : n + size]) for n in range(0, len(rest), size)]

    def told(self) -> Answers:
        """Return what is known now."""
        circuits = (
            *(circuit for _, circuit in self._heads),
            *self._ended,
            *(circuit for _, circuit in self._lanes),
        )
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

    def __init__(self) -> None:
        # Only now: it takes a third of a second to import, and most sites have no need of it.
        library: Any = import_module("p4p.client.raw")
        self._context = library.Context("pva", nt=False, useenv=True)
        # Held, or they end.
        self._reads: dict[tuple[int, str], object] = {}
        self.asked_at = time.monotonic()

    def ask(self, iocs: Iterable[_Ioc]) -> None:
        """Ask for what nobody has been heard of for, and was not asked for yet."""
        for ioc in iocs:
            for name in ioc.unheard:
                if (key := (id(ioc), name)) not in self._reads:
                    self._reads[key] = self._context.get(name, self._taker(ioc, name))
                    self.asked_at = time.monotonic()

    @staticmethod
    def _taker(ioc: _Ioc, name: str) -> Callable[[object], None]:
        def take(value: object) -> None:
            ioc.by_pva[name] = str(value) if isinstance(value, Exception) else ""

        return take


def _shared(counts: Sequence[int], *, most: int) -> int:
    """Return how many PVs of each IOC may be searched, one at least, for no more than `most`."""
    if sum(counts) <= most:
        return max(counts, default=1)
    return max(1, most // len(counts))


def read_all(asked: Mapping[str, Asked], *, limit_s: float, searches: int) -> dict[str, Answers]:
    """Read all PVs of some IOCs; what was not told within the limit is said to be unread.

    Every server of the network hears each search: no more than `searches` PVs are searched at
    first, and one at least of each IOC.
    """
    access = ChannelAccess()
    direct = DirectAccess(describe=access.describe)
    began_at = time.monotonic()
    each_searches = _shared([len(each.pvs) for each in asked.values()], most=searches)
    iocs = {
        name: _Ioc(access, direct, each, searches=each_searches) for name, each in asked.items()
    }
    by_pva: _PvAccess | None = None
    while (now := time.monotonic()) < began_at + limit_s:
        access.run_for(_PERIOD_S)
        direct.poll()
        busy = [ioc for ioc in iocs.values() if not ioc.step(now)]
        searching = any(ioc.unheard for ioc in iocs.values())
        searched = by_pva is not None and now > by_pva.asked_at + SEARCH_LIMIT_S
        if not busy and (searched or not searching):
            break
        quiet_s = now - max((ioc.changed_at for ioc in iocs.values()), default=now)
        if searching and quiet_s > _PVA_AFTER_S:
            by_pva = by_pva or _PvAccess()
            by_pva.ask(iocs.values())
    return {name: ioc.told() for name, ioc in iocs.items()}


def main() -> None:
    """Answer the question on standard input."""
    asked, options = read_question(sys.stdin.buffer.read())
    sys.stdout.buffer.write(answer(read_all(asked, **options)))
    sys.stdout.flush()
    # Libraries that wait for a server that hangs must not hold us.
    os._exit(0)


if __name__ == "__main__":
    main()
