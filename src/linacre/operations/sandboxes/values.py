"""The set points of a sandbox: those of its facility, now or at a time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from linacre.base.errors import LinacreError
from linacre.base.listing import counted, listed
from linacre.engines.base import Engine, MachineState
from linacre.kinds.archiver.http import ask
from linacre.kinds.ioc.set_points import (
    Value,
    read_set_points,
    set_points,
    write_set_points,
)
from linacre.session.session import Session

_LIMIT_S = 60.0
_MOST = 100_000
_AT_ONCE = 200
"""PVs in one question to an archiver: they stand in its URL."""

Values = Mapping[str, Mapping[str, Value]]
"""Set points by network and name."""


@dataclass(frozen=True)
class SetPoints:
    """What set points there are, by network, and what of them is known."""

    names: Mapping[str, tuple[str, ...]]
    values: Values


async def set_points_of(
    session: Session, engine: Engine, iocs: Collection[str], *, at: float | None
) -> SetPoints:
    """Return the set points of IOCs as they are now, or as archivers have them of a time."""
    names = await names_of(session, iocs)
    found: dict[str, Mapping[str, Value]] = {}
    for network, each in names.items():
        try:
            found[network] = (
                await read_set_points(session, engine, network, each)
                if at is None
                else await _archived(session, engine, each, at)
            )
        except LinacreError as error:
            session.say(f"the set points on {network} are not copied: {error}")
    return SetPoints(names, found)


async def names_of(session: Session, iocs: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return the set points of IOCs by network, as the catalogue has them."""
    found: dict[str, tuple[str, ...]] = {}
    async with session.catalogue_open() as catalogue:
        inventory = catalogue.inventory(session.name)
        for name in sorted({*iocs} & session.declaration.facility.iocs.keys()):
            network = session.declaration.facility.network_of(name)
            own = set_points(await inventory.records(name))
            found[network] = (*found.get(network, ()), *own)
    return found


async def _archived(
    session: Session, engine: Engine, names: tuple[str, ...], at: float
) -> dict[str, Value]:
    """Return what the archivers that run have of PVs at a time."""
    found: dict[str, Value] = {}
    machines = await session.machines(session.declaration.facility.archivers)
    for archiver, machine in machines.items():
        if machine.state is not MachineState.RUNNING:
            continue
        try:
            found = await _last_values(engine, archiver, names, at) | found
        except LinacreError as error:
            session.say(f"{archiver} is not asked for set points: {error}")
    return found


async def _last_values(
    engine: Engine, archiver: str, names: Collection[str], at: float
) -> dict[str, Value]:
    """Return what one archiver has of PVs at a time."""
    found: dict[str, Value] = {}
    listing = await ask(engine, archiver, f"names?limit={_MOST}", limit_s=_LIMIT_S)
    known = sorted({*names}.intersection(listing["pvs"]))
    for start in range(0, len(known), _AT_ONCE):
        pvs = [("pv", name) for name in known[start : start + _AT_ONCE]]
        query = urlencode([*pvs, ("at", str(int(at * 1e9))), ("elements", "1000")])
        for each in await ask(engine, archiver, f"last?{query}", limit_s=_LIMIT_S):
            if each["value"] is not None:
                found[each["pv"]] = each["value"]
    return found


async def set_in(sandbox: Session, wanted: SetPoints) -> None:
    """Bring the set points of a sandbox to what is wanted, and say what could not be."""
    async with sandbox.engine_up() as engine:
        for network, values in wanted.values.items():
            present = await read_set_points(sandbox, engine, network, list(values))
            other = {n: v for n, v in values.items() if n in present and present[n] != v}
            refused = await write_set_points(sandbox, engine, network, other)
            _tell(sandbox, wanted.names[network], values, present, refused, other)


def _tell(
    sandbox: Session,
    names: Collection[str],
    values: Mapping[str, Value],
    present: Mapping[str, Value],
    refused: Mapping[str, str],
    other: Mapping[str, Value],
) -> None:
    right = counted(len(present) - len(refused), "set point")
    sandbox.say(f"{right} as wanted, {len(other) - len(refused)} of them set just now")
    if unknown := sorted(set(names) - values.keys()):
        sandbox.say(f"not known, left as the IOC starts: {listed(unknown)}")
    for name, why in refused.items():
        sandbox.say(f"{name} is not taken: {why}")
