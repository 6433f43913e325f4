"""Whether the address of a machine is free on the site's network, asked before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import cast

from linacre.base.errors import EngineError
from linacre.engines.incus import arp
from linacre.engines.incus.cable import bridge_name
from linacre.engines.incus.client import IncusClient
from linacre.engines.incus.names import LABEL
from linacre.engines.incus.project import Project
from linacre.engines.incus.wiring import plugged
from linacre.engines.labels import recorded_uplinks

_WAIT_S = 0.4


async def refuse_taken(
    machine: str, *, facility: str, client: IncusClient, project: Project
) -> None:
    """Raise `EngineError` where another has the address of a machine that is to be started.

    Asked only on a network with an uplink, and only where the machine will be plugged into it.
    """
    record = await project.record()
    if not any(recorded_uplinks(record).values()):
        return
    found = await client.get_or_none(f"/1.0/instances/{machine}")
    if found is None or found["status"] != "Stopped":
        return
    config = cast(Mapping[str, str], found["config"])
    network = plugged(record, machine, home=config.get(LABEL + "network", ""))
    if not network or not recorded_uplinks(record).get(network):
        return
    address = IPv4Address(config[LABEL + "address"])
    answers = await arp.owners(bridge_name(facility, network), [address], wait_s=_WAIT_S)
    if macs := answers[address]:
        own = str(found["devices"]["eth0"]["hwaddr"]).lower()
        raise EngineError(_refusal(machine, address, network, macs, own=own))


def _refusal(
    machine: str, address: IPv4Address, network: str, macs: tuple[str, ...], *, own: str
) -> str:
    taken = f"{machine} is not started: {address} answers on {network} already"
    if own in macs:
        return f"{taken}, with its own MAC address {own}: stop the {machine} that runs elsewhere"
    return (
        f"{taken}, at MAC address {', '.join(macs)}: "
        f"take that device off the network, or give {machine} another address"
    )
