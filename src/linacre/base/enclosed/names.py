"""Names of others, as paths below a folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import PurePosixPath

from linacre.base.errors import LinacreError
from linacre.base.orders import has_orders

LONGEST_NAME, LONGEST_PATH = 255, 4000
DEEPEST = 100
"""Folders in one another; each is held open on the way to the last."""
_BYTES = 4
"""Of one character at most."""


class UnsafeNameError(LinacreError):
    """A name that leads out of the folder that it is to be in, or is none."""


def inner_path(given: str | PurePosixPath) -> PurePosixPath:
    """Return the path below a folder that a name of others means; `.` is the folder itself.

    Raises `UnsafeNameError` for one that is absolute, has `..` in it, has characters that a
    terminal or a shell takes for orders, or is longer than Linux takes.
    """
    path = PurePosixPath(given) if isinstance(given, str) else given
    name, parts = str(given), path.parts
    if not name or name[0] == "/" or ".." in parts:
        raise UnsafeNameError(f"{name!r} does not lead below its folder")
    if has_orders(name):
        raise UnsafeNameError(f"{name!r} has characters that no name of a file should have")
    if len(name) * _BYTES > LONGEST_NAME:
        sizes = (len(os.fsencode(part)) for part in parts)
        if len(os.fsencode(name)) > LONGEST_PATH or any(size > LONGEST_NAME for size in sizes):
            raise UnsafeNameError(f"{name[:40]!r}... is longer than a name of a file can be")
    if len(parts) > DEEPEST:
        raise UnsafeNameError(f"{name[:40]!r}... is more than {DEEPEST} folders deep")
    return path


def link_target(target: str) -> str:
    """Return where a link of others leads, which may be anywhere, as it may be laid and shown.

    Raises `UnsafeNameError` for what no link can lead to, or has characters as in `inner_path`.
    """
    if not target or len(os.fsencode(target)) > LONGEST_PATH or has_orders(target):
        raise UnsafeNameError(f"{target[:40]!r} is nothing that a link should lead to")
    return target


def check_nesting(files: Iterable[PurePosixPath]) -> None:
    """Raise `UnsafeNameError` where one of these files or links is to be in another of them."""
    there = set(files)
    for path in there:
        for above in path.parents:
            if above in there:
                raise UnsafeNameError(f"{path} is to be in {above}, which is no folder")
