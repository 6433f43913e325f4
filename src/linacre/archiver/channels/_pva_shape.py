"""What the values of a pvAccess connection are, and how they are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from linacre.archiver.model import NANOSECONDS, Kind

Buffer = bytes | memoryview
Blob = tuple[int, Buffer]
"""A value of any length: its elements, and its bytes."""


@dataclass(frozen=True)
class Shape:
    """What the values of one connection are, and how they are read."""

    kind: Kind
    native: str
    scalar: Callable[[Any], float] | None
    """Reads a value of a scalar kind: a float, or an integer in the range of int64."""
    blob: Callable[[Any], Blob] | None
    """Reads a value of any other kind."""
    size: Callable[[Any], int] | None
    """How many bytes a value has, as far as that can be told at once."""
    timed: bool
    """Whether there is a `timeStamp`."""
    alarmed: bool
    described_by: tuple[str, ...]
    """The fields whose change is a change of metadata."""
    sampled_by: tuple[str, ...]
    """The fields of which one has changed in an update that is a sample; none: each is one."""

    def is_described(self, value: Any) -> bool:
        """Whether an update has metadata."""
        return any(map(value.changed, self.described_by))

    def is_sample(self, value: Any) -> bool:
        """Whether an update has a sample, and not metadata alone."""
        return not self.sampled_by or any(map(value.changed, self.sampled_by))

    def stamp(self, value: Any) -> tuple[int, int] | None:
        """Return the time, ns, and the tag of a value; None where it has no time."""
        if not self.timed:
            return None
        seconds, rest = value["timeStamp.secondsPastEpoch"], value["timeStamp.nanoseconds"]
        return int(seconds) * NANOSECONDS + int(rest), int(value["timeStamp.userTag"])

    def alarm(self, value: Any) -> tuple[int, int]:
        """Return the severity and status of a value."""
        if not self.alarmed:
            return 0, 0
        return int(value["alarm.severity"]), int(value["alarm.status"])
