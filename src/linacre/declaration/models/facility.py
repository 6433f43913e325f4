"""The facility file as a whole: what is on its top level."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Annotated, Any, ClassVar, cast

from pydantic import AfterValidator, BeforeValidator, Field, create_model
from pydantic.config import JsonDict

from linacre.declaration.models.access import Access, AutoEngine, Engine
from linacre.declaration.models.archivers import Archiver
from linacre.declaration.models.iocs import Ioc, IocDefaults, with_defaults
from linacre.declaration.models.machine import DeclaredMachine, Section
from linacre.declaration.models.networks import Network
from linacre.declaration.models.part import Part, empty_as_mapping
from linacre.declaration.models.services import Service
from linacre.declaration.models.values import (
    NAME_PATTERN,
    Address,
    FacilityName,
    Line,
    Name,
    NetworkName,
)
from linacre.documents.quoting import quoted


def _database(value: str) -> str:
    scheme, there, rest = value.partition("://")
    if not there or scheme not in ("postgresql", "postgresql+psycopg"):
        raise ValueError(
            f"{quoted(value)} is no URL of a PostgreSQL database; write one like "
            "postgresql://linacre@db1/linacre"
        )
    in_query = re.search(r"[?&](ssl)?password=", rest)
    if in_query or ":" in rest.partition("/")[0].rpartition("@")[0]:
        raise ValueError("a password stands in it; take it out, and put it into ~/.pgpass")
    return value


class DeclaredHost(Part):
    """A computer on which machines run."""

    address: Line | None = Field(
        default=None, description="Its address or name.", examples=["srv1.example.org"]
    )
    url: Line | None = Field(
        default=None, description="Its Incus server.", examples=["https://srv1.example.org:8443"]
    )
    description: Line = Field(
        default="", description="Where it stands, in a line.", examples=["Rack 12"]
    )


_NAMED: JsonDict = {"propertyNames": {"pattern": NAME_PATTERN}}


class Defaults(Part):
    """What holds for all items of a sort unless one says otherwise."""

    ioc: IocDefaults = Field(
        default_factory=IocDefaults,
        description="What holds for every IOC that does not say otherwise.",
        examples=[{"hold_off": "15s"}],
    )


IOCS = Section("iocs", "IOC", Ioc)
SERVICES = Section("services", "service", Service, is_of_processes=False)
ARCHIVERS = Section("archivers", "archiver", Archiver)


class Facility(Part):
    """Everything that comes up and goes down together."""

    sections: ClassVar[tuple[Section, ...]] = (IOCS, SERVICES, ARCHIVERS)
    """Where machines are declared, in the order in which people are told of them."""

    facility: FacilityName = Field(
        description="The facility's name; a sandbox's is FACILITY.SANDBOX.", examples=["clara"]
    )
    description: Line = Field(
        default="", description="What the facility is, in a line.", examples=["CLARA, S02"]
    )
    engine: Engine = Field(
        default=AutoEngine(kind="auto"),
        description="What runs the machines: auto, incus or process, or one with its settings.",
        examples=["auto"],
    )
    autostart: bool = Field(
        default=False,
        strict=True,
        description="Whether `linacre boot`, and so a start of the host, brings it up.",
        examples=[True],
    )
    hosts: dict[Name, Annotated[DeclaredHost, BeforeValidator(empty_as_mapping)]] = Field(
        default_factory=dict,
        description="The hosts that IOCs may be put on, by name. Not needed for one host.",
        examples=[{"srv1": {"description": "Rack 12"}}],
        json_schema_extra=_NAMED,
    )
    networks: dict[NetworkName, Annotated[Network, BeforeValidator(empty_as_mapping)]] = Field(
        description="The networks, by name; at least one.",
        examples=[{"controls": {"subnet": "10.61.2.0/24"}}],
        json_schema_extra=_NAMED,
        min_length=1,
    )
    access: Access = Field(
        default_factory=Access,
        description="Who may log in to the machines.",
        examples=[{"ssh_keys": ["ssh-ed25519 AAAAC3... name"]}],
    )
    catalogue: Annotated[str, AfterValidator(_database)] | None = Field(
        default=None,
        description="The PostgreSQL database that keeps history and search, as a URL without a "
        "password (see docs/reference/catalogue.md); without it, a SQLite file of this host.",
        examples=["postgresql://linacre@db1.example.org/linacre"],
    )
    time_servers: tuple[Address, ...] = Field(
        default=(),
        description="Time servers (NTP) that linacre doctor compares the host's clock with.",
        examples=[["10.61.2.250"]],
    )
    defaults: Defaults = Field(
        default_factory=Defaults,
        description="What holds for all IOCs unless one says otherwise.",
        examples=[{"ioc": {"hold_off": "15s"}}],
    )
    iocs: dict[Name, Ioc] = Field(
        default_factory=dict,
        description="The IOCs, by name; the name is also the name of the machine.",
        examples=[
            {"s02-mag": {"kind": "softioc", "source": "iocs/s02-mag", "address": "10.61.2.11"}}
        ],
        json_schema_extra=_NAMED,
    )
    services: dict[Name, Annotated[Service, BeforeValidator(empty_as_mapping)]] = Field(
        default_factory=dict,
        description="Machines of any other kind, by name: see docs/how-to/services.md.",
        examples=[
            {
                "db": {
                    "packages": ["mariadb-server"],
                    "address": "10.61.2.51",
                    "command": ["mariadbd"],
                }
            }
        ],
        json_schema_extra=_NAMED,
    )

    archivers: dict[Name, Annotated[Archiver, BeforeValidator(empty_as_mapping)]] = Field(
        default_factory=dict,
        description="Archivers, by name: see docs/how-to/archivers.md.",
        examples=[{"drift": {"address": "10.61.2.71", "pvs": ["CLA-S02-*:READI"]}}],
        json_schema_extra=_NAMED,
    )

    def section(self, section: Section) -> dict[str, DeclaredMachine]:
        """Return what a section declares, by name."""
        return cast("dict[str, DeclaredMachine]", getattr(self, section.key))

    def machines(self) -> Iterator[tuple[Section, str, DeclaredMachine]]:
        """Yield all that runs under procServ in a machine of its own: section, name and entry."""
        for section in self.sections:
            yield from ((section, name, each) for name, each in self.section(section).items())

    @property
    def programs(self) -> dict[str, DeclaredMachine]:
        """IOCs, services and archivers: all that runs under procServ in a machine of its own."""
        return {name: each for _, name, each in self.machines()}

    def settled(self, *, networks: Sequence[str] | None = None) -> Facility:
        """Return the facility with the defaults in every IOC, and a network for each machine.

        The network of one that names none is the only one of `networks` (by default the
        facility's), if there is only one.
        """
        names = [*self.networks] if networks is None else networks
        only = names[0] if len(names) == 1 else None
        found: dict[str, dict[str, Any]] = {each.key: {} for each in self.sections}
        for section, name, each in self.machines():
            merged: Any = with_defaults(each, self.defaults.ioc) if section is IOCS else each
            if merged.network is None:
                merged = merged.model_copy(update={"network": only})
            found[section.key][name] = merged
        return self.model_copy(update=found)

    def network_of(self, ioc: str) -> str:
        """Return the name of an IOC's network in a facility that was loaded."""
        network = self.iocs[ioc].network
        if network is None:
            raise ValueError(f"{ioc} has no network; load() settles it")
        return network


@cache
def facility_model(sections: Iterable[Section] = ()) -> type[Facility]:
    """Return the model of a facility file that has these sections too, each after the others."""
    more = tuple(each for each in sections if each not in Facility.sections)
    if not more:
        return Facility
    fields: dict[str, Any] = {
        each.key: (
            dict[Name, Annotated[each.model, BeforeValidator(empty_as_mapping)]],
            Field(
                default_factory=dict,
                description=each.description,
                examples=[] if each.example is None else [each.example],
                json_schema_extra=_NAMED,
            ),
        )
        for each in more
    }
    model = create_model("Facility", __base__=Facility, __doc__=Facility.__doc__, **fields)
    model.sections = (*Facility.sections, *more)
    return model


def desk_name(network: str) -> str:
    """Return the name of a network's desk machine."""
    return f"desk-{network}"
