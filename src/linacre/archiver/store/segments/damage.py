"""What is found damaged."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Damage:
    """Something in a segment that is not what was written, and is left out."""

    segment: str
    file: str
    row_group: int | None
    why: str
