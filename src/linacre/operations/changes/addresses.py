"""The network and the address of a new IOC."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address

from linacre.base.errors import UserError
from linacre.declaration.check_addresses import address_advice, free_address
from linacre.declaration.models import Facility, Network
from linacre.documents.quoting import nearest, one_of, quoted
from linacre.engines.base import Machine
from linacre.engines.labels import ADDRESS
from linacre.engines.process.addresses import check_distinct
from linacre.session.session import Session


def choose_network(facility: Facility, wanted: str | None, address: IPv4Address | None) -> str:
    """Return the network for a new IOC; raises `UserError` where it is not clear which."""
    names = [*facility.networks]
    if wanted is not None:
        if wanted not in names:
            advice = nearest(wanted, names) or one_of(names)
            raise UserError(f"there is no network {quoted(wanted)}; write {advice}")
        return wanted
    if (default := facility.defaults.ioc.network) is not None:
        return default
    if len(names) == 1:
        return names[0]
    fitting = [n for n in names if address is not None and address in facility.networks[n].subnet]
    if fitting:
        return fitting[0]
    raise UserError(f"the facility has {len(names)} networks; write --network {one_of(names)}")


def read_address(given: str | None) -> IPv4Address | None:
    """Return the address that was typed; raises `UserError` for what is none."""
    try:
        return None if given is None else IPv4Address(given)
    except ValueError:
        raise UserError(
            f"--address {quoted(given)} is not an IPv4 address; write one like 10.61.2.11"
        ) from None


def choose_address(
    session: Session,
    network_name: str,
    wanted: IPv4Address | None,
    machines: Mapping[str, Machine],
) -> IPv4Address:
    """Return the address for a new IOC: the wanted one, or the next that nothing has.

    Raises `UserError` where a machine that is not declared holds it, or none is free.
    """
    facility = session.declaration.facility
    network = facility.networks[network_name]
    held = {
        IPv4Address(address): name
        for name, machine in machines.items()
        if name not in facility.programs and (address := machine.labels.get(ADDRESS))
    }
    if wanted is not None:
        if (holder := held.get(wanted)) is not None and not _is_declared(facility, wanted):
            raise UserError(
                f"{wanted} is held by the machine {holder}, which is not declared; "
                f"{address_advice(facility, network)}"
            )
        return wanted
    if network.uplink is not None:
        raise UserError(
            f"{network_name} is the site's network, where no address can be taken for free; "
            "write --address"
        )
    return _next(session, network_name, network, set(held))


def _is_declared(facility: Facility, address: IPv4Address) -> bool:
    """Whether the file has the address: what is wrong then, the loader says better."""
    return any(each.address == address for each in facility.programs.values())


def _next(session: Session, name: str, network: Network, held: set[IPv4Address]) -> IPv4Address:
    facility = session.declaration.facility
    others = {each: program.address for each, program in facility.programs.items()}
    while (found := free_address(facility, network, held=held)) is not None:
        try:
            if session.engine.name == "process":
                check_distinct("", found, others)
        except UserError:
            held.add(found)
        else:
            return found
    raise UserError(f"{name} ({network.subnet}) has no free address; widen its subnet")
