"""How segments are named, and which hour, day or month a time belongs to (UTC)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from linacre.archiver.errors import DamagedError
from linacre.archiver.model import NANOSECONDS

HOUR_NS = 3600 * NANOSECONDS
DAY_NS = 24 * HOUR_NS
UNFINISHED = ".tmp-"
"""Folders whose names begin so are not, or no more, segments."""
SET_ASIDE = "set-aside"
"""Where segments go that are damaged and no more read, beside the years."""


class Level(StrEnum):
    """How much time a segment stands for, by when its samples arrived."""

    FLUSH = "flush"
    """A journal, at most an hour of it."""
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"

    @property
    def rank(self) -> int:
        """0 for the shortest."""
        return _LEVELS.index(self)

    def floor(self, time_ns: int) -> int:
        """Return when the hour, day or month of a time starts."""
        match self:
            case Level.FLUSH | Level.HOUR:
                return time_ns // HOUR_NS * HOUR_NS
            case Level.DAY:
                return time_ns // DAY_NS * DAY_NS
            case Level.MONTH:
                found = _utc(time_ns)
                return _ns(found.year, found.month)

    def end(self, time_ns: int) -> int:
        """Return when the next hour, day or month after that of a time starts."""
        start = self.floor(time_ns)
        match self:
            case Level.FLUSH | Level.HOUR:
                return start + HOUR_NS
            case Level.DAY:
                return start + DAY_NS
            case Level.MONTH:
                found = _utc(start)
                return _ns(found.year + found.month // 12, found.month % 12 + 1)


_LEVELS = (Level.FLUSH, Level.HOUR, Level.DAY, Level.MONTH)
_FORMATS = {
    Level.FLUSH: "%Y-%m-%dT%H",
    Level.HOUR: "%Y-%m-%dT%H",
    Level.DAY: "%Y-%m-%d",
    Level.MONTH: "%Y-%m",
}
_NAME = re.compile(
    r"(?P<stamp>\d{4}-[0-9T-]+)-(?P<level>[a-z]+)-(?P<number>\d+)(-r(?P<again>\d+))?"
)


@dataclass(frozen=True)
class SegmentName:
    """The name of a segment: `2026-11-24T10-hour-00000042`, `2026-11-month-00000815-r1`."""

    level: Level
    start_ns: int
    """When the hour, day or month starts."""
    number: int
    """Of the newest journal that is in it: segments in this order are in the order of arrival."""
    again: int = 0
    """How often it was written anew with the same level and number."""

    def __str__(self) -> str:
        stamp = _utc(self.start_ns).strftime(_FORMATS[self.level])
        again = f"-r{self.again}" if self.again else ""
        return f"{stamp}-{self.level}-{self.number:08d}{again}"

    def folder(self, root: Path) -> Path:
        """Return where the segment is, in a tier's folder of segments."""
        found = _utc(self.start_ns)
        return root / f"{found.year:04d}" / f"{found.month:02d}" / str(self)

    @classmethod
    def parse(cls, text: str) -> SegmentName:
        """Return what a name says; raises `DamagedError`."""
        match = _NAME.fullmatch(text)
        try:
            if match is None:
                raise ValueError(text)
            level = Level(match["level"])
            stamp = datetime.strptime(match["stamp"], _FORMATS[level]).replace(tzinfo=UTC)
            start_ns = int(stamp.timestamp()) * NANOSECONDS
            return cls(level, start_ns, int(match["number"]), int(match["again"] or 0))
        except ValueError as error:
            raise DamagedError(f"{text} is no name of a segment") from error


def _utc(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns // NANOSECONDS, UTC)


def _ns(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * NANOSECONDS
