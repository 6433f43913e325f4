"""What is told of every machine in `status`: what was seen of it, a row, and the row's columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from linacre.declaration.models import DeclaredMachine
from linacre.engines.base import Machine
from linacre.epics.report import DOWN, IocReport
from linacre.session.session import Session

LEFT_OUT = "left out"
_UNKNOWN = "-"


class Row(Protocol):
    """What every row tells, a dataclass beside: its fields are what `status --json` has."""

    @property
    def name(self) -> str:
        """What is declared under this name."""
        ...

    @property
    def network(self) -> str:
        """The network that it is declared to be on."""
        ...

    @property
    def cable(self) -> str | None:
        """The network that its cable is in, or `unplugged`; None where there are no cables."""
        ...

    @property
    def green(self) -> bool:
        """Whether all is as it should be."""
        ...


RowT = TypeVar("RowT", bound=Row)


@dataclass(frozen=True)
class Column(Generic[RowT]):
    """A column of the table of a kind's rows."""

    title: str
    key: str
    """The field of the row that it shows; its ending tells the unit, as `uptime_s` does."""
    of: Callable[[RowT], object] | None = None
    """What it shows instead of that field alone."""

    def value(self, row: RowT) -> object:
        """Return what stands in it for a row."""
        return getattr(row, self.key) if self.of is None else self.of(row)


@dataclass(frozen=True)
class Seen:
    """What was seen of something declared: its machine, and how it does."""

    live: str
    """The machine that serves."""
    machine: Machine | None = None
    report: IocReport = DOWN
    files: str = _UNKNOWN
    """How the files in the machine compare with those declared."""
    cable: str | None = None
    """The network that its cable is in, or `unplugged`; None where nothing is known of it."""
    twin: str | None = None
    left_out: bool = False
    """Whether the engine cannot run it, and it is optional."""

    def is_well(self, item: DeclaredMachine) -> bool:
        """Whether it serves, in no restart loop, under a procServ, plugged in as declared."""
        serves = self.report.booted and not self.report.restart_loop
        serves = serves and not self.report.procserv_hangs
        return serves and self.cable in (None, item.network)

    def machine_word(self, session: Session) -> str:
        """Return how the machine does, in a word."""
        if self.left_out:
            return LEFT_OUT
        if self.machine is not None:
            return str(self.machine.state)
        return "stopped" if session.note else "absent"

    @property
    def host(self) -> str:
        """The host on which the machine runs."""
        return self.machine.host if self.machine else "-"

    @property
    def procserv(self) -> str:
        """How procServ does, in a word."""
        if self.report.procserv_hangs:
            return "hangs"
        return "up" if self.report.procserv_up else "down"

    def program_word(self, *, starting: str = "starting") -> str:
        """Return how the program in the machine does, in a word or two."""
        if self.report.restart_loop:
            return "restart loop"
        if self.report.booted:
            return "up"
        if self.report.lacks_ioc_init:
            return "no iocInit"
        return starting if self.report.ioc_up else "down"

    def uptime_s(self, session: Session) -> float | None:
        """Return how long the program has run."""
        started = self.report.started_at
        return None if started is None else max(0.0, session.clock.now() - started)


@dataclass(frozen=True)
class ProgramRow:
    """The row of a kind that tells no more than any other."""

    name: str
    host: str
    network: str
    address: str
    machine: str
    procserv: str
    program: str
    started_at: float | None
    uptime_s: float | None
    starts: int
    files: str
    cable: str | None
    """The network that its cable is in, or `unplugged`; None where the engine has no cables."""
    green: bool
    """Whether all is as it should be: running, serving, plugged in, no restart loop."""
    description: str
    owner: str
    area: str


def program_row(session: Session, name: str, item: DeclaredMachine, seen: Seen) -> ProgramRow:
    """Return the row of a program from what was seen of it."""
    return ProgramRow(
        name=name,
        host=seen.host,
        network=item.network or "",
        address=str(session.engine.layout(seen.live, item.address).bind or item.address),
        machine=seen.machine_word(session),
        procserv=seen.procserv,
        program=seen.program_word(),
        started_at=seen.report.started_at,
        uptime_s=seen.uptime_s(session),
        starts=seen.report.starts,
        files=seen.files,
        cable=seen.cable,
        green=seen.left_out or seen.is_well(item),
        description=item.description,
        owner=item.owner,
        area=item.area,
    )


def columns(
    noun: str,
    program: str,
    *more: Column[RowT],
    address: Column[RowT] | None = None,
) -> tuple[Column[RowT], ...]:
    """Return the columns of a kind: what every row has, `more` between, and its files.

    `program` is the field that says how the program does; where the cable is not as declared, that
    stands beside it.
    """

    def word(row: RowT) -> object:
        said: str = getattr(row, program)
        return said if row.cable in (None, row.network) else f"{said}, {row.cable}"

    title = noun.upper()
    return (
        Column(title, "name"),
        Column("HOST", "host"),
        address or Column("ADDRESS", "address"),
        Column("MACHINE", "machine"),
        Column("PROCSERV", "procserv"),
        Column(title, program, word),
        Column("UPTIME", "uptime_s"),
        *more,
        Column("FILES", "files"),
    )
