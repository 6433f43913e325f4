"""What there is of a facility now, read from its engine and written into the catalogue."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from linacre.base.errors import LinacreError
from linacre.base.log import redact_text
from linacre.catalogue.model import IocEntry, MachineEntry, RecordEntry, ToldErrors
from linacre.engines.base import Machine, MachineState
from linacre.engines.labels import ADDRESS, IMAGE, NETWORK, ORIGIN, RUNNING_DIGEST
from linacre.kinds.ioc.start_errors import errors_of_started
from linacre.kinds.reports import listed_pvs
from linacre.operations.history.states import origin_parts
from linacre.session.roles import Pair, ioc_of, pairs
from linacre.session.session import Session

if TYPE_CHECKING:
    from linacre.catalogue.inventory import Inventory

_AT_ONCE = 8


@dataclass(frozen=True)
class Present:
    """What of the present was written."""

    read: Mapping[str, str]
    """The running IOCs that were looked at, by their machines."""
    missed: list[Missed]
    """Those of which the records cannot be had, or not be kept."""


@dataclass(frozen=True)
class Missed:
    """An IOC of which the catalogue could not be brought up to date."""

    ioc: str
    why: str


def told_missed(missed: Sequence[Missed]) -> str:
    """Return which IOCs the catalogue has not as they are."""
    names = sorted({each.ioc for each in missed})
    return f"the catalogue was not brought up to date for {', '.join(names)}"


async def record_present(
    session: Session,
    inventory: Inventory,
    *,
    about: Collection[str] | None = None,
    only: Collection[str] | None = None,
) -> Present:
    """Write the machines, the IOCs and the records of those `about` (all where it is None).

    Those of an IOC of which none were ever written are written too: the command before may have
    been cut short. With `only` the other machines are as they are known to be. The engine is
    open. An IOC that does not serve keeps the records that it had.
    """
    machines, record = await session.found(only)
    found = pairs(session.declaration.facility.iocs, machines, record)
    entries = [*map(_machine_entry, machines.values())]
    there = [pair for pair in found.values() if pair.live in machines]
    iocs = [_ioc_entry(session, pair, machines[pair.live]) for pair in there]
    if only is not None:
        entries += [each for each in await inventory.machines() if each.name not in only]
        known = {each.name for each in iocs}
        iocs += [
            each
            for each in await inventory.iocs()
            if each.name not in known and each.machine not in only
        ]
    await inventory.set_machines(entries)
    await inventory.set_iocs(iocs)
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def read(pair: Pair) -> Missed | None:
        try:
            async with at_once:
                address = session.declaration.facility.iocs[pair.ioc].address
                served = await listed_pvs(session.engine, pair.live, address)
            if served is not None:
                records = [RecordEntry(pv.name, pv.record_type, pv.description) for pv in served]
                await inventory.set_records(pair.ioc, records)
        except LinacreError as error:
            return Missed(pair.ioc, str(error))
        return None

    if about is not None:
        about = {*about, *await inventory.unread()}
    chosen = [p for p in there if about is None or p.ioc in about]
    running = [p for p in chosen if machines[p.live].state is MachineState.RUNNING]
    told = await asyncio.gather(*map(read, running))
    return Present({pair.live: pair.ioc for pair in running}, [each for each in told if each])


async def record_start_errors(
    session: Session, inventory: Inventory, read: Mapping[str, str]
) -> None:
    """Write what the start scripts of these IOCs (by their machines) printed of errors."""
    iocs = session.declaration.facility.iocs
    addresses = {machine: iocs[ioc].address for machine, ioc in read.items()}
    found = await errors_of_started(session.engine, addresses, clock=session.clock)
    # A line of a script may have a password in it.
    told = {
        read[machine]: ToldErrors(errors.count, tuple(map(redact_text, errors.told)))
        for machine, errors in found.items()
    }
    await inventory.set_start_errors(told)


def _machine_entry(machine: Machine) -> MachineEntry:
    return MachineEntry(
        name=machine.name,
        kind=machine.kind,
        ioc=ioc_of(machine) or "",
        network=machine.labels.get(NETWORK, ""),
        address=machine.labels.get(ADDRESS, ""),
        host=machine.host,
        image=machine.labels.get(IMAGE, ""),
    )


def _ioc_entry(session: Session, pair: Pair, machine: Machine) -> IocEntry:
    ioc = session.declaration.facility.iocs[pair.ioc]
    source, revision = origin_parts(machine.labels.get(ORIGIN, ""))
    return IocEntry(
        name=pair.ioc,
        kind=ioc.kind,
        owner=ioc.owner,
        area=ioc.area,
        device_type=ioc.device_type,
        description=ioc.description,
        network=ioc.network or "",
        address=str(ioc.address),
        host=machine.host,
        machine=machine.name,
        source=source,
        revision=revision,
        digest=machine.labels.get(RUNNING_DIGEST, ""),
    )
