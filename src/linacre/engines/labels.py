"""What an engine keeps for us: the labels of machines, and entries of the facility's record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network

from linacre.engines.model import Access, NetworkSpec, Way

KIND = "kind"
IOC = "ioc"
"""The IOC that the machine belongs to."""
NETWORK = "network"
"""The network that its cable is in unless it was moved."""
ADDRESS = "address"
AFTER = "after"
"""The IOCs and services that must run before this one starts, parted by spaces."""
PORTS = "ports"
"""The ports that a service listens on, parted by spaces."""
IMAGE = "image"
"""The digest of the image that it was made from."""
ORIGIN = "origin"
"""Where its files came from."""
PROGRAM_DIGEST = "digest.program"
ACCESS_DIGEST = "digest.access"
SETTINGS_DIGEST = "digest.settings"
NIC_DIGEST = "digest.nic"
RELOADABLE_DIGEST = "digest.live"
"""The digest of what an archiver is told of while it runs: its PVs and its end."""
LOADED_DIGEST = "digest.told"
"""The one that it was last told, or started with."""
RUNNING_DIGEST = "digest.running"
"""The digest of the files that the IOC or service was last started with."""
DECLARED_DIGEST = "digest.declared"
"""The digest of the files that were declared when these were laid: other ones, for a twin."""

UNSERVED = "unserved"
"""Which records the IOC did not serve after its last start that its databases declare."""


def kept_key(archiver: str) -> str:
    """Return the entry of the facility's record that says that a deleted archiver's data stay."""
    return f"kept.{archiver}"


_NETWORK, _NOTHING = "network.", "-"


def network_record(network: NetworkSpec) -> tuple[str, str]:
    """Return the entry of the facility's record that says what a network was made as."""
    ways = [",".join(["to", str(way.to), *way.ports]) for way in network.ways]
    more = [f"from,{subnet}" for subnet in network.answers]
    if (access := network.access) is not None:
        more.append(f"by,{access.subnet},{access.gateway}")
    uplink = network.uplink or (_NOTHING if ways or more else "")
    words = [str(network.subnet), str(network.host_address or _NOTHING), uplink, *ways, *more]
    return f"{_NETWORK}{network.name}", " ".join(words).strip()


def recorded_networks(record: Mapping[str, str]) -> Iterator[NetworkSpec]:
    """Yield the networks of which a facility's record tells, as they were made."""
    for key, value in record.items():
        if not key.startswith(_NETWORK):
            continue
        subnet, host, *more = value.split()
        led = [word.split(",") for word in more[1:]]
        yield NetworkSpec(
            key.removeprefix(_NETWORK),
            IPv4Network(subnet),
            None if host == _NOTHING else IPv4Address(host),
            more[0] if more and more[0] != _NOTHING else None,
            tuple(Way(IPv4Network(to), tuple(ports)) for way, to, *ports in led if way == "to"),
            tuple(IPv4Network(subnet) for way, subnet, *_ in led if way == "from"),
            next((_access(*words) for way, *words in led if way == "by"), None),
        )


def _access(subnet: str, gateway: str) -> Access:
    return Access(IPv4Network(subnet), IPv4Address(gateway))


def recorded_uplinks(record: Mapping[str, str]) -> dict[str, str | None]:
    """Return the networks of which a facility's record tells, each with its uplink."""
    return {network.name: network.uplink for network in recorded_networks(record)}
