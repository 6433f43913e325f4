"""Networks in the facility file: what machines are on, and what leads out of it."""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from linacre.declaration.models.part import Part
from linacre.declaration.models.values import Address, AnyPort, Line, NetworkName, Subnet
from linacre.documents.quoting import as_written, quoted

HOST = "host"
"""What a route leads to that ends at this host itself; no network's name may be it then."""
_INTERFACE_PATTERN = r"^[^\s/:]{1,15}$"


def _next_address(data: dict[str, Any]) -> IPv4Address:
    """Return the first address of the subnet that is not the host's; any, where none is read."""
    subnet = data.get("subnet")
    if subnet is None:
        return IPv4Address(0)
    return next(subnet[n] for n in (1, 2) if subnet[n] != data.get("host_address"))


def _hosts_own(data: dict[str, Any]) -> IPv4Address | None:
    """Return the host's address: none on the site's network, where every address is somebody's."""
    return None if data.get("uplink") else _next_address(data)


def _host_as_router(data: dict[str, Any]) -> IPv4Address | None:
    return None if data.get("uplink") else data.get("host_address")


def _interface(value: object) -> str | None:
    text = as_written(value)
    if text == "none":
        return None
    if text is None or not re.fullmatch(_INTERFACE_PATTERN, text) or text in (".", ".."):
        raise ValueError(
            f"{quoted(value)} is no name of an interface; write that of a NIC or a bridge of the "
            "host, such as eth1 or br0, or none"
        )
    return text


Interface = Annotated[
    str | None,
    BeforeValidator(_interface),
    WithJsonSchema({"type": "string", "pattern": _INTERFACE_PATTERN}),
]
"""A network interface of a host, by the kernel's name (at most 15 characters), or none."""


def _or_none(value: object) -> object:
    return None if as_written(value) == "none" else value


HostAddress = Annotated[
    Address | None,
    BeforeValidator(_or_none, json_schema_input_type=Address | Literal["none"]),
]
"""An address of the host, or none."""


class Route(Part):
    """Where machines of a network may begin connections to; what answers them comes back."""

    to: NetworkName = Field(
        description=f"Another network of the facility, or `{HOST}`: programs of this host.",
        examples=["services"],
    )
    ports: tuple[AnyPort, ...] = Field(
        default=(),
        description=f"The ports that it leads to; without any, all. Needed with `to: {HOST}`.",
        examples=[["3306/tcp"]],
    )


class Network(Part):
    """A virtual bridge that machines are on; the host stands on it too, unless it has an uplink."""

    subnet: Subnet = Field(
        description="The subnet, with its prefix length.", examples=["10.61.2.0/24"]
    )
    uplink: Interface = Field(
        default=None,
        description="The NIC or the bridge of the host by which it is part of the site's network, "
        "whose subnet it has then. Without it, the network is this host's alone.",
        examples=["eth1"],
    )
    host_address: HostAddress = Field(
        default_factory=_hosts_own,
        description="The address of the host itself on the network, or none; without it, the "
        "first, or none with an uplink.",
        examples=["10.61.2.1"],
    )
    gateway: Address | None = Field(
        default_factory=_host_as_router,
        description="The router that machines use; without it, the host, or none with an uplink.",
        examples=["10.61.2.254"],
    )
    desk_address: Address = Field(
        default_factory=_next_address,
        description="The address of the network's desk; without it, the next free one. Needed "
        "with an uplink.",
        examples=["10.61.2.2"],
    )
    access: Subnet | None = Field(
        default=None,
        description="A subnet of this host alone by which its clients reach the network, address "
        "by address, where the host has no address on it: as large, and it needs `gateway`. So "
        "`linacre sandbox create` writes it.",
        examples=["10.201.7.0/24"],
    )
    routes: tuple[Route, ...] = Field(
        default=(),
        description="Where its machines may begin connections to, beyond the network itself. "
        "Without any, networks are apart.",
        examples=[[{"to": "services", "ports": ["3306/tcp"]}]],
    )
    description: Line = Field(
        default="", description="What the network is for, in a line.", examples=["Operations"]
    )
