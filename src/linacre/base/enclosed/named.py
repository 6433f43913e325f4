"""Files of this host that somebody else's files name, or lead to by links."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Protocol

from linacre.base.enclosed.names import UnsafeNameError
from linacre.base.enclosed.reading import (
    Below,
    LinkOnWayError,
    TooMuchError,
    enter,
    open_plain,
    read_plain,
)
from linacre.base.enclosed.walking import Entry, entry_in

_ROOT = Path("/")


def open_named(path: Path, *, top: Path, strict: bool = False) -> int:
    """Return the descriptor of a plain file that the files in `top` name, by links perhaps.

    What is in `top` is theirs. Outside it only what everybody may read is opened, or what is of
    the same user, root excepted: whoever wrote the name or the link may mean to have a file of
    this host that is not theirs. With `strict` nothing outside is. Raises `UnsafeNameError` for
    what is not opened, `OSError` where there is no such file.
    """
    return _open_real(path, Path(os.path.realpath(path)), top, strict=strict, last=open_plain)


class NamedFolder:
    """A folder that the files in `top` name, by links perhaps, held open and listed as it is.

    It is opened by descriptors, and outside `top` only where everybody may read it, as in
    `open_named`: what changes to a link meanwhile leads to no other.
    """

    def __init__(self, path: Path, real: Path, descriptor: int) -> None:
        self.path = path
        self.real = real
        """Where it is, without links."""
        self._descriptor = descriptor

    @classmethod
    @contextmanager
    def opened(cls, path: Path, *, top: Path) -> Generator[NamedFolder]:
        """Hold a folder open for the block; raises as `open_named` does."""
        real = Path(os.path.realpath(path))
        descriptor = _open_real(path, real, top, strict=False, last=enter)
        try:
            yield cls(path, real, descriptor)
        finally:
            os.close(descriptor)

    def names(self, *, most: int) -> list[str]:
        """Return the names in it, in order; raises `TooMuchError` for more than `most`."""
        with os.scandir(self._descriptor) as found:
            names = [each.name for each in islice(found, most + 1)]
        if len(names) > most:
            raise TooMuchError(f"{self.path} holds more than {most:,} files")
        return sorted(names)

    def entry(self, name: str) -> Entry:
        """Return what stands in it at a name; raises as `walk` does."""
        return entry_in(self._descriptor, name, self.path, PurePosixPath())


class _Opens(Protocol):
    def __call__(self, folder: int, name: str, *, shown: str) -> int: ...


def _open_real(path: Path, real: Path, top: Path, *, strict: bool, last: _Opens) -> int:
    real_top = Path(os.path.realpath(top))
    if real.is_relative_to(real_top):
        return _descend(real, last)
    if strict:
        raise LinkOnWayError(f"{path} is a link that leads out of {top}: not read")
    why = f"leads to {real}, which not everybody may read"
    if real == path:
        why = f"is outside {top}, and not everybody may read it"
    refused = UnsafeNameError(f"{path} {why}: not read")
    return _descend(real, last, above=real_top, refused=refused)


def _descend(
    real: Path,
    last: _Opens,
    *,
    above: Path | None = None,
    refused: UnsafeNameError | None = None,
) -> int:
    """Open a path without links from the root on, by descriptors; `last` opens its last part.

    With `above` a folder, what is on the way must be everybody's, but for what is on the way to
    that folder: who named that may reach it.
    """
    if real == _ROOT:
        raise UnsafeNameError("/ is no plain file")
    here, folder = _ROOT, os.open(_ROOT, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in real.parts[1:-1]:
            here /= part
            inner = enter(folder, part, shown=str(here))
            os.close(folder)
            folder = inner
            if above is not None and refused is not None and not above.is_relative_to(here):
                _check(folder, stat.S_IXOTH, above, refused)
        file = last(folder, real.name, shown=str(real))
    finally:
        os.close(folder)
    try:
        if above is not None and refused is not None:
            _check(file, stat.S_IROTH, above, refused)
    except BaseException:
        os.close(file)
        raise
    return file


def _check(descriptor: int, bit: int, top: Path, refused: UnsafeNameError) -> None:
    about = os.fstat(descriptor)
    if about.st_mode & bit:
        return
    if about.st_uid == 0 or about.st_uid != top.stat().st_uid:
        raise refused


def read_named(path: Path, *, top: Path, limit: int, strict: bool = False) -> bytes:
    """Return what such a file holds; raises `TooMuchError` for more than `limit` bytes."""
    file = open_named(path, top=top, strict=strict)
    try:
        return read_plain(file, limit=limit, shown=str(path))
    finally:
        os.close(file)


def head_of_named(path: Path, *, top: Path, limit: int, strict: bool = False) -> bytes:
    """Return the first `limit` bytes of such a file."""
    file = open_named(path, top=top, strict=strict)
    try:
        return os.read(file, limit)
    finally:
        os.close(file)


def read_given(path: Path, *, limit: int) -> bytes:
    """Return what a plain file holds whose path has no links: neither on the way nor at its end.

    Raises `LinkOnWayError` where there has come to be one, and what `Below.read` does.
    """
    with Below.of(_ROOT) as root:
        return root.read(PurePosixPath(path).relative_to("/"), limit=limit)
