"""What must fit between the items of a facility file, and between it and the files beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from linacre.declaration.check_addresses import check_addresses
from linacre.declaration.check_files import check_files
from linacre.declaration.document import Problem
from linacre.declaration.models import Archiver, Facility, Ioc, IocDefaults, Service, desk_name
from linacre.declaration.models.quoting import nearest, one_of
from linacre.declaration.names import other_name, twins_network
from linacre.declaration.order import cycles


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
    services: list[str]
    archivers: list[str]

    @property
    def programs(self) -> list[str]:
        """The names of what may be waited for."""
        return [*self.iocs, *self.services, *self.archivers]


def _references(facility: Facility, names: Names) -> Iterator[Problem]:
    default = facility.defaults.ioc
    for name, ioc in facility.iocs.items():
        yield from _of_machine(("iocs", name), ioc, facility, names, default=default)
    for name, service in facility.services.items():
        yield from _of_machine(("services", name), service, facility, names, default=None)
    for name, archiver in facility.archivers.items():
        yield from _of_machine(("archivers", name), archiver, facility, names, default=None)
    base = ("defaults", "ioc")
    if default.network is not None and default.network not in names.networks:
        yield _unknown((*base, "network"), default.network, "network", names.networks)
    if default.host is not None and default.host not in names.hosts:
        yield _unknown((*base, "host"), default.host, "host", names.hosts)


def _of_machine(
    own: tuple[str, str],
    each: Ioc | Service | Archiver,
    facility: Facility,
    names: Names,
    *,
    default: IocDefaults | None,
) -> Iterator[Problem]:
    """Yield the names that one machine gives and that are not there; those of defaults are not."""
    by_default = default or IocDefaults()
    if each.network is None:
        if names.networks:
            yield Problem((*own, "network"), f"missing; {_network_advice(each, facility, names)}")
    elif each.network not in names.networks and each.network != by_default.network:
        yield _unknown((*own, "network"), each.network, "network", names.networks)
    if each.host is not None and each.host not in names.hosts and each.host != by_default.host:
        yield _unknown((*own, "host"), each.host, "host", names.hosts)
    for place, earlier in enumerate(each.after):
        if earlier not in names.programs:
            what = "IOC or service" if names.services else "IOC"
            if names.archivers:
                what = "IOC, service or archiver"
            yield _unknown((*own, "after", place), earlier, what, names.programs)


def _network_advice(each: Ioc | Service | Archiver, facility: Facility, names: Names) -> str:
    fitting = [n for n, net in facility.networks.items() if each.address in net.subnet]
    if fitting:
        return f"write network: {fitting[0]} ({each.address} is in its subnet)"
    return f"write network: {one_of(names.networks)}"


def _unknown(path: tuple[str | int, ...], given: str, what: str, known: list[str]) -> Problem:
    if not known:
        return Problem(path, f"there is no {what} {given}; add it to {what}s, or remove this line")
    meant = nearest(given, known)
    advice = meant if meant else one_of(known[:8])
    return Problem(path, f"there is no {what} {given}; write {advice}")


def _machine_names(facility: Facility) -> Iterator[Problem]:
    sections = {
        "iocs": ("IOC", facility.iocs),
        "services": ("service", facility.services),
        "archivers": ("archiver", facility.archivers),
    }
    for section, (what, names) in sections.items():
        for network in facility.networks:
            if (desk := desk_name(network)) in names:
                message = f"this is the name of the desk of network {network}"
                yield Problem((section, desk), f"{message}; give the {what} another name")
        for ioc in facility.iocs:
            if (twin := other_name(ioc, ioc)) in names:
                message = f"this is the name of the twin of {ioc}"
                yield Problem((section, twin), f"{message}; give the {what} another name")
    for name in facility.services.keys() & facility.iocs.keys():
        message = "this is also the name of an IOC; give the service another name"
        yield Problem(("services", name), message)
    for what, others in (("an IOC", facility.iocs), ("a service", facility.services)):
        for name in facility.archivers.keys() & others.keys():
            message = f"this is also the name of {what}; give the archiver another name"
            yield Problem(("archivers", name), message)
    for network in facility.networks:
        if (sandbox := twins_network(network)) in facility.networks:
            yield Problem(
                ("networks", sandbox),
                f"this is the name of the sandbox of {network}'s twins; give it another name",
            )


def _cycles(facility: Facility) -> Iterator[Problem]:
    after = {name: [*each.after] for name, each in facility.programs.items()}
    for ring in cycles(after):
        shown = " -> ".join(ring)
        message = f"{shown} is a cycle, so none of them can start first; remove one"
        section = "iocs" if ring[0] in facility.iocs else "services"
        section = "archivers" if ring[0] in facility.archivers else section
        yield Problem((section, ring[0], "after"), message)
