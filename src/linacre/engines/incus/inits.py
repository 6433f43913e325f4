"""The init of each running machine, written down by the hook that runs at its start.

The daemon tells it too, but forks a helper into the machine's namespaces for each answer.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from linacre.base.processes import ProcessId


class Inits:
    """The inits of one facility's machines on this host, a file each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(self) -> None:
        """Make the folder that the hook writes into."""
        self._folder.mkdir(parents=True, exist_ok=True)

    def of(self, machine: str) -> ProcessId | None:
        """Return the init of a machine while it lives; None also where nobody wrote it down."""
        found = ProcessId.noted(self._folder / machine)
        return found if found is not None and found.is_alive else None

    def forget(self, machine: str) -> None:
        """Drop what is written down of a machine that is gone."""
        with contextlib.suppress(FileNotFoundError):
            (self._folder / machine).unlink()
