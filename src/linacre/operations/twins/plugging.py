"""Plugging the cable of a single machine in and out."""

from __future__ import annotations

from linacre.base.errors import LinacreError, UserError
from linacre.declaration.names import twins_network
from linacre.engines.base import Machine
from linacre.kinds.addresses import mac_address
from linacre.operations.interaction import Interaction
from linacre.operations.iocs.machines import existing_machine
from linacre.operations.twins.swap import connected_now, told
from linacre.session.session import Session


async def plug(
    session: Session, name: str, network: str | None, *, twin: bool, interaction: Interaction
) -> str:
    """Plug a machine of an IOC into a network and return it; one that is there stays.

    By default that is the IOC's own network for the live machine, and its sandbox for the twin.
    Raises `LinacreError` where another has the address on that network.
    """
    home = session.declaration.facility.network_of(session.check_ioc(name))
    target = network or (twins_network(home) if twin else home)
    if target not in (home, twins_network(home)):
        raise UserError(f"{name} cannot be on {target}: write {home} or {twins_network(home)}")
    async with session.changing(f"ioc plug {name}", cables=True):
        machine = await existing_machine(session, name, twin=twin)
        await _check_free(session, name, machine, target)
        await _move(session, machine, target, interaction)
    return target


async def unplug(session: Session, name: str, *, twin: bool, interaction: Interaction) -> bool:
    """Pull the cable of a machine, which runs on; False where the person asked said no."""
    session.check_ioc(name)
    async with session.changing(f"ioc unplug {name}", cables=True):
        machine = await existing_machine(session, name, twin=twin)
        connected = await connected_now(session, machine.name, interaction)
        if connected and not interaction.confirm(f"{told(connected)}. Unplug {machine.name}?"):
            return False
        await _move(session, machine, None, interaction)
    return True


async def _check_free(session: Session, name: str, machine: Machine, target: str) -> None:
    wiring = session.engine.wiring
    if target not in await session.engine.networks():
        raise LinacreError(f"there is no network {target}: linacre ioc twin {name} makes it")
    names = (await session.pair(name)).names
    cables = await wiring.cables((await session.machines(names)).values())
    for other in names:
        if other != machine.name and target in (cables[other].recorded, cables[other].found):
            raise LinacreError(
                f"{other} is on {target} with the same address: linacre ioc swap {name} exchanges "
                "the two"
            )
    if cables[machine.name].found == target:
        return
    address = session.declaration.facility.iocs[name].address
    owners = (await wiring.owners(target, [address]))[address]
    if owners:
        own = mac_address(session.name, address)
        whose = "a machine of its own MAC address" if own in owners else owners[0]
        raise LinacreError(
            f"{address} is in use on {target} by {whose}: {machine.name} stays unplugged"
        )


async def _move(
    session: Session, machine: Machine, target: str | None, interaction: Interaction
) -> None:
    where = f"plug {machine.name} into {target}" if target else f"unplug {machine.name}"
    verb, steps = "ioc plug" if target else "ioc unplug", [("move", where)]
    async with session.task(
        verb, detail=machine.name, steps=steps, listener=interaction.listener
    ) as task:
        await task.step_started("move")
        await session.engine.wiring.record_moves({machine.name: target}, notes={})
        await session.engine.wiring.finish_moves()
        await task.step_done("move")
