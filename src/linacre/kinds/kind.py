"""A kind of machine: all that the house must know of one, which each says for itself."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from linacre.base.clock import Clock
from linacre.declaration.load import Declaration
from linacre.declaration.models import DeclaredMachine, Facility, Section
from linacre.declaration.names import machine_names
from linacre.engines.base import Capability, Engine, MachineSpec, Traits, require
from linacre.epics.report import IocReport
from linacre.kinds.reports import ioc_report, wait_until_serving
from linacre.kinds.rows import Column, RowT, Seen
from linacre.session.session import Session

if TYPE_CHECKING:
    from linacre.images.recipe import Recipe
    from linacre.kinds.checking.model import Check
    from linacre.kinds.maker import Maker, Names

ItemT = TypeVar("ItemT", bound=DeclaredMachine)

CLIENT_PROCESSES = 10_000
"""What a machine may have whose clients read from all IOCs: libca has two threads for each."""


class Kind(ABC, Generic[ItemT, RowT]):
    """A kind of machine; `ItemT` is what is declared of one, `RowT` what `status` tells of it."""

    name: str
    """Stands in the label of each machine, and is its noun on the command line."""
    section: Section | None = None
    """Where its machines are declared; None for those that a facility has without a word."""
    traits: Traits = Traits()
    has_twins: bool = False
    """Whether it may have a second machine of another name."""
    is_of_network: bool = False
    """Whether each network has one of itself, which comes up before all others."""
    keeps_data: bool = False
    """Whether its data outlive a machine that is removed, under the name that it had."""
    names_addresses: bool = False
    """Whether its files name the addresses of IOCs where none is found by broadcast."""
    told: tuple[str, ...] = ("settings",)
    """What its program is told of while it runs (`Part.RELOADABLE`)."""
    needs: Capability | None = None
    """What an engine must be able to do to run one."""
    look_again_s: float = 0.5
    """How long after a program serves that is to be seen once more (`is_here_to_stay`)."""
    patience: float = 1.0
    """How many times as long as an IOC its program may take to start."""
    columns: tuple[Column[RowT], ...] = ()

    @property
    def noun(self) -> str:
        """What one is called."""
        return self.name if self.section is None else self.section.noun

    @property
    def stands_alone(self) -> bool:
        """Whether it is the one machine of what it runs, under the same name: it has no twin."""
        return not (self.has_twins or self.is_of_network)

    def called(self, name: str) -> str:
        """Return what people call the program in one of its machines."""
        return f"the {self.noun} {name}"

    def command(self, verb: str, name: str, *more: str) -> str:
        """Return a command on one of them."""
        return " ".join(("linacre", self.name, verb, name, *more))

    def machine_names(self, name: str) -> tuple[str, ...]:
        """Return the names that the machines of what is declared may have."""
        return machine_names(name) if self.has_twins else (name,)

    def declared(self, facility: Facility) -> dict[str, ItemT]:
        """Return what a facility declares of this kind, by name."""
        found: Any = {} if self.section is None else facility.section(self.section)
        return found

    # What is laid into one.

    @abstractmethod
    async def spec(self, maker: Maker, name: str, item: ItemT) -> MachineSpec:
        """Return the machine of what is declared under a name."""

    async def specs(self, maker: Maker) -> list[MachineSpec]:
        """Return the wanted machines of a declaration, without those that are left out."""
        self.check_supported(maker.declaration, maker.engine)
        found: list[MachineSpec] = []
        for name, item in self.declared(maker.facility).items():
            if maker.wants(name) and not self.is_left_out(item, maker.engine):
                found.append(await self.spec(maker, name, item))
                # What is asked of the engine meanwhile goes on.
                await asyncio.sleep(0)
        return found

    def check_supported(self, declaration: Declaration, engine: Engine) -> None:
        """Raise `UnsupportedError` where the engine cannot run what must not be left out."""
        for name, item in self.declared(declaration.facility).items():
            if self.needs is None or self.section is None or self.is_optional(item):
                continue
            key = self.section.key
            instead = (
                f"{key}.{name} ({declaration.where(key, name)}) needs the incus engine; with "
                "`optional: true` it is left out where there is none"
            )
            require(engine, self.needs, instead=instead)

    def is_optional(self, item: ItemT) -> bool:
        """Tell whether it is left out where the engine cannot run it."""
        return False

    def is_left_out(self, item: ItemT, engine: Engine) -> bool:
        """Tell whether the engine cannot run what is declared, and it is optional."""
        able = self.needs is None or self.needs in engine.capabilities()
        return not able and self.is_optional(item)

    def patterns(self, item: ItemT, folder: Path) -> tuple[str, ...]:
        """Return the patterns of PVs that the catalogue is asked for; files are beside `folder`."""
        return ()

    def recipe(self, item: ItemT) -> Recipe | None:
        """Return the recipe of its image; None is that of IOCs and desks."""
        return None

    def recipe_on_demand(self) -> Recipe | None:
        """Return the recipe of an image that is wanted before anything of it is declared."""
        return None

    def packages(self, item: ItemT) -> tuple[str, ...]:
        """Return the Debian packages that were asked for, for messages."""
        return ()

    # How it is asked.

    def ports(self, item: ItemT) -> tuple[str, ...] | None:
        """Return the ports on which it serves; None for one that tells itself that it does."""
        return ()

    async def report(
        self,
        engine: Engine,
        name: str,
        address: IPv4Address,
        *,
        clock: Clock,
        hold_off_s: float = 15,
        ports: Collection[str] | None = None,
    ) -> IocReport:
        """Return how the program in one running machine does; no other machine is looked at."""
        return await ioc_report(
            engine, name, address, clock=clock, hold_off_s=hold_off_s, ports=ports
        )

    async def wait_until_serving(
        self,
        engine: Engine,
        name: str,
        address: IPv4Address,
        *,
        clock: Clock,
        limit_s: float,
        ports: Collection[str] | None = None,
    ) -> None:
        """Wait until a program that was just started serves.

        Raises `IocNotBootedError` with the last line of its log where it ends instead, or does
        not serve within the limit, times the kind's patience.
        """
        await wait_until_serving(
            self,
            engine,
            name,
            address,
            clock=clock,
            limit_s=limit_s * self.patience,
            ports=ports,
        )

    async def is_here_to_stay(
        self, engine: Engine, name: str, found: IocReport, before: IocReport | None
    ) -> bool:
        """Tell whether one that serves by its report is through with its start.

        `before` is the report that said so before, if one did. A command may open its ports and
        end at what it does next.
        """
        return before is not None and before.starts == found.starts

    def remedy_for(self, last_words: str, engine: Engine) -> str | None:
        """Return what to do about what a program said when it ended; None where that is unknown."""
        return None

    async def reload(self, engine: Engine, spec: MachineSpec) -> None:
        """Tell a program that runs what it is to be told while it does."""
        raise AssertionError(f"nothing of a machine of the kind {self.name} is reloadable")

    # What is told of it.

    @abstractmethod
    async def row(self, session: Session, name: str, item: ItemT, seen: Seen) -> RowT:
        """Return the row of what is declared, from what was seen of it."""

    def notes(self, name: str, item: ItemT, folder: Path, names: Names) -> Iterator[str]:
        """Yield what `up` and `plan` say of what is declared; files are beside `folder`."""
        yield from ()

    def remarks(self, row: RowT) -> Iterator[str]:
        """Yield what is said of a row below the tables."""
        yield from ()

    def checks(self) -> tuple[Check, ...]:
        """Return what the doctor looks at beside what it looks at in every machine."""
        return ()

    def what_is_lost(self, facility: Facility) -> str | None:
        """Return what a purge of the facility removes, in a line."""
        there = self.declared(facility)
        if not there:
            return None
        return f"{len(there)} {self.noun}s with their data and logs: {', '.join(there)}"


AnyKind = Kind[Any, Any]
"""A kind, whatever is declared of it."""
