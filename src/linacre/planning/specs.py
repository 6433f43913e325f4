"""From the declaration to machines: what all that is declared is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Network

from linacre.base.errors import UserError
from linacre.base.paths import FacilityPaths
from linacre.declaration.load import Declaration
from linacre.declaration.models import HOST, Facility
from linacre.engines.base import Capability, Engine, MachineSpec, NetworkSpec, Way, require
from linacre.engines.model import Access
from linacre.kinds.maker import Maker, Names
from linacre.kinds.registry import KINDS, Kinds


@dataclass(frozen=True)
class Declared:
    """A declared facility as an engine will make it."""

    networks: tuple[NetworkSpec, ...]
    machines: tuple[MachineSpec, ...]
    after: Mapping[str, tuple[str, ...]]
    """For each machine in which a program runs, those that must run before it."""
    iocs: Mapping[str, MachineSpec]
    """For each IOC, the machine that it would be if it were made now from its declaration."""
    left_out: tuple[str, ...] = ()
    """What is optional and the engine cannot run."""
    kinds: Kinds = field(default=KINDS, compare=False)
    """The kinds of machine that there are."""

    def machine(self, name: str) -> MachineSpec:
        """Return one machine; `KeyError` where it is not declared."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, MachineSpec]:
        return {spec.name: spec for spec in self.machines}


async def declared_facility(
    declaration: Declaration,
    *,
    engine: Engine,
    paths: FacilityPaths,
    image: str | None,
    names: Names | None = None,
    kinds: Kinds = KINDS,
    only: frozenset[str] | None = None,
) -> Declared:
    """Return the networks and machines of a declaration.

    `names` are the PVs that the patterns in it mean. With `only`, machines are those of what is
    declared under these names.

    Raises `UserError` for what cannot be started as declared, `UnsupportedError` for what the
    engine cannot do.
    """
    maker = Maker(declaration, engine, paths, image, names or {}, kinds, only)
    facility = declaration.facility
    networks = tuple(network_spec(facility, name) for name in facility.networks)
    await _check_uplinks(networks, declaration, engine)
    made = {kind.name: await kind.specs(maker) for kind in kinds}
    left_out = tuple(
        name for kind, name, item in kinds.programs(facility) if kind.is_left_out(item, engine)
    )
    return Declared(
        networks=networks,
        machines=tuple(spec for specs in made.values() for spec in specs),
        after={
            name: tuple(earlier for earlier in each.after if earlier not in left_out)
            for name, each in facility.programs.items()
            if name not in left_out
        },
        iocs={spec.name: spec for kind in kinds if kind.has_twins for spec in made[kind.name]},
        left_out=left_out,
        kinds=kinds,
    )


async def _check_uplinks(
    networks: tuple[NetworkSpec, ...], declaration: Declaration, engine: Engine
) -> None:
    instead = "take uplink out of {}, or use the incus engine on the host that has the interface"
    for network in networks:
        if network.access is not None:
            way = f"take access out of {network.name}, or use the incus engine on this host"
            require(engine, Capability.CABLES, instead=way)
        if network.uplink is None:
            continue
        require(engine, Capability.UPLINK, instead=instead.format(network.name))
        try:
            await engine.check_network(network)
        except UserError as error:
            key = ("networks", network.name, "uplink")
            raise UserError(f"{declaration.where(*key)}: {'.'.join(key)}: {error}") from error


def network_spec(facility: Facility, name: str) -> NetworkSpec:
    """Return a declared network as an engine makes it."""
    networks, network = facility.networks, facility.networks[name]
    ways: list[Way] = []
    for route in network.routes:
        if route.to == HOST and network.host_address is not None:
            ways.append(Way(IPv4Network(network.host_address), route.ports))
        elif route.to in networks:
            ways.append(Way(networks[route.to].subnet, route.ports))
    answers = [
        other.subnet
        for other in networks.values()
        if any(route.to == name for route in other.routes)
    ]
    access = None
    if network.access is not None and network.gateway is not None:
        access = Access(network.access, network.gateway)
    return NetworkSpec(
        name,
        network.subnet,
        network.host_address,
        network.uplink,
        tuple(ways),
        tuple(answers),
        access,
    )
