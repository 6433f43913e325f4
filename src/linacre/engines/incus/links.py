"""The network links of this host, as the kernel and `ip` tell of them."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, cast

from linacre.base.processes import run_tool

_SIOCGIFADDR, _SIOCGIFBRDADDR = 0x8915, 0x8919
_UP = 1
_ADDRESS = slice(20, 24)
"""Of a struct ifreq with a sockaddr_in: 16 bytes of name, then family, port and address."""

Link = Mapping[str, Any]
"""What `ip -json address show` tells of one link."""


def link_there(name: str) -> bool:
    """Tell whether there is a link of this name on this host."""
    return Path(f"/sys/class/net/{name}").exists()


def bridge_of(link: str) -> str | None:
    """Return the bridge that a link is in, or None."""
    try:
        # One of each machine: as a path it would take five times as long.
        return os.readlink(f"/sys/class/net/{link}/master").rpartition("/")[2]  # noqa: PTH115
    except OSError:
        return None


def is_down(link: str) -> bool:
    """Tell whether a link is there and was set down (netdevice(7), IFF_UP)."""
    flags = attribute(link, "flags")
    return bool(flags) and not int(flags, 16) & _UP


def is_bridge(link: str) -> bool:
    """Tell whether a link is a bridge."""
    return Path(f"/sys/class/net/{link}/bridge").is_dir()


def attribute(link: str, name: str) -> str:
    """Return what the kernel tells of a link; nothing of one that is not there, or is down."""
    try:
        return Path(f"/sys/class/net/{link}/{name}").read_text().strip()
    except OSError:
        return ""


def lacks_broadcast(link: str) -> bool:
    """Tell whether a link has an IPv4 address without a broadcast address (netdevice(7))."""
    request = struct.pack("256s", link.encode())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            fcntl.ioctl(asking, _SIOCGIFADDR, request)
            answer = fcntl.ioctl(asking, _SIOCGIFBRDADDR, request)
        except OSError:
            return False
    return not any(answer[_ADDRESS])


async def routed_subnets() -> list[IPv4Network]:
    """Return the subnets that this host has a route to, but for the default one."""
    found = [str(route.get("dst", "default")) for route in await told_by_ip("-4", "route", "show")]
    return [IPv4Network(each, strict=False) for each in found if each != "default"]


async def told_by_ip(*words: str) -> list[Link]:
    """Return what `ip` tells of links of this host; nothing of one that is not there."""
    said = await run_tool("ip", "-json", *words, check=False)
    # Beside the JSON, `ip` may complain that links of others came or went meanwhile.
    told = next((line for line in said.splitlines() if line.startswith("[{")), "[]")
    return cast(list[Link], json.loads(told))
