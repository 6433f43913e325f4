"""Who is connected to a machine: its sockets, and what EPICS and the facility know of each."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface

from linacre.base.errors import LinacreError
from linacre.engines.base import Capability, Client, Machine, Stream
from linacre.engines.labels import ADDRESS, NETWORK
from linacre.epics import casr
from linacre.session.session import Session

_NOT_EPICS = frozenset({22, 23, 7001})
_PVA_PORT = 5075
_FILE = "clients"
_LARGEST = 8 << 20
_POLL_S = 0.01
_PROMPT_S = 0.5
"""How long an IOC shell may take to a prompt; a program that is no IOC shell shows none."""


@dataclass(frozen=True)
class KnownClient:
    """A client connected to a machine, and what is known of it."""

    address: IPv4Address
    port: int
    protocol: str
    user: str | None
    """The user that the client says it is, where EPICS tells."""
    host: str | None
    """The host that the client says it is on, where EPICS tells."""
    what: str | None
    """The machine of the facility that it is, or `the host`."""


async def clients_of(
    session: Session, machine: str, *, ask_s: float | None = 2.0
) -> list[KnownClient]:
    """Return who is connected to a running machine; the engine is open.

    The IOC shell is asked for users and hosts, at most `ask_s` seconds long; with None it is not.
    Where it does not answer, clients are told without them.
    """
    connected = await session.engine.clients(machine)
    if not connected:
        return []
    machines = await session.machines()
    peers: list[casr.Peer] = []
    if ask_s is not None and any(each.server_port not in _NOT_EPICS for each in connected):
        has_pva = any(each.server_port == _PVA_PORT for each in connected)
        peers = await _peers(session, machines[machine], has_pva=has_pva, limit_s=ask_s)
    told = {(peer.address, peer.port): peer for peer in peers}
    names = await _names(session, machine, machines)
    found = [_known(each, told.get((each.address, each.port)), names) for each in connected]
    return sorted(found, key=lambda each: (each.address, each.protocol, each.port))


def _known(client: Client, peer: casr.Peer | None, names: Mapping[IPv4Address, str]) -> KnownClient:
    return KnownClient(
        client.address,
        client.port,
        # A server that did not get its standard port is known by what it tells.
        peer.protocol if peer else client.protocol,
        peer.user if peer else None,
        peer.host if peer else None,
        names.get(client.address),
    )


async def _peers(
    session: Session, machine: Machine, *, has_pva: bool, limit_s: float
) -> list[casr.Peer]:
    """Return the clients that the IOC shell tells; none where it does not answer in time."""
    told = ""
    with contextlib.suppress(LinacreError, OSError, TimeoutError):
        async with contextlib.AsyncExitStack() as after:
            async with asyncio.timeout(limit_s):
                console = await session.engine.console(machine.name)
                # Later than the limit: an answer that has come is not lost to a slow farewell.
                after.push_async_callback(console.close)
                told = await _ask(session, machine, console)
                if told and has_pva and casr.needs_old_question(told):
                    told += await _ask_old(console)
    return casr.peers(told)


async def _ask(session: Session, machine: Machine, console: Stream) -> str:
    """Return what the IOC shell tells of its clients; nothing where there is no IOC shell.

    Where two ask at once, each may get the other's answer: both are of this moment.
    """
    address = IPv4Interface(machine.labels[ADDRESS]).ip
    file = session.engine.layout(machine.name, address).run / _FILE

    async def answer() -> str:
        found = await session.engine.read(machine.name, file, limit=_LARGEST)
        return (found or b"").decode(errors="replace")

    before = casr.mark_of(await answer())
    await console.write(casr.CLEAR_LINE.encode())
    if not await _comes_to_prompt(console):
        return ""
    await console.write(casr.question(file, mark=uuid.uuid4().hex).encode())
    while casr.mark_of(text := await answer()) in (None, before):
        await session.clock.sleep(_POLL_S)
    return text


async def _ask_old(console: Stream) -> str:
    mark, shown = uuid.uuid4().hex, b""
    await console.write(casr.old_question(mark=mark).encode())
    while (answer := casr.old_answer(shown, mark=mark)) is None:
        if not (data := await console.read()):
            return ""
        shown += data
    return answer


async def _comes_to_prompt(console: Stream) -> bool:
    shown = b""
    with contextlib.suppress(TimeoutError):
        shown = await console.read()
        async with asyncio.timeout(_PROMPT_S):
            while not casr.has_prompt(shown) and (data := await console.read()):
                shown += data
    return casr.has_prompt(shown)


async def _names(
    session: Session, machine: str, machines: Mapping[str, Machine]
) -> dict[IPv4Address, str]:
    """Return what stands at which address on the networks of the facility.

    Of twins, which share an address, the client is the one on the same network as the machine.
    """
    networks = await _networks(session, machines)
    declared = session.declaration.facility.networks.values()
    hosts = (network.host_address for network in declared)
    names = {address: "the host" for address in hosts if address is not None}
    # Those on the machine's own network last: they have the last word on an address.
    for name in sorted(machines, key=lambda name: networks[name] == networks.get(machine)):
        if text := machines[name].labels.get(ADDRESS):
            address = IPv4Interface(text).ip
            names[session.engine.layout(name, address).bind or address] = name
    if Capability.OWN_ADDRESS not in session.engine.capabilities():
        names[IPv4Address("127.0.0.1")] = "the host"
    return names


async def _networks(session: Session, machines: Mapping[str, Machine]) -> dict[str, str | None]:
    if Capability.CABLES not in session.engine.capabilities():
        return {name: machine.labels.get(NETWORK) for name, machine in machines.items()}
    cables = await session.engine.wiring.cables()
    return {name: cables[name].found if name in cables else None for name in machines}
