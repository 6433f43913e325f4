"""What was understood of an IOC that is to be taken over."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from linacre.operations.importing.findings import Findings
from linacre.operations.importing.libraries import Libraries
from linacre.operations.importing.locate import Found
from linacre.operations.importing.options import Run
from linacre.operations.importing.places import Places
from linacre.operations.importing.program import Program


@dataclass(frozen=True)
class Declared:
    """What is to be written of an IOC in the facility file."""

    built_at: PurePosixPath | None = None
    hold_off_s: int | None = None
    environment: dict[str, str] = field(default_factory=dict[str, str])
    persistent: tuple[PurePosixPath, ...] = ()
    devices: tuple[str, ...] = ()
    mounts: tuple[PurePosixPath, ...] = ()
    """Folders of the host, each seen at its own path."""


@dataclass(frozen=True)
class Copy:
    """Files of the host outside the IOC's own, which are copied to them."""

    source: Path
    path: PurePosixPath
    """In the IOC's own files."""


@dataclass(frozen=True)
class Understood:
    """All that was understood of an IOC."""

    name: str
    given: Path
    """The folder that was given."""
    found: Found
    places: Places
    run: Run
    program: Program
    libraries: Libraries
    findings: Findings
    declared: Declared
    copies: tuple[Copy, ...]
    notes: tuple[str, ...]
    """What somebody must see to."""

    @property
    def beside(self) -> tuple[PurePosixPath, ...]:
        """What it reads beside its own folder, relative to the top of its files."""
        used = (self.places.relative(use.path) for use in self.findings.files)
        own = self.found.own
        return tuple(dict.fromkeys(p for p in used if p and not p.is_relative_to(own)))
