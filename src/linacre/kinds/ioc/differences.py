"""How files differ, as a person reads it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

_LARGEST_SHOWN = 200_000


class Change(StrEnum):
    """How a file differs from what was there before."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True)
class FileDifference:
    """One file that differs; `text` is a unified diff from the old to the new."""

    path: str
    change: Change
    text: str


def differing(
    old: Mapping[str, bytes], new: Mapping[str, bytes], *, sides: tuple[str, str]
) -> Iterator[FileDifference]:
    """Yield the files that differ, by path; `sides` are what the old and the new are called."""
    for path in sorted(old.keys() | new.keys()):
        before, after = old.get(path), new.get(path)
        if before == after:
            continue
        change = Change.CHANGED
        if before is None or after is None:
            change = Change.ADDED if before is None else Change.REMOVED
        yield FileDifference(path, change, _unified(path, before or b"", after or b"", sides))


def _unified(path: str, old: bytes, new: bytes, sides: tuple[str, str]) -> str:
    if max(len(old), len(new)) > _LARGEST_SHOWN or b"\0" in old + new:
        return (
            f"{path}: binary or large: {sides[0]} {len(old)} bytes, {sides[1]} {len(new)} bytes\n"
        )
    lines = difflib.unified_diff(
        old.decode(errors="replace").splitlines(keepends=True),
        new.decode(errors="replace").splitlines(keepends=True),
        fromfile=f"{sides[0]}/{path}",
        tofile=f"{sides[1]}/{path}",
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
