"""What a facility is made of, as it was last seen, and what each IOC was before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from linacre.catalogue.database import Database
from linacre.catalogue.model import (
    Duplicate,
    IocEntry,
    MachineEntry,
    Match,
    NewState,
    RecordEntry,
    State,
)


class Inventory:
    """The machines, IOCs, records and states of one facility in a catalogue."""

    def __init__(self, database: Database, *, facility: str) -> None:
        self._database = database
        self._facility = facility

    async def set_machines(self, machines: Iterable[MachineEntry]) -> None:
        """Replace the machines by these."""
        raise NotImplementedError

    async def machines(self) -> list[MachineEntry]:
        """Return the machines by name."""
        raise NotImplementedError

    async def set_iocs(self, iocs: Iterable[IocEntry]) -> None:
        """Make these the IOCs there are; one that is gone keeps its history, not its records."""
        raise NotImplementedError

    async def iocs(self) -> list[IocEntry]:
        """Return the IOCs that there are, by name."""
        raise NotImplementedError

    async def set_records(self, ioc: str, records: Sequence[RecordEntry]) -> None:
        """Replace the records of an IOC by these; does nothing where they are the same."""
        raise NotImplementedError

    async def records(self, ioc: str) -> list[RecordEntry]:
        """Return the records of an IOC by name."""
        raise NotImplementedError

    async def rename_ioc(self, old: str, new: str) -> None:
        """Give an IOC, its records and its history another name."""
        raise NotImplementedError

    async def add_state(self, state: NewState) -> State:
        """Add a state to an IOC's history and return it with its number."""
        raise NotImplementedError

    async def states(self, ioc: str) -> list[State]:
        """Return an IOC's history, oldest first."""
        raise NotImplementedError

    async def find(self, pattern: str, *, limit: int = 1000) -> list[Match]:
        """Return PVs and IOCs whose name, owner or area match a pattern with `*`, `?` and `[]`."""
        raise NotImplementedError

    async def duplicates(self) -> list[Duplicate]:
        """Return the PVs that more than one IOC serves, by name."""
        raise NotImplementedError
