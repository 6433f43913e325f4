"""Making the catalogue anew from the engine: the present comes back, the past does not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from linacre.base.errors import LinacreError
from linacre.base.tasks import TaskListener
from linacre.operations.history.present import Missed, told_missed
from linacre.operations.history.recording import Recorder
from linacre.session.lock import FacilityLock
from linacre.session.session import Session

if TYPE_CHECKING:
    from linacre.catalogue.inventory import Inventory

_VERB = "catalogue rebuild"


@dataclass(frozen=True)
class Rebuilt:
    """What the catalogue holds after it was made anew."""

    machines: int
    iocs: int
    records: int
    states: int
    tasks: int
    """Those from before; 0 where history was lost, or had not begun."""
    set_aside: Path | None
    """Where a damaged catalogue was moved; None where there was none."""
    missed: list[Missed] = field(default_factory=list[Missed])
    """The IOCs that are not in it as they are in their machines."""


class _NotAllError(LinacreError):
    """Some IOCs were not brought up to date."""

    def __init__(self, missed: list[Missed]) -> None:
        super().__init__(told_missed(missed))
        self.missed = missed


class _Rebuilding(Recorder):
    async def ended(self, inventory: Inventory) -> None:
        """Write what there is now; what goes wrong is how the task went."""
        if missed := await self.write_present(inventory):
            raise _NotAllError(missed)


async def rebuild(session: Session, *, listener: TaskListener | None = None) -> Rebuilt:
    """Write into the catalogue what the engine has now; history that is there stays.

    A damaged SQLite file is moved aside first. An IOC that cannot be read keeps none of the
    others from it. Raises `LinacreError` where the facility is not up, or its catalogue cannot be
    reached.
    """
    lock = FacilityLock(session.paths, command=_VERB, clock=session.clock)
    async with lock, session.engine_up():
        aside = await asyncio.to_thread(_set_aside_if_damaged, session)
        iocs = tuple(session.declaration.facility.iocs)
        recorder = _Rebuilding(session, _VERB, moved=iocs, note="found in its machine")
        steps = [("read", "read machines, IOCs and records from the engine")]
        missed: list[Missed] = []
        try:
            async with session.task(
                _VERB, steps=steps, listener=listener, recorder=recorder
            ) as task:
                await task.step_started("read")
                await task.step_done("read")
        except _NotAllError as error:
            missed = error.missed
        return await _told(session, aside, missed)


def _set_aside_if_damaged(session: Session) -> Path | None:
    from linacre.catalogue.rescue import is_damaged, set_aside

    place = session.catalogue_place
    if not isinstance(place, Path) or not place.exists() or not is_damaged(place):
        return None
    return set_aside(place)


async def _told(session: Session, aside: Path | None, missed: list[Missed]) -> Rebuilt:
    async with session.catalogue_open() as catalogue:
        inventory = catalogue.inventory(session.name)
        iocs = await inventory.iocs()
        return Rebuilt(
            machines=len(await inventory.machines()),
            iocs=len(iocs),
            records=sum([len(await inventory.records(each.name)) for each in iocs]),
            states=sum([len(await inventory.states(each.name)) for each in iocs]),
            tasks=len(await catalogue.tasks(1_000_000, facility=session.name)) - 1,
            set_aside=aside,
            missed=missed,
        )
