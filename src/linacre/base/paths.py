"""Where Linacre keeps its files on a host, one folder a facility."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from linacre.base.errors import UserError


def _folder(root: Path, *, said_by: str) -> Path:
    """Return a path that is a folder, or may become one; `said_by` is the variable that says it."""
    there = next(path for path in (root, *root.parents) if os.path.lexists(path))
    if not there.is_dir():
        raise UserError(
            f"{there} is no folder, and {said_by} has Linacre keep its files there: set "
            "LINACRE_STATE to a folder, which is made where it is not there"
        )
    return root


@dataclass(frozen=True)
class FacilityPaths:
    """The folder of one facility under the state folder."""

    root: Path

    @property
    def lock(self) -> Path:
        """The lock held by the one changing command, with the holder's name in it."""
        return self.root / "lock"

    @property
    def catalogue(self) -> Path:
        """The SQLite catalogue."""
        return self.root / "catalogue.sqlite"

    @property
    def logs(self) -> Path:
        """Logs of tasks and of the embedded daemon."""
        return self.root / "log"

    @property
    def machines(self) -> Path:
        """Machines of the process engine, one folder each."""
        return self.root / "machines"

    @property
    def sources(self) -> Path:
        """Check-outs of git sources, one folder a repository."""
        return self.root / "sources"

    @property
    def files(self) -> Path:
        """The files of IOCs as they were and are, by digest: what history is made of."""
        return self.root / "files"

    @property
    def incus(self) -> Path:
        """The embedded daemon's own directory and what belongs to it."""
        return self.root / "incus"

    @property
    def cables(self) -> Path:
        """The network that each machine's cable is plugged into, one file a machine."""
        return self.root / "cables"


@dataclass(frozen=True)
class StatePaths:
    """The state folder of this host: `$LINACRE_STATE`, or the usual place for the user."""

    root: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> StatePaths:
        """Return `$LINACRE_STATE`, else `/var/lib/linacre` for root, else the user's state folder.

        The user's folder is `$XDG_STATE_HOME/linacre` or `~/.local/state/linacre`. Raises
        `UserError` where that is no folder, nor can become one.
        """
        if given := environment.get("LINACRE_STATE"):
            return cls(_folder(Path(given).absolute(), said_by="LINACRE_STATE"))
        # Root of a container's own user names may not write there, and is an ordinary user.
        if os.geteuid() == 0 and os.access("/var/lib", os.W_OK):
            return cls(Path("/var/lib/linacre"))
        if given := environment.get("XDG_STATE_HOME"):
            return cls(_folder(Path(given) / "linacre", said_by="XDG_STATE_HOME"))
        return cls(_folder(Path.home() / ".local/state/linacre", said_by="HOME"))

    @property
    def facilities(self) -> Path:
        """The folder that holds one folder a facility."""
        return self.root / "facilities"

    @property
    def images(self) -> Path:
        """Built images by digest, shared by all facilities of this host."""
        return self.root / "images"

    @property
    def downloads(self) -> Path:
        """Packages and wheels fetched for images, kept for the next build."""
        return self.root / "downloads"

    def facility(self, name: str) -> FacilityPaths:
        """Return the folder of one facility."""
        return FacilityPaths(self.facilities / name)
