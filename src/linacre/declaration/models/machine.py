"""What everything says alike that has a machine of its own, whatever its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from linacre.declaration.models import fields
from linacre.declaration.models.part import Part
from linacre.declaration.models.settings import HoldOff, LimitSettings, LogSettings
from linacre.declaration.models.values import Address, Line, Name, NetworkName, Seconds

if TYPE_CHECKING:
    from linacre.documents.document import Problem


class DeclaredMachine(Protocol):
    """An entry of a section: a program that runs under procServ in a machine of its own."""

    @property
    def address(self) -> IPv4Address:
        """The address of its machine."""
        ...

    @property
    def network(self) -> str | None:
        """The network its machine is on; `load` settles it."""
        ...

    @property
    def host(self) -> str | None:
        """The host its machine runs on; None leaves it to the engine."""
        ...

    @property
    def description(self) -> str:
        """What it is for."""
        ...

    @property
    def owner(self) -> str:
        """Who answers for it."""
        ...

    @property
    def area(self) -> str:
        """The part of the machine it serves."""
        ...

    @property
    def after(self) -> tuple[str, ...]:
        """What must run before it starts."""
        ...

    @property
    def limits(self) -> LimitSettings:
        """Ceilings on what its machine may use."""
        ...

    @property
    def hold_off(self) -> Seconds:
        """Shortest time from one start of its program to the next."""
        ...

    @property
    def log(self) -> LogSettings:
        """The rotated log of its program."""
        ...


class ProgramPart(Part):
    """What a kind says at least of one of its programs: a `DeclaredMachine` to go on from."""

    address: Address = fields.address("10.61.2.81")
    network: NetworkName | None = fields.network()
    host: Name | None = fields.host()
    description: Line = fields.text("What it is for, in a line.", "Gauges of the S02 girders")
    owner: Line = fields.text("Who answers for it.", "computing")
    area: Line = fields.area()
    after: tuple[str, ...] = fields.after()
    limits: LimitSettings = fields.limits({"memory": "512MiB"})
    hold_off: HoldOff = fields.hold_off("its program")
    log: LogSettings = fields.log("what its program prints")


@dataclass(frozen=True, eq=False)
class Section:
    """A section of the facility file: what has a machine of one kind, by name."""

    key: str
    """The section in the file, such as `iocs`."""
    noun: str
    """What one entry is called."""
    model: Any
    """The pydantic type of an entry, which is a `DeclaredMachine`."""
    description: str = ""
    """What the section holds, for the reference and editors."""
    example: Any = None
    """A mapping with one entry as it may stand in the file."""
    is_of_processes: bool = True
    """Whether an engine without containers makes machines of it too."""
    check: Callable[[str, Any, Path], Iterator[Problem]] | None = None
    """Yields what of an entry does not fit the files beside the facility file in a folder."""

    @property
    def article(self) -> str:
        """The indefinite article of its noun."""
        return "an" if self.noun[0] in "AEIOUaeio" else "a"

    @property
    def one(self) -> str:
        """Its noun with the article: `an IOC`."""
        return f"{self.article} {self.noun}"
