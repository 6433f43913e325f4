"""Which segments go because they are too old, or because all take too much room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from linacre.archiver.model import NANOSECONDS
from linacre.archiver.store.files import Files
from linacre.archiver.store.segments.segment import Segment
from linacre.archiver.store.segments.writer import remove_folder


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What one tier keeps; None: without end."""

    max_age_s: float | None = None
    """Since the end of the hour, day or month that a segment stands for."""
    max_bytes: int | None = None


def due(segments: Sequence[Segment], now_ns: int, rules: Mapping[Path, Rule]) -> list[Segment]:
    """Return the segments that are to go, oldest first; `rules` by tier's folder of segments.

    Rules of several tiers that are one folder: give them as one.
    """
    found: list[Segment] = []
    for folder, rule in rules.items():
        mine = sorted(
            (segment for segment in segments if segment.root == folder),
            key=lambda segment: segment.number,
        )
        room = sum(segment.bytes for segment in mine)
        for segment in mine:
            end_ns = segment.level.end(segment.start_ns)
            old = rule.max_age_s is not None and now_ns - end_ns > rule.max_age_s * NANOSECONDS
            large = rule.max_bytes is not None and room > rule.max_bytes
            if old or large:
                found.append(segment)
                room -= segment.bytes
    return sorted(found, key=lambda segment: segment.number)


def remove(segments: Sequence[Segment], *, files: Files) -> None:
    """Delete segments; call it once readers have a set without them."""
    for segment in segments:
        segment.close()
        remove_folder(segment.path, files)
        segment.close()
