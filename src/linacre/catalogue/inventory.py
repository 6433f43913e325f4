"""What a facility is made of, as it was last seen, and what each IOC was before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from linacre.base.clock import Clock
from linacre.catalogue import history, holdings, search, start_errors
from linacre.catalogue.database import Database
from linacre.catalogue.model import (
    Action,
    Duplicate,
    Found,
    IocEntry,
    MachineEntry,
    NewState,
    RecordEntry,
    State,
    ToldErrors,
)

T = TypeVar("T")


class Inventory:
    """The machines, IOCs, records and states of one facility in a catalogue."""

    def __init__(self, database: Database, *, facility: str, clock: Clock) -> None:
        self._database = database
        self._facility = facility
        self._clock = clock

    async def set_machines(self, machines: Iterable[MachineEntry]) -> None:
        """Replace the machines by these."""
        given = sorted(machines, key=lambda each: each.name)
        if given != await self.machines():
            await self._write(partial(holdings.replace_machines, machines=given))

    async def machines(self) -> list[MachineEntry]:
        """Return the machines by name."""
        return await self._read(holdings.select_machines)

    async def set_iocs(self, iocs: Iterable[IocEntry]) -> None:
        """Make these the IOCs there are.

        One that is gone keeps its history, not its records; one that comes back under its name
        goes on with its history.
        """
        given = sorted(iocs, key=lambda each: each.name)
        if given != await self.iocs():
            at = self._clock.now()
            await self._write(partial(holdings.replace_iocs, iocs=given, at=at))

    async def iocs(self) -> list[IocEntry]:
        """Return the IOCs that there are, by name."""
        return await self._read(holdings.select_iocs)

    async def set_records(self, ioc: str, records: Sequence[RecordEntry]) -> None:
        """Replace the records of an IOC by these; does nothing where they are the same.

        Of two of one name the first counts. Raises `LinacreError` where there is no such IOC.
        """
        if not await self._read(partial(holdings.same_records, name=ioc, records=records)):
            await self._write(partial(holdings.replace_records, name=ioc, records=records))

    async def records(self, ioc: str) -> list[RecordEntry]:
        """Return the records of an IOC by name."""
        return await self._read(partial(holdings.select_records, name=ioc))

    async def unread(self) -> set[str]:
        """Return the IOCs whose records were never told."""
        return await self._read(holdings.select_unread)

    async def set_start_errors(self, told: Mapping[str, ToldErrors]) -> None:
        """Keep what the start scripts of these IOCs printed, with the states that they are in.

        Does nothing where the same is kept. An IOC that is not known is left out.
        """
        if await self._read(partial(start_errors.differing, told=told)):
            await self._write(partial(start_errors.replace, told=told))

    async def rename_ioc(self, old: str, new: str) -> None:
        """Give an IOC, its records and its history another name.

        To be called before `set_iocs` tells of the new name. Where an IOC that is gone had the
        name before, their histories stay apart. Raises `UserError` where there is no `old`, or
        a `new` already.
        """
        await self._write(partial(holdings.rename, old=old, new=new))

    async def add_state(self, state: NewState) -> State:
        """Add a state to an IOC's history and return it with its number."""
        return await self._write(partial(history.add_state, new=state))

    async def states(self, ioc: str) -> list[State]:
        """Return an IOC's history, oldest first; that of one that is gone, too."""
        return await self._read(partial(history.select_states, name=ioc))

    async def last_state(self, ioc: str) -> State | None:
        """Return the newest state of an IOC, without reading all that came before it."""
        return await self._read(partial(history.select_last_state, name=ioc))

    async def actions(self, *machines: str) -> list[Action]:
        """Return what tasks did with the machines of an IOC, its own name first; oldest first."""
        return await self._read(partial(history.select_actions, machines=machines))

    async def find(self, pattern: str, *, limit: int = 1000) -> Found:
        """Return IOCs and PVs that match a pattern with `*`, `?` and `[]`.

        A PV matches by its name, upper and lower case apart; an IOC by its name, owner, area,
        device type or an error of its start script, upper and lower case alike. Without a
        wildcard the pattern is a whole name.
        Raises `UserError` for a pattern that is none.
        """
        return await self._read(partial(search.find, said=pattern, limit=limit))

    async def duplicates(self) -> list[Duplicate]:
        """Return the PVs that more than one IOC serves, by name."""
        return await self._read(search.duplicates)

    async def _read(self, query: Callable[..., T]) -> T:
        return await self._database.read(self._here(query))

    async def _write(self, change: Callable[..., T]) -> T:
        return await self._database.write(self._here(change))

    def _here(self, work: Callable[..., T]) -> Callable[[Connection], T]:
        return partial(work, facility=self._facility)
