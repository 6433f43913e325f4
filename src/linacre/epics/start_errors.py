"""The errors that an IOC's start script printed, as the keeper of its console tells them."""

from __future__ import annotations

import re
from dataclasses import dataclass

START_ERRORS = "start-errors"
"""The file of the run folder with them: blank until the start script has ended."""

_MOST_READ, _LONGEST, _MOST_DIGITS = 20, 500, 9
_OF_A_LINE = re.compile(r"\S+ line \d+: ")


@dataclass(frozen=True)
class StartError:
    """One error that a start script printed."""

    command: str
    """The line of the script that printed it, its macros expanded; empty where it is unknown."""
    message: str

    def __str__(self) -> str:
        """Return the message, and the line of the script where it does not say that itself."""
        if not self.command or _OF_A_LINE.match(self.message):
            return self.message
        return f"{self.command}: {self.message}"


@dataclass(frozen=True)
class StartErrors:
    """The errors of a start script that has ended."""

    count: int = 0
    first: tuple[StartError, ...] = ()

    @property
    def told(self) -> tuple[str, ...]:
        """The first errors, and how many more there are."""
        more = self.count - len(self.first)
        return (*map(str, self.first), *((f"and {more} more",) if more > 0 else ()))


def read_start_errors(data: bytes | None) -> StartErrors | None:
    """Return what the file tells; None where there is none, or the script has not ended."""
    count, *lines = (data or b"").decode(errors="replace").split("\n")
    if not count.isdecimal() or len(count) > _MOST_DIGITS:
        return None
    # Root in the machine may write there what it likes.
    errors = (line[:_LONGEST].partition("\t") for line in lines[:_MOST_READ] if line)
    return StartErrors(int(count), tuple(StartError(command, told) for command, _, told in errors))
