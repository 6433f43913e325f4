"""The facility file of a sandbox, from that of its facility."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from linacre.base.errors import UserError
from linacre.declaration.check_addresses import free_address
from linacre.declaration.models import IOCS, Facility, Network
from linacre.documents.block_yaml import block_yaml

_HEAD = """\
# A sandbox of {facility}: a copy of it on networks of its own, with the same names and addresses.
# Made by linacre sandbox create; change it as any facility file, and then run linacre up here.
"""
_MACHINE_BYTES = 192 << 20
"""Room in the pool for what a machine of an IOC writes."""
_IMAGE_BYTES = 1 << 30


@dataclass(frozen=True)
class Chosen:
    """What of a facility is in a sandbox, by section."""

    names: Mapping[str, frozenset[str]]

    def has(self, section: str, name: str) -> bool:
        """Tell whether it has what is declared under a name."""
        return name in self.names.get(section, frozenset())


def chosen(facility: Facility, only: Collection[str], *, without: Collection[str] = ()) -> Chosen:
    """Return what a sandbox has of a facility: all, or what has one of these names or areas.

    `without` are sections that it has nothing of. Raises `UserError` for a word that is neither.
    """
    words, found = set(only), dict[str, set[str]]()
    for section, name, item in facility.machines():
        if section.key not in without and (not words or not words.isdisjoint({name, item.area})):
            found.setdefault(section.key, set()).add(name)
    known = {word for _, name, item in facility.machines() for word in (name, item.area)}
    if wrong := sorted(words - known):
        areas = sorted({item.area for _, _, item in facility.machines()} - {""})
        raise UserError(
            f"{facility.facility} has no IOC and no area {wrong[0]}; its areas: "
            f"{', '.join(areas) or 'none'}; its IOCs: {', '.join(facility.iocs) or 'none'}"
        )
    if not found.get(IOCS.key):
        raise UserError(f"of {facility.facility} there would be no IOC in the sandbox")
    return Chosen({key: frozenset(names) for key, names in found.items()})


def used_networks(facility: Facility, chosen: Chosen) -> dict[str, Network]:
    """Return the networks that machines of a sandbox are on."""
    used = {item.network for s, name, item in facility.machines() if chosen.has(s.key, name)}
    return {name: each for name, each in facility.networks.items() if name in used}


def sandbox_text(
    facility: Facility,
    *,
    name: str,
    access: Mapping[str, IPv4Network],
    entries: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> str:
    """Return the facility file of a sandbox.

    `name` is its own as a facility, `access` the subnets by which its networks are reached, and
    `entries` what it has, by section and name.
    """
    machines = sum(len(each) for each in entries.values())
    images = 1 + sum(len(each) for key, each in entries.items() if key != IOCS.key)
    pool_bytes = _IMAGE_BYTES * images + _MACHINE_BYTES * (machines + len(access))
    data: dict[str, Any] = {
        "facility": name,
        "description": facility.description,
        "engine": {"kind": "incus", "pool_size": f"{pool_bytes >> 20}MiB"},
        "networks": {
            each: _network(facility, facility.networks[each], subnet)
            for each, subnet in access.items()
        },
        "access": facility.access.model_dump(mode="json", exclude_defaults=True),
        "time_servers": [str(each) for each in facility.time_servers],
        **_ordered(entries),
    }
    kept = {key: value for key, value in data.items() if value}
    return _HEAD.format(facility=facility.facility) + "\n" + block_yaml(kept)


def _ordered(entries: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Return entries that start after none but what is in the sandbox too."""
    there = {name for section in entries.values() for name in section}
    return {
        key: {
            name: {**entry, **({"after": [n for n in after if n in there]} if after else {})}
            for name, entry in section.items()
            for after in [entry.get("after")]
        }
        for key, section in entries.items()
    }


def _network(facility: Facility, network: Network, access: IPv4Network) -> dict[str, Any]:
    return {
        "subnet": str(network.subnet),
        "host_address": "none",
        "gateway": str(_gateway(facility, network)),
        "desk_address": str(network.desk_address),
        "access": str(access),
        "description": network.description,
    }


def _gateway(facility: Facility, network: Network) -> IPv4Address:
    """Return the address by which machines know the clients of this host."""
    found = network.gateway or network.host_address or free_address(facility, network)
    if found is None:
        raise UserError(f"{network.subnet} has no address left for the sandbox's gateway")
    return found
