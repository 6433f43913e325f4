"""What is to be, given the machines that there are: twins and promoted machines are left alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Interface

from linacre.declaration.names import twins_network
from linacre.engines.base import Machine, MachineSpec, Payload
from linacre.engines.labels import ADDRESS, DECLARED_DIGEST, IMAGE, NETWORK, PROGRAM_DIGEST
from linacre.kinds.registry import KINDS, Kinds
from linacre.planning.specs import Declared
from linacre.session.roles import Pair, pairs


@dataclass(frozen=True)
class TwinOverrides:
    """A declaration settled with the machines that are found."""

    declared: Declared
    pairs: Mapping[str, Pair]
    """The machines of each declared IOC."""
    held: tuple[str, ...]
    """IOCs whose one machine keeps the files of a twin that was promoted."""


def as_found(machine: Machine, kinds: Kinds = KINDS) -> MachineSpec:
    """Return the spec of a machine that stays as it is: nothing of it differs from what is found.

    It can be started, and nothing else.
    """
    return MachineSpec(
        name=machine.name,
        kind=machine.kind,
        network=machine.labels.get(NETWORK, ""),
        address=IPv4Interface(machine.labels.get(ADDRESS) or "0.0.0.0"),
        gateway=None,
        mac="",
        image=machine.labels.get(IMAGE) or None,
        payload=Payload(),
        traits=kinds.of(machine).traits,
        labels=machine.labels,
    )


def is_held(spec: MachineSpec, machine: Machine | None) -> bool:
    """Tell whether a machine keeps other files than those declared, until these change."""
    if machine is None:
        return False
    declared, running = spec.labels[PROGRAM_DIGEST], machine.labels.get(PROGRAM_DIGEST)
    return running != declared and machine.labels.get(DECLARED_DIGEST) == declared


def override_twins(
    declared: Declared, machines: Mapping[str, Machine], record: Mapping[str, str]
) -> TwinOverrides:
    """Return what is to be, in terms of the machines that are found."""
    found = pairs(declared.iocs, machines, record)
    kinds = declared.kinds
    desks = [spec for spec in declared.machines if kinds.of(spec).is_of_network]
    specs: list[MachineSpec] = []
    held: list[str] = []
    after: dict[str, tuple[str, ...]] = {}
    for ioc, pair in found.items():
        spec, live = declared.iocs[ioc], machines.get(pair.live)
        if pair.twin is not None:
            specs += [as_found(machines[name], kinds) for name in pair.names]
        elif live is not None and is_held(spec, live):
            held.append(ioc)
            specs.append(as_found(live, kinds))
        else:
            specs.append(replace(spec, name=pair.live))
        after |= dict.fromkeys(pair.names, _live(declared.after[ioc], found))
    for spec in declared.machines:
        if kinds.of(spec).stands_alone:
            specs.append(spec)
            after[spec.name] = _live(declared.after[spec.name], found)
    with_twin = {declared.iocs[pair.ioc].network for pair in found.values() if pair.twin}
    desks += _desks_of_twins(machines, kinds, networks=with_twin)
    overridden = replace(declared, machines=(*specs, *desks), after=after)
    return TwinOverrides(overridden, found, tuple(held))


def _live(waits: Collection[str], found: Mapping[str, Pair]) -> tuple[str, ...]:
    """Return the machines of IOCs and services: a service has one, of its name."""
    return tuple(found[name].live if name in found else name for name in waits)


def _desks_of_twins(
    machines: Mapping[str, Machine], kinds: Kinds, *, networks: Collection[str]
) -> list[MachineSpec]:
    sandboxes = {twins_network(network) for network in networks}
    return [
        as_found(machine, kinds)
        for machine in machines.values()
        if kinds.of(machine).is_of_network and machine.labels.get(NETWORK) in sandboxes
    ]
