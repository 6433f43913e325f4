"""What must fit between the items of a facility file, and between it and the files beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from linacre.facility.check_addresses import check_addresses
from linacre.facility.check_files import check_files
from linacre.facility.document import Problem
from linacre.facility.models import Facility, Ioc, desk_name
from linacre.facility.models.telling import nearest, one_of
from linacre.facility.order import cycles
from linacre.facility.roles import other_name, twins_network


def check(facility: Facility, folder: Path, *, names: Names) -> list[Problem]:
    """Return what does not fit together; paths in the file are relative to `folder`.

    `facility` is settled and may lack items that are wrong by themselves; `names` has all.
    """
    return [
        *check_addresses(facility),
        *_references(facility, names),
        *_machine_names(facility),
        *_cycles(facility),
        *check_files(facility, folder),
    ]


@dataclass(frozen=True, kw_only=True)
class Names:
    """The names that the file gives, those of items that are wrong by themselves included."""

    hosts: list[str]
    networks: list[str]
    iocs: list[str]


def _references(facility: Facility, names: Names) -> Iterator[Problem]:
    default = facility.defaults.ioc
    for name, ioc in facility.iocs.items():
        own = ("iocs", name)
        if ioc.network is None:
            if names.networks:
                advice = _network_advice(ioc, facility, names)
                yield Problem((*own, "network"), f"missing; {advice}")
        elif ioc.network not in names.networks and ioc.network != default.network:
            yield _unknown((*own, "network"), ioc.network, "network", names.networks)
        if ioc.host is not None and ioc.host not in names.hosts and ioc.host != default.host:
            yield _unknown((*own, "host"), ioc.host, "host", names.hosts)
        for place, earlier in enumerate(ioc.after):
            if earlier not in names.iocs:
                yield _unknown((*own, "after", place), earlier, "IOC", names.iocs)
    base = ("defaults", "ioc")
    if default.network is not None and default.network not in names.networks:
        yield _unknown((*base, "network"), default.network, "network", names.networks)
    if default.host is not None and default.host not in names.hosts:
        yield _unknown((*base, "host"), default.host, "host", names.hosts)


def _network_advice(ioc: Ioc, facility: Facility, names: Names) -> str:
    fitting = [n for n, net in facility.networks.items() if ioc.address in net.subnet]
    if fitting:
        return f"write network: {fitting[0]} ({ioc.address} is in its subnet)"
    return f"write network: {one_of(names.networks)}"


def _unknown(path: tuple[str | int, ...], given: str, what: str, known: list[str]) -> Problem:
    if not known:
        return Problem(path, f"there is no {what} {given}; add it to {what}s, or remove this line")
    meant = nearest(given, known)
    advice = meant if meant else one_of(known[:8])
    return Problem(path, f"there is no {what} {given}; write {advice}")


def _machine_names(facility: Facility) -> Iterator[Problem]:
    for network in facility.networks:
        if desk_name(network) in facility.iocs:
            yield Problem(
                ("iocs", desk_name(network)),
                f"this is the name of the desk of network {network}; give the IOC another name",
            )
        if (sandbox := twins_network(network)) in facility.networks:
            yield Problem(
                ("networks", sandbox),
                f"this is the name of the sandbox of {network}'s twins; give it another name",
            )
    for ioc in facility.iocs:
        if (twin := other_name(ioc, ioc)) in facility.iocs:
            yield Problem(
                ("iocs", twin),
                f"this is the name of the twin of {ioc}; give the IOC another name",
            )


def _cycles(facility: Facility) -> Iterator[Problem]:
    after = {name: [*ioc.after] for name, ioc in facility.iocs.items()}
    for ring in cycles(after):
        shown = " -> ".join(ring)
        message = f"{shown} is a cycle, so none of them can start first; remove one"
        yield Problem(("iocs", ring[0], "after"), message)
