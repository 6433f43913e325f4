"""Names and numbers in a sentence."""

from __future__ import annotations

from collections.abc import Iterable


def listed(names: Iterable[str], *, most: int = 8) -> str:
    """Return names in a row; of many, the first and how many more."""
    there = list(names)
    more = len(there) - most
    return ", ".join(there[:most]) + (f" and {more} more" if more > 0 else "")


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: `1 PV`, `3 PVs`."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"
