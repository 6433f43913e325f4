"""Uplinks: the joint between a bridge of ours and the site's network.

A NIC of the host becomes a port of our bridge. A bridge of the host is joined by a veth pair, and
our own bridge stays where cables are plugged: so a swap is as quick on the site's network as on
one of our own, whatever the site's bridge does with new ports.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from linacre.base.errors import EngineError, UserError
from linacre.base.processes import run_tool
from linacre.engines.incus.access import HOSTS_END, PORT
from linacre.engines.incus.cable import BRIDGE, VETH
from linacre.engines.incus.links import (
    Link,
    attribute,
    bridge_of,
    is_bridge,
    link_there,
    told_by_ip,
)

_OUR_END, _SITES_END = "lnu-", "lnx-"
_IFF_UP = 1
_LISTENING, _LEARNING = "1", "2"
# A NIC that was down needs seconds for its link, and a bridge that runs STP twice its forward
# delay (15 s by default): a probe before then is heard by nobody.
_CARRIER_LIMIT_S, _STP_LIMIT_S = 5.0, 35.0


def joint_names(bridge: str) -> tuple[str, str]:
    """Return the ends of the veth pair that joins our bridge to one of the site's: ours, theirs."""
    tail = bridge.removeprefix(BRIDGE)
    return f"{_OUR_END}{tail}", f"{_SITES_END}{tail}"


def _is_plugged(link: str, bridge: str) -> bool:
    return bridge_of(link) == bridge and int(attribute(link, "flags") or "0", 16) & _IFF_UP > 0


def _is_joined(bridge: str, uplink: str) -> bool:
    if not is_bridge(uplink):
        return _is_plugged(uplink, bridge)
    ours, theirs = joint_names(bridge)
    return _is_plugged(ours, bridge) and _is_plugged(theirs, uplink)


def missing_joint(bridge: str, uplink: str) -> str | None:
    """Say why machines on a bridge of ours do not reach the site; None where they should."""
    if not link_there(bridge):
        return f"the bridge {bridge} is not on this host"
    if not link_there(uplink):
        return f"this host has no interface {uplink}"
    if not _is_joined(bridge, uplink):
        return f"{uplink} is not joined to the bridge {bridge}"
    if attribute(uplink, "carrier") != "1":
        return f"{uplink} has no link: its cable is out, or the far side is off"
    return None


async def check(bridge: str, uplink: str) -> None:
    """Raise `UserError`, with what to write, where an interface cannot join a bridge of ours."""
    told = await told_by_ip("-details", "address", "show")
    links = {str(link["ifname"]): link for link in told if "ifname" in link}
    if (wrong := _unfit(bridge, uplink, links)) is None:
        return
    fitting = [name for name in links if _is_offered(name) and not _unfit(bridge, name, links)]
    there = f"write {' or '.join(fitting[:4])}" if fitting else "write a NIC or a bridge of it"
    raise UserError(f"{wrong.what}; {wrong.instead or there}")


@dataclass(frozen=True)
class _Unfit:
    """Why an interface cannot be an uplink, and what to do; None is to write another."""

    what: str
    instead: str | None = None


def _unfit(bridge: str, uplink: str, links: Mapping[str, Link]) -> _Unfit | None:
    there = links.get(uplink)
    if there is None:
        return _Unfit(f"there is no interface {uplink} on this host")
    if "LOOPBACK" in there.get("flags", ()):
        return _Unfit(f"{uplink} is this host's loopback")
    if _is_of_ours(uplink):
        return _Unfit(f"{uplink} belongs to a network of Linacre's on this host")
    if _kind(there) == "bridge":
        return None
    if (master := there.get("master")) is not None:
        return None if master == bridge else _in_another(uplink, str(master), links)
    if Path(f"/sys/class/net/{uplink}/phy80211").exists():
        return _Unfit(f"{uplink} is wireless, and this host's bridges cannot have it")
    if addresses := _addresses(there):
        what = f"{uplink} carries the host's address {', '.join(addresses)}, and would lose it"
        return _Unfit(what, f"make a bridge over {uplink}, give it the address, and write its name")
    return None


def _in_another(uplink: str, master: str, links: Mapping[str, Link]) -> _Unfit:
    if _is_of_ours(master):
        return _Unfit(f"{uplink} is the uplink of another network, on this host's bridge {master}")
    kind = "in the bridge" if _kind(links.get(master, {})) == "bridge" else "part of"
    return _Unfit(f"{uplink} is {kind} {master} already", f"write {master}")


def _is_offered(link: str) -> bool:
    """Tell whether a link is a real NIC or a bridge, which a person may mean."""
    return Path(f"/sys/class/net/{link}/device").exists() or is_bridge(link)


def _is_of_ours(link: str) -> bool:
    return link.startswith((BRIDGE, VETH, PORT, HOSTS_END, _OUR_END, _SITES_END))


def _kind(link: Link) -> str:
    return str(link.get("linkinfo", {}).get("info_kind", ""))


def _addresses(link: Link) -> list[str]:
    """Return the addresses of the host that a link carries; one of the link alone is none."""
    found = cast(list[Mapping[str, Any]], link.get("addr_info", []))
    return [str(each["local"]) for each in found if each.get("scope") != "link"]


async def join(bridge: str, uplink: str) -> None:
    """Join a bridge of ours to its uplink, and wait until frames pass; one that is, is left alone.

    Raises `LinacreError` where the interface is not there, does not fit or does not come.
    """
    if _is_joined(bridge, uplink):
        return
    await check(bridge, uplink)
    await _order(_to_join(bridge, uplink), f"{uplink} cannot be joined to the bridge {bridge}")
    await _until_frames_pass(bridge, uplink)


def _to_join(bridge: str, uplink: str) -> list[str]:
    if not is_bridge(uplink):
        return [f"link set dev {uplink} master {bridge}", f"link set dev {uplink} up"]
    ours, theirs = joint_names(bridge)
    orders: list[str] = []
    if not (link_there(ours) and link_there(theirs)):
        if link_there(ours):
            orders.append(f"link delete dev {ours}")
        # With its master, so that none is made where the bridge has gone meanwhile.
        orders.append(f"link add name {ours} master {bridge} type veth peer name {theirs}")
    for end, place in ((theirs, uplink), (ours, bridge)):
        orders += [f"link set dev {end} addrgenmode none", f"link set dev {end} master {place} up"]
    return orders


async def _order(orders: Iterable[str], problem: str) -> None:
    lines = "".join(f"{line}\n" for line in orders).encode()
    said = await run_tool("ip", "-batch", "-", stdin=lines, check=False)
    if "Command failed" in said:
        raise EngineError(f"{problem}: {said.splitlines()[0]}")


async def _until_frames_pass(bridge: str, uplink: str) -> None:
    port = joint_names(bridge)[1] if is_bridge(uplink) else uplink
    begun = time.monotonic()

    def waits() -> bool:
        passed = time.monotonic() - begun
        if attribute(port, "brport/state") in (_LISTENING, _LEARNING):
            return passed < _STP_LIMIT_S
        return attribute(uplink, "carrier") != "1" and passed < _CARRIER_LIMIT_S

    while waits():
        await asyncio.sleep(0.05)


async def part(bridge: str, *, keep: str | None) -> None:
    """Take out of a bridge of ours whatever joins it to others, but for the uplink `keep`."""
    ours, theirs = joint_names(bridge)
    joined = {path.name for path in Path(f"/sys/class/net/{bridge}/brif").glob("*")}
    others = {port for port in joined if not port.startswith((VETH, PORT))} - {ours, keep}
    orders = [f"link set dev {port} nomaster" for port in sorted(others)]
    if link_there(ours) and (keep is None or bridge_of(theirs) != keep):
        orders.append(f"link delete dev {ours}")
    if orders:
        await _order(orders, f"the uplink of the bridge {bridge} does not come off")


async def remove_links(links: Iterable[str]) -> None:
    """Remove bridges and cables of ours that nobody has any more, with what joined the bridges.

    A daemon that ends may leave its bridges: it gives up where another link of the host goes
    while it looks. None there is no error.
    """
    names = list(links)
    joints = [joint_names(name)[0] for name in names if name.startswith(BRIDGE)]
    if left := [name for name in (*names, *joints) if link_there(name)]:
        orders = "".join(f"link delete dev {name}\n" for name in left)
        # One that goes with another, or by itself, is no error.
        await run_tool("ip", "-force", "-batch", "-", stdin=orders.encode(), check=False)
