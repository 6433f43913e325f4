"""What must fit between the items of a facility file, and between it and the files beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from linacre.declaration.check_addresses import check_addresses
from linacre.declaration.check_files import check_files
from linacre.declaration.models import (
    HOST,
    IOCS,
    DeclaredMachine,
    Facility,
    IocDefaults,
    desk_name,
)
from linacre.declaration.names import other_name, twins_network
from linacre.declaration.order import cycles
from linacre.documents.document import Problem
from linacre.documents.quoting import nearest, one_of


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
    of_sections: Mapping[str, list[str]]
    """For each section that declares machines."""

    @property
    def programs(self) -> list[str]:
        """The names of what may be waited for."""
        return [name for names in self.of_sections.values() for name in names]


def _references(facility: Facility, names: Names) -> Iterator[Problem]:
    default = facility.defaults.ioc
    for section, name, each in facility.machines():
        own = default if section is IOCS else None
        yield from _of_machine((section.key, name), each, facility, names, default=own)
    for network, each in facility.networks.items():
        for place, route in enumerate(each.routes):
            if route.to not in (*names.networks, HOST):
                path = ("networks", network, "routes", place, "to")
                yield _unknown(path, route.to, "network", names.networks)
    base = ("defaults", "ioc")
    if default.network is not None and default.network not in names.networks:
        yield _unknown((*base, "network"), default.network, "network", names.networks)
    if default.host is not None and default.host not in names.hosts:
        yield _unknown((*base, "host"), default.host, "host", names.hosts)


def _of_machine(
    own: tuple[str, str],
    each: DeclaredMachine,
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
            what = _what_may_be_waited_for(facility, names)
            yield _unknown((*own, "after", place), earlier, what, names.programs)


def _what_may_be_waited_for(facility: Facility, names: Names) -> str:
    """Return `IOC`, `IOC or service` and so on, up to the last section that is written."""
    nouns = [each.noun for each in facility.sections]
    while len(nouns) > 1 and not names.of_sections[facility.sections[len(nouns) - 1].key]:
        nouns.pop()
    *others, last = nouns
    return f"{', '.join(others)} or {last}" if others else last


def _network_advice(each: DeclaredMachine, facility: Facility, names: Names) -> str:
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
    for place, section in enumerate(facility.sections):
        names, what = facility.section(section), section.noun
        for network in facility.networks:
            if (desk := desk_name(network)) in names:
                message = f"this is the name of the desk of network {network}"
                yield Problem((section.key, desk), f"{message}; give the {what} another name")
        for ioc in facility.iocs:
            if (twin := other_name(ioc, ioc)) in names:
                message = f"this is the name of the twin of {ioc}"
                yield Problem((section.key, twin), f"{message}; give the {what} another name")
        for earlier in facility.sections[:place]:
            for name in names.keys() & facility.section(earlier).keys():
                message = f"this is also the name of {earlier.one}; give the {what} another name"
                yield Problem((section.key, name), message)
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
        section = next(each for each, name, _ in facility.machines() if name == ring[0])
        yield Problem((section.key, ring[0], "after"), message)
