"""What the catalogue holds of a facility beside its tasks: machines, IOCs, records and states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class MachineEntry:
    """A machine as it was last seen."""

    name: str
    kind: str
    """`ioc`, `desk` or `service`."""
    ioc: str
    """The IOC that it belongs to; empty for any other machine."""
    network: str
    address: str
    host: str
    image: str
    """The digest of the image that it was made from; empty where there is none."""


@dataclass(frozen=True)
class IocEntry:
    """An IOC as it was last seen: what is declared of it and what it runs."""

    name: str
    kind: str
    owner: str
    area: str
    device_type: str
    description: str
    network: str
    address: str
    host: str
    machine: str
    """Its live machine."""
    source: str
    """Where its files come from: a folder, or a git repository."""
    revision: str
    """The commit of a git source; empty for a folder."""
    digest: str
    """That of the files and settings it runs."""


@dataclass(frozen=True)
class RecordEntry:
    """One PV that an IOC serves, as the IOC itself tells it."""

    name: str
    record_type: str = ""
    """Such as `ai`; empty where the IOC does not tell."""
    description: str = ""
    """The record's DESC."""


@dataclass(frozen=True)
class ToldErrors:
    """The errors that an IOC's start script printed."""

    count: int
    messages: tuple[str, ...] = ()
    """The first of them, as they are shown."""


@dataclass(frozen=True)
class FileEntry:
    """One file of an IOC's state; the content is kept beside the catalogue by its digest."""

    mode: int
    digest: str = ""
    """SHA-256 of the content, in hexadecimal; empty for a link."""
    link: str = ""
    """Where a link leads; empty for a file."""


@dataclass(frozen=True)
class NewState:
    """What an IOC is from now on: files and settings, and how they differ from before."""

    ioc: str
    verb: str
    """The command that made it so, such as `up` or `ioc rollback`."""
    task_id: int | None
    """The task that made it so."""
    user: str
    at: float
    """Seconds since the Unix epoch."""
    source: str
    revision: str
    digest: str
    settings: str
    """Its part of the facility file, as it was written there."""
    files: Mapping[str, FileEntry] = field(default_factory=dict[str, FileEntry])
    """By path in the IOC's own files."""
    diff: str = ""
    """A unified diff from the state before."""
    note: str = ""
    """What to say beside it, such as the name it had before."""


@dataclass(frozen=True)
class State(NewState):
    """A state in an IOC's history."""

    number: int = 0
    """Its place in the IOC's history, from 1."""
    outcome: str = ""
    """How its task ended: a `TaskState`, or empty where there is no such task."""
    error: str = ""
    """What its task ended with, where it failed."""
    start_errors: int | None = None
    """How many errors its start script printed when it was last looked at; None where unknown."""
    start_messages: tuple[str, ...] = ()
    """The first of them."""


@dataclass(frozen=True)
class Action:
    """What a task did with one IOC."""

    task_id: int
    verb: str
    user: str
    host: str
    """Where the command ran."""
    at: float
    """Seconds since the Unix epoch."""
    steps: tuple[str, ...]
    """What was done with its machines, in order."""
    outcome: str
    """How the task ended: a `TaskState`."""
    error: str


@dataclass(frozen=True)
class Match:
    """One thing that a search found: a PV, or an IOC where `pv` is empty."""

    facility: str
    ioc: str
    owner: str
    area: str
    device_type: str
    address: str
    host: str
    description: str
    """The PV's, or the IOC's."""
    pv: str = ""
    record_type: str = ""
    start_errors: int | None = None
    """Of an IOC: how many errors its start script printed; None where unknown."""
    start_messages: tuple[str, ...] = ()
    """The first of them."""


@dataclass(frozen=True)
class Found:
    """What a search found."""

    matches: tuple[Match, ...]
    """IOCs by name, then PVs by name."""
    more: bool
    """Whether there was more than was asked for."""


@dataclass(frozen=True)
class Duplicate:
    """A PV that more than one IOC serves."""

    pv: str
    iocs: tuple[str, ...]
