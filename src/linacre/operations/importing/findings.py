"""What a start script does, gathered line by line."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath


class Where(StrEnum):
    """Where a file that an IOC reads is."""

    OWN = "own"
    """Among the IOC's own files."""
    OUTSIDE = "outside"
    """On this host, outside the IOC's own files."""
    MISSING = "missing"


@dataclass(frozen=True)
class FileUse:
    """A file that an IOC reads."""

    what: str
    """What it is to the IOC: a database, a protocol, a script."""
    path: PurePosixPath
    """As the IOC sees it."""
    where: Where
    place: str
    """The line that names it, as FILE:LINE."""
    file: Path | None = None
    """Where it is on this host."""


@dataclass
class Findings:
    """What a start script does."""

    files: list[FileUse] = field(default_factory=list[FileUse])
    records: dict[str, str] = field(default_factory=dict[str, str])
    """Types of records by name; aliases are of the type `alias`."""
    variables: dict[str, str] = field(default_factory=dict[str, str])
    """What envPaths and epicsEnvSet set."""
    supports: dict[str, str] = field(default_factory=dict[str, str])
    """Device support that records name (DTYP), with the first record of each."""
    functions: dict[str, str] = field(default_factory=dict[str, str])
    """Functions of a program that records call, with the first record of each."""
    macros: list[str] = field(default_factory=list[str])
    """Macros of databases that nothing defines, with the line that loads them."""
    lacking: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Macros of scripts that nothing defines, with the lines that are left out for each."""
    devices: list[str] = field(default_factory=list[str])
    """Devices of the host: /dev/ttyS0."""
    hosts: list[str] = field(default_factory=list[str])
    """What it connects to: host:port, with the line."""
    commands: dict[str, str] = field(default_factory=dict[str, str])
    """The commands of the scripts, with the line that each is first in."""
    programs: list[str] = field(default_factory=list[str])
    """State machines that `seq` starts."""
    drivers: list[str] = field(default_factory=list[str])
    """Commands that configure device support, which are not looked into."""
    saves: list[PurePosixPath] = field(default_factory=list[PurePosixPath])
    """Folders that autosave writes to, as the IOC sees them."""
    folders: list[PurePosixPath] = field(default_factory=list[PurePosixPath])
    """Folders outside the IOC's own files that it needs at their paths."""
    beside: list[PurePosixPath] = field(default_factory=list[PurePosixPath])
    """What relative names lead to outside the IOC's own files, as the IOC sees it."""
    access_security: PurePosixPath | None = None
    notes: list[str] = field(default_factory=list[str])
    """What somebody must see to."""
    unknown: list[str] = field(default_factory=list[str])
    """Lines that were not understood, with their places."""
    arguments: list[str] = field(default_factory=list[str])
    """What a Python program asks for on its command line, and was not given."""
    initialised: bool = False
    """Whether iocInit was seen."""

    def note(self, line: str) -> None:
        """Add a note, once."""
        if line not in self.notes:
            self.notes.append(line)
