"""Where paths of an IOC lead: as it sees them, and on this host."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from linacre.operations.importing.findings import Where


@dataclass(frozen=True)
class Places:
    """An IOC's own files, at the path where they were built and where they are on this host."""

    tree: Path
    """On this host, absolute."""
    built: PurePosixPath
    """The path that the IOC knows; mostly the same."""
    given: Path
    """The folder that was named to be imported: what is in it is its author's."""
    laid: Mapping[PurePosixPath, str] = field(default_factory=dict[PurePosixPath, str])
    """Texts of files that are written among its own, by their paths in the tree."""
    alone: bool = False
    """Whether nothing outside its own files is looked at."""

    def seen(self, path: Path) -> PurePosixPath:
        """Return how the IOC sees a file of this host."""
        if path.is_relative_to(self.tree):
            return self.built / path.relative_to(self.tree)
        return PurePosixPath(path)

    def present(self, path: str | PurePosixPath) -> Path:
        """Return where a path that the IOC sees is on this host."""
        relative = self.relative(path)
        return Path(path) if relative is None else self.tree / relative

    def relative(self, path: str | PurePosixPath) -> PurePosixPath | None:
        """Return a path that the IOC sees relative to its own files; None for one outside."""
        whole = PurePosixPath(os.path.normpath(path))
        for top in (self.built, PurePosixPath(self.tree)):
            if whole.is_relative_to(top):
                return whole.relative_to(top)
        return None

    def beside(self, path: PurePosixPath) -> Path:
        """Return where a path of the IOC is on this host that a relative name leads to."""
        return Path(os.path.normpath(self.tree / os.path.relpath(path, self.built)))

    def where(self, path: PurePosixPath) -> Where:
        """Return where a file that the IOC sees is."""
        relative = self.relative(path)
        if relative in self.laid:
            return Where.OWN
        if (relative is None and self.alone) or not self.present(path).exists():
            return Where.MISSING
        return Where.OUTSIDE if relative is None else Where.OWN

    def written(self, path: PurePosixPath) -> str | None:
        """Return the text of a file that is written among the IOC's own; None for any other."""
        relative = self.relative(path)
        return None if relative is None else self.laid.get(relative)


def joined(folder: PurePosixPath, path: str) -> PurePosixPath:
    """Return a path, relative to a folder unless it is a full one, without `..`."""
    return PurePosixPath(os.path.normpath(folder / path))
