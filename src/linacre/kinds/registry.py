"""The kinds of machine that there are: a new one is its folder, and its line here."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from linacre.declaration.models import DeclaredMachine, Facility, Section
from linacre.engines.base import Machine, MachineSpec
from linacre.kinds.archiver.kind import ArchiverKind
from linacre.kinds.desk.kind import DeskKind
from linacre.kinds.ioc.kind import IocKind
from linacre.kinds.kind import AnyKind, Kind
from linacre.kinds.maker import Maker
from linacre.kinds.rows import ProgramRow, Seen, program_row
from linacre.kinds.service.kind import ServiceKind
from linacre.session.session import FacilityHandle, Session


class _UnknownKind(Kind[DeclaredMachine, ProgramRow]):
    """A kind that this Linacre does not know: a newer one made a machine of it."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def spec(self, maker: Maker, name: str, item: DeclaredMachine) -> MachineSpec:
        """Raise `LookupError`: nothing can be declared of it."""
        raise LookupError(name)

    async def row(
        self, session: Session, name: str, item: DeclaredMachine, seen: Seen
    ) -> ProgramRow:
        """Return the row of any program."""
        return program_row(session, name, item, seen)


class Kinds(Collection[AnyKind]):
    """Kinds of machine, in the order in which people are told of them."""

    def __init__(self, *kinds: AnyKind) -> None:
        self._kinds = {kind.name: kind for kind in kinds}

    def __iter__(self) -> Iterator[AnyKind]:
        """Yield every kind."""
        return iter(self._kinds.values())

    def __len__(self) -> int:
        """Return how many kinds there are."""
        return len(self._kinds)

    def __contains__(self, kind: object) -> bool:
        """Tell whether a kind is one of them."""
        return kind in self._kinds.values()

    @property
    def declared(self) -> list[tuple[AnyKind, Section]]:
        """The kinds of which machines are declared, each with its section of the facility file."""
        return [(kind, kind.section) for kind in self if kind.section is not None]

    @property
    def sections(self) -> tuple[Section, ...]:
        """The sections of a facility file."""
        return tuple(section for _, section in self.declared)

    def named(self, name: str) -> AnyKind:
        """Return the kind of a name; one that is not known is taken for any program's."""
        return self._kinds.get(name) or _UnknownKind(name)

    def of(self, machine: Machine | MachineSpec) -> AnyKind:
        """Return the kind of a machine, found or yet to be made."""
        return self.named(machine.kind)

    def programs(self, facility: Facility) -> Iterator[tuple[AnyKind, str, DeclaredMachine]]:
        """Yield all that a facility declares: kind, name and entry."""
        for kind, section in self.declared:
            yield from ((kind, name, item) for name, item in facility.section(section).items())


IOC = IocKind()
SERVICE = ServiceKind()
ARCHIVER = ArchiverKind()
DESK = DeskKind()
KINDS = Kinds(IOC, SERVICE, ARCHIVER, DESK)
"""Every kind of machine."""


def kinds_of(handle: FacilityHandle) -> Kinds:
    """Return the kinds of machine of a facility in hand: all, unless it was opened with others."""
    return handle.kinds if isinstance(handle.kinds, Kinds) else KINDS
