"""What an engine keeps for us: the labels of machines, and entries of the facility's record."""

from __future__ import annotations

from collections.abc import Mapping

from linacre.engines.model import NetworkSpec

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


def kept_key(archiver: str) -> str:
    """Return the entry of the facility's record that says that a deleted archiver's data stay."""
    return f"kept.{archiver}"


_NETWORK = "network."


def network_record(network: NetworkSpec) -> tuple[str, str]:
    """Return the entry of the facility's record that says what a network was made as."""
    words = [str(network.subnet), str(network.host_address or "-"), network.uplink or ""]
    return f"{_NETWORK}{network.name}", " ".join(words).strip()


def recorded_uplinks(record: Mapping[str, str]) -> dict[str, str | None]:
    """Return the networks of which a facility's record tells, each with its uplink."""
    found: dict[str, str | None] = {}
    for key, value in record.items():
        if key.startswith(_NETWORK):
            words = value.split()
            found[key.removeprefix(_NETWORK)] = words[2] if len(words) > 2 else None
    return found
