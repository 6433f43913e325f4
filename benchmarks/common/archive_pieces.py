"""What segments an archiver has of some days: months that are over, days, hours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from linacre.archiver.model import NANOSECONDS


@dataclass(frozen=True)
class Piece:
    """What one segment covers: [start, end), ns."""

    level: str
    """month, day or hour."""
    start_ns: int
    end_ns: int


def pieces(end: datetime, days: float) -> list[Piece]:
    """Return the segments that an archiver has at `end`, a whole hour of UTC, oldest first."""
    end = end.astimezone(UTC)
    at = end - timedelta(days=days)
    found: list[Piece] = []
    while at < end:
        level, until = _segment(at, end)
        found.append(Piece(level, _ns(at), _ns(min(until, end))))
        at = until
    return found


def counts(of: Sequence[Piece]) -> dict[str, int]:
    """Return how many there are of each level."""
    return dict(Counter(piece.level for piece in of))


def _segment(at: datetime, end: datetime) -> tuple[str, datetime]:
    hour = at.replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    month = day.replace(day=1)
    after = (month + timedelta(days=32)).replace(day=1)
    if after <= end:
        return "month", after
    if day + timedelta(days=1) <= end:
        return "day", day + timedelta(days=1)
    return "hour", hour + timedelta(hours=1)


def _ns(at: datetime) -> int:
    return int(at.timestamp()) * NANOSECONDS
