"""What must fit between the addresses of a facility file: of its networks, desks and machines."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from ipaddress import IPv4Address

from linacre.base.errors import UserError
from linacre.declaration.models import HOST, Facility, Network, ProcessEngine, Route, desk_name
from linacre.documents.document import Problem
from linacre.engines.process.addresses import check_distinct


def check_addresses(facility: Facility) -> Iterator[Problem]:
    """Yield what does not fit: subnets, uplinks, and each address in its network."""
    yield from _networks(facility)
    yield from _routes(facility)
    yield from _addresses(facility)
    yield from _loopback(facility)


def free_address(
    facility: Facility, network: Network, *, held: Collection[IPv4Address] = ()
) -> IPv4Address | None:
    """Return an address of a network that nothing has; from the eleventh on, if it has so many.

    `held` are taken too, by what is not declared.
    """
    taken = {each.address for each in facility.programs.values()} | {*held}
    taken |= {network.host_address, network.gateway, network.desk_address}
    size = min(network.subnet.num_addresses, 4096)
    order = [*range(min(11, size - 2), size - 1), *range(1, min(11, size - 2))]
    return next((network.subnet[n] for n in order if network.subnet[n] not in taken), None)


def address_advice(facility: Facility, network: Network) -> str:
    """Return what to write instead of an address that is wrong."""
    free = free_address(facility, network)
    return f"write one of {network.subnet}" + (f", such as {free}" if free else "")


def _networks(facility: Facility) -> Iterator[Problem]:
    seen: dict[str, Network] = {}
    for name, network in facility.networks.items():
        path = ("networks", name, "subnet")
        for other, earlier in seen.items():
            if network.subnet.overlaps(earlier.subnet):
                yield Problem(
                    path,
                    f"{network.subnet} overlaps network {other} ({earlier.subnet}); "
                    "write a subnet of its own",
                )
        seen[name] = network
        yield from _network_addresses(name, network, facility)
    yield from _uplinks(facility)


def _network_addresses(name: str, network: Network, facility: Facility) -> Iterator[Problem]:
    path, advice = ("networks", name), address_advice(facility, network)
    own = {"host_address": network.host_address}
    if network.gateway != network.host_address:
        own["gateway"] = network.gateway
    if needs_desk_address(network):
        message = f"missing; with an uplink, write one of {network.subnet} that the site keeps free"
        yield Problem((*path, "desk_address"), message)
    else:
        own["desk_address"] = network.desk_address
    for key, address in own.items():
        if address is not None and (wrong := _unfit(address, network)) is not None:
            yield Problem((*path, key), f"{address} {wrong}; {advice}")
    if network.access is not None:
        yield from _access(name, network, facility)
    for key, whose in (("host_address", "the host's"), ("gateway", "the gateway's")):
        if own.get(key) is not None and own[key] == own.get("desk_address"):
            message = f"{network.desk_address} is also {whose}; {advice}"
            yield Problem((*path, "desk_address"), message)
            return


def _access(name: str, network: Network, facility: Facility) -> Iterator[Problem]:
    path, access = ("networks", name, "access"), network.access
    assert access is not None
    if network.host_address is not None or network.uplink is not None:
        yield Problem(path, "the host is on this network; write host_address: none, or no access")
    elif network.gateway is None:
        yield Problem(path, "missing beside it: gateway, the address that stands for the host's")
    if access.prefixlen != network.subnet.prefixlen:
        yield Problem(path, f"{access} is not as large as {network.subnet}; write one that is")
    for other, its in facility.networks.items():
        taken = [its.subnet, *([its.access] if its.access and other < name else [])]
        if any(access.overlaps(each) for each in taken):
            yield Problem(path, f"{access} overlaps network {other}; write a subnet of its own")


def needs_desk_address(network: Network) -> bool:
    """Tell whether a network lacks its desk's address: on the site's, none can be assumed free."""
    return network.uplink is not None and "desk_address" not in network.model_fields_set


def _uplinks(facility: Facility) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for name, network in facility.networks.items():
        if network.uplink is None:
            continue
        if (other := seen.setdefault(network.uplink, name)) != name:
            message = f"{network.uplink} is the uplink of network {other}; write another, or none"
            yield Problem(("networks", name, "uplink"), message)


def _routes(facility: Facility) -> Iterator[Problem]:
    for name, network in facility.networks.items():
        for place, route in enumerate(network.routes):
            if (wrong := _no_way(facility, name, route)) is not None:
                yield Problem(("networks", name, "routes", place, "to"), wrong)


def _no_way(facility: Facility, name: str, route: Route) -> str | None:
    """Return why a network's route cannot be, or None; one to an unknown network is told of."""
    networks = facility.networks
    if route.to == HOST:
        if HOST in networks:
            return f"{HOST} is this host here; give the network {HOST} another name"
        if networks[name].host_address is None:
            return f"the host has no address on {name}; write host_address, or remove the route"
        return None if route.ports else "missing beside it: ports, those of the host's programs"
    if route.to == name:
        return f"machines on {name} reach one another; remove the route"
    for end in (name, route.to):
        if end in networks and networks[end].gateway != (networks[end].host_address or ()):
            router = networks[end].gateway or "no router"
            return f"machines on {end} use {router}, not the host, which alone leads to {route.to}"
    return None


def _unfit(address: IPv4Address, network: Network) -> str | None:
    """Return why an address cannot be a machine's on a network, or None."""
    if address not in network.subnet:
        return f"is outside {network.subnet}"
    if address == network.subnet.network_address:
        return f"is the network address of {network.subnet}"
    if address == network.subnet.broadcast_address:
        return f"is the broadcast address of {network.subnet}"
    return None


def _addresses(facility: Facility) -> Iterator[Problem]:
    owners: dict[IPv4Address, str] = {}
    for name, network in facility.networks.items():
        if network.gateway is not None:
            owners[network.gateway] = f"the gateway of network {name}"
        if network.host_address is not None:
            owners[network.host_address] = f"the host on network {name}"
        if not needs_desk_address(network):
            owners[network.desk_address] = f"{desk_name(name)}, the desk of network {name}"
    for section, name, each in facility.machines():
        network = facility.networks.get(each.network or "")
        wrong = _unfit(each.address, network) if network else None
        if wrong is None and (owner := owners.get(each.address)):
            wrong = f"is also the address of {owner}"
        if wrong is not None:
            advice = address_advice(facility, network) if network else "write another"
            yield Problem((section.key, name, "address"), f"{each.address} {wrong}; {advice}")
        owners.setdefault(each.address, name)


def _loopback(facility: Facility) -> Iterator[Problem]:
    if not isinstance(facility.engine, ProcessEngine):
        return
    earlier: dict[str, IPv4Address] = {}
    for section, name, each in facility.machines():
        # Two of one address are told of already.
        if not section.is_of_processes or each.address in earlier.values():
            continue
        try:
            check_distinct(name, each.address, earlier)
        except UserError as error:
            yield Problem((section.key, name, "address"), str(error))
        else:
            earlier[name] = each.address
