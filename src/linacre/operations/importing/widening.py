"""Files beside an IOC's own folder, which its start script names by relative paths."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath

from linacre.operations.importing.locate import Found
from linacre.operations.importing.places import Places

_FEWEST_PARTS = 3
"""A top with fewer, such as `/home`, is no place of an IOC's files."""


def widened(found: Found, places: Places, beside: Iterable[PurePosixPath]) -> Found | None:
    """Return an IOC's files with their top moved up, so that what is beside its folder is in them.

    None where nothing is beside it, and where its folder cannot keep its place below such a top:
    that would be one of the host's own, or its files have another name where they were built.
    """
    there = [*map(str, beside)]
    if not there:
        return None
    top = PurePosixPath(os.path.commonpath([str(places.built), *there]))
    own = places.built.relative_to(top)
    if not own.parts or len(top.parts) < _FEWEST_PARTS or not _ends_with(found, own):
        return None
    return replace(
        found,
        tree=found.tree.parents[len(own.parts) - 1],
        start=own / found.start,
        built=None if found.built is None else top,
        own=own / found.own,
    )


def _ends_with(found: Found, own: PurePosixPath) -> bool:
    return found.tree.parts[-len(own.parts) :] == own.parts
