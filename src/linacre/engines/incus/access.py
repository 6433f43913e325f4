"""Gateways: how clients of this host reach a network that the host is not on.

Several networks of one host may have one subnet then, and machines of one name and address. A
gateway is a network namespace with a link into the bridge and a link to the host, and translates
the addresses between them (`access_rules`). It has no process: it stays until it is removed or the
host ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from linacre.base.errors import EngineError
from linacre.base.processes import run_tool
from linacre.engines.incus.access_rules import INSIDE, OUTSIDE, SETTINGS, gateway_rules
from linacre.engines.incus.cable import BRIDGE
from linacre.engines.incus.links import attribute, bridge_of, link_there, told_by_ip
from linacre.engines.model import Access, NetworkSpec

PORT, HOSTS_END = "lng-", "lna-"
"""How names begin: of a gateway's port in the bridge, and of the host's end of its other link."""
_NAMESPACE = "lns-"
_NAMESPACES = Path("/run/netns")


def _tail(bridge: str) -> str:
    return bridge.removeprefix(BRIDGE)


def namespace(bridge: str) -> str:
    """Return the network namespace of the gateway of a bridge."""
    return f"{_NAMESPACE}{_tail(bridge)}"


def links(bridge: str) -> tuple[str, str]:
    """Return the gateway's links on the host: its port in the bridge, and the host's own end."""
    return f"{PORT}{_tail(bridge)}", f"{HOSTS_END}{_tail(bridge)}"


def _mac(end: str) -> str:
    """Return the MAC address of an end of a gateway's links: always the same, locally administered.

    So nobody has to learn a new one where the gateway is made anew.
    """
    return f"02:{hashlib.sha256(end.encode()).digest()[:5].hex(':')}"


def mac_inside(bridge: str) -> str:
    """Return the MAC address by which machines know the gateway of a bridge."""
    return _mac(INSIDE + bridge)


async def ensure(bridge: str, network: NetworkSpec) -> None:
    """Have the gateway that a network is to have, or none."""
    access = network.access
    if access is None:
        return await remove([bridge])
    if not (_is_there(bridge) and await _has(links(bridge)[1], access)):
        await remove([bridge])
        await _make(bridge, network, access)
    return None


def is_lost(bridge: str, network: NetworkSpec) -> bool:
    """Tell whether a network lacks its gateway: the host was started since, or its bridge made."""
    if network.access is None or not link_there(bridge):
        return False
    return not _is_there(bridge) or bridge_of(links(bridge)[0]) != bridge


async def mend(bridge: str, network: NetworkSpec) -> None:
    """Bring back the gateway that a network has lost, or its link into a bridge made anew."""
    if network.access is None or not is_lost(bridge, network):
        return
    if not _is_there(bridge):
        await remove([bridge])
        await _make(bridge, network, network.access)
    else:
        await _order([f"link set dev {links(bridge)[0]} master {bridge} up"], bridge)


async def remove(bridges: Iterable[str]) -> None:
    """Remove the gateways of bridges; none there is no error."""
    for bridge in bridges:
        left = [name for name in links(bridge) if link_there(name)]
        orders = [f"link delete dev {name}" for name in left]
        if (_NAMESPACES / namespace(bridge)).exists():
            orders.append(f"netns delete {namespace(bridge)}")
        if orders:
            text = "".join(f"{order}\n" for order in orders)
            await run_tool("ip", "-force", "-batch", "-", stdin=text.encode(), check=False)


def _is_there(bridge: str) -> bool:
    """Tell whether a gateway is whole: the host's end is brought up last."""
    port, hosts_end = links(bridge)
    is_up = link_there(port) and attribute(hosts_end, "operstate") == "up"
    return is_up and (_NAMESPACES / namespace(bridge)).exists()


async def _has(link: str, access: Access) -> bool:
    told = await told_by_ip("-4", "address", "show", "dev", link)
    found = [each.get("local") for entry in told for each in entry.get("addr_info", [])]
    routes = await told_by_ip("-4", "route", "show", "dev", link)
    return found == [str(access.host_address)] and any(
        route.get("dst") == str(access.subnet) for route in routes
    )


async def _make(bridge: str, network: NetworkSpec, access: Access) -> None:
    name, (port, hosts_end) = namespace(bridge), links(bridge)
    await run_tool("ip", "netns", "add", name)
    within = ("ip", "netns", "exec", name)
    await run_tool(*within, "nft", "-f", "-", stdin=gateway_rules(network.subnet, access).encode())
    await _order(
        [
            f"link add name {port} type veth peer name {INSIDE} netns {name}",
            f"link add name {hosts_end} address {_mac(OUTSIDE + bridge)} type veth "
            f"peer name {OUTSIDE} netns {name}",
            *(f"link set dev {each} addrgenmode none" for each in (port, hosts_end)),
        ],
        bridge,
    )
    settings = "".join(f"echo {value} > ipv4/{key}\n" for key, value in SETTINGS.items())
    quiet = "echo 1 > ipv6/conf/all/disable_ipv6\n"
    script = f"set -e\ncd /proc/sys/net\n{settings}[ ! -d ipv6 ] || {quiet}"
    await run_tool(*within, "/bin/sh", "-s", stdin=script.encode())
    inside = [
        f"link set dev {INSIDE} address {mac_inside(bridge)} up",
        f"link set dev {OUTSIDE} up",
        f"address add {access.gateway}/{network.subnet.prefixlen} dev {INSIDE}",
        f"route add {access.host_address}/32 dev {OUTSIDE}",
        # Asked for it, the host would not answer: it may have the gateway's address too.
        f"neighbour add {access.host_address} lladdr {_mac(OUTSIDE + bridge)} dev {OUTSIDE} "
        "nud permanent",
        # For its answers to ARP on the other side, where these addresses are asked for.
        f"route add {access.subnet} dev {INSIDE}",
    ]
    await _order(inside, bridge, "-n", name)
    # No address of a network with a broadcast: no client searches there that is not told to.
    outside = [
        f"link set dev {port} master {bridge} up",
        f"address add {access.host_address}/32 dev {hosts_end}",
        f"link set dev {hosts_end} up",
        f"route add {access.subnet} dev {hosts_end} src {access.host_address}",
    ]
    await _order(outside, bridge)


async def _order(orders: Iterable[str], bridge: str, *options: str) -> None:
    lines = "".join(f"{line}\n" for line in orders).encode()
    said = await run_tool("ip", *options, "-batch", "-", stdin=lines, check=False)
    if "Command failed" in said or "rror:" in said:
        raise EngineError(f"the gateway of {bridge} cannot be made: {said.splitlines()[0]}")
