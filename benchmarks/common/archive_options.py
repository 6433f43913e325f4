"""What a run of `linacre bench archive` is asked for."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PARTS = ("size", "reading", "startup", "waveforms", "events")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is measured, and how large."""

    folder: Path
    """Empty; archives are made in it."""
    parts: frozenset[str]
    days: float
    others: tuple[int, ...]
    seconds: float
    rate: int

    @classmethod
    def of(cls, given: argparse.Namespace, folder: Path, refuse: Callable[[str], Any]) -> Options:
        """Take what the command line says; `refuse` is told what is wrong."""
        parts = [part for text in given.only for part in text.split(",")] or list(PARTS)
        for part in parts:
            if part not in PARTS:
                refuse(f"there is no part {part}; there are: {', '.join(PARTS)}")
        try:
            others = tuple(int(text) for text in given.others.split(","))
        except ValueError:
            refuse("--others is numbers with commas between, such as 1,100,10000")
        if min(given.days, given.seconds, given.rate, *others) <= 0:
            refuse("all numbers are greater than 0")
        return cls(
            folder=folder,
            parts=frozenset(parts),
            days=given.days,
            others=others,
            seconds=given.seconds,
            rate=given.rate,
        )

    def has(self, part: str) -> bool:
        """Whether a part is asked for; start-up is measured on what `reading` made."""
        return part in self.parts or (part == "reading" and "startup" in self.parts)

    def told(self) -> dict[str, Any]:
        """Return them for the conditions."""
        return {
            "parts": [part for part in PARTS if part in self.parts],
            "days": self.days,
            "others": list(self.others),
            "seconds": self.seconds,
            "rate_hz": self.rate,
        }
