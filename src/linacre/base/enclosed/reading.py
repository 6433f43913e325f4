"""Opening what is below a folder by descriptors, without following a link."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath
from types import TracebackType

from linacre.base.enclosed.names import UnsafeNameError, inner_path

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Not blocking: a pipe that somebody put there must not hold us.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PIECE = 1 << 16
_TOP = "."


class LinkOnWayError(UnsafeNameError):
    """A link where a folder or a file was to be."""


class TooMuchError(UnsafeNameError):
    """A file, or a tree, that is larger than is taken."""


class Below:
    """A folder held open, and what is below it: every name is taken for an enemy's.

    The folders on the way are held open too, so that a folder's number cannot come to mean
    another's meanwhile. Closed at the end of the `with` block.
    """

    def __init__(self, top: int, *, shown: str) -> None:
        """Take over the descriptor of a folder; `shown` is what messages call it."""
        self._shown = shown
        self._folders = {_TOP: top}

    @classmethod
    def of(cls, folder: Path) -> Below:
        """Open a folder that we know ourselves: links on the way to it are followed."""
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return cls(top, shown=str(folder))

    def __enter__(self) -> Below:
        """Return this."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close what is held open."""
        folders, self._folders = self._folders, {}
        for folder in folders.values():
            os.close(folder)

    def folder(self, path: PurePosixPath) -> int:
        """Return the descriptor of a folder, which stays open for as long as this does.

        Raises `LinkOnWayError` for a link, `UnsafeNameError` for a name that leads out, and
        `OSError` where there is no such folder.
        """
        return self._folder(str(path))

    def open(self, path: PurePosixPath) -> int:
        """Return the descriptor of a plain file, to be closed by the caller.

        Raises what `folder` does, and `UnsafeNameError` for what is no plain file.
        """
        folder, name = self._place(path)
        return open_plain(folder, name, shown=self.shown(path))

    def open_pipe(self, path: PurePosixPath) -> int:
        """Return the descriptor of a pipe that somebody reads, to be written; waits for nobody."""
        flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        folder, name = self._place(path)
        pipe = os.open(name, flags, dir_fd=folder)
        if not stat.S_ISFIFO(os.fstat(pipe).st_mode):
            os.close(pipe)
            raise UnsafeNameError(f"{self.shown(path)} is no pipe")
        return pipe

    def read(self, path: PurePosixPath, *, limit: int) -> bytes:
        """Return what a plain file holds; raises `TooMuchError` for more than `limit` bytes."""
        file = self.open(path)
        try:
            return read_plain(file, limit=limit, shown=self.shown(path))
        finally:
            os.close(file)

    def tail(self, path: PurePosixPath, *, limit: int) -> bytes:
        """Return at most the last `limit` bytes of a plain file."""
        file = self.open(path)
        try:
            return tail_of(file, limit=limit)
        finally:
            os.close(file)

    def shown(self, path: PurePosixPath | str) -> str:
        """Return what messages call a path below the folder."""
        return self._shown if str(path) == _TOP else f"{self._shown.rstrip('/')}/{path}"

    def _folder(self, path: str) -> int:
        # A status of many machines comes here thousands of times: no path is made of a path.
        if (held := self._folders.get(path)) is not None:
            return held
        here, folder = "", self._folders[_TOP]
        for part in inner_path(path).parts:
            here = f"{here}/{part}" if here else part
            if here not in self._folders:
                self._folders[here] = enter(folder, part, shown=self.shown(here))
            folder = self._folders[here]
        return folder

    def _place(self, path: PurePosixPath) -> tuple[int, str]:
        """Return the folder that something is in, and its name there."""
        above, _, name = str(inner_path(path)).rpartition("/")
        if name == _TOP:
            raise UnsafeNameError(f"{self._shown} is no plain file")
        return self._folder(above or _TOP), name


def enter(folder: int, name: str, *, shown: str) -> int:
    """Return the descriptor of a folder in another; raises as `Below.folder` does."""
    try:
        return os.open(name, FOLDER, dir_fd=folder)
    except OSError as error:
        error.filename = shown
        if _is_link(folder, name):
            raise LinkOnWayError(f"{shown} is a link, which may lead anywhere") from error
        raise


def open_plain(folder: int, name: str, *, shown: str) -> int:
    """Return the descriptor of a plain file in a folder; raises as `Below.open` does."""
    try:
        # Looked at before it is opened: opening a device may do something.
        _check_plain(os.stat(name, dir_fd=folder, follow_symlinks=False), shown)
        file = os.open(name, _FILE, dir_fd=folder)
    except OSError as error:
        error.filename = shown
        if _is_link(folder, name):
            raise LinkOnWayError(f"{shown} is a link, which may lead anywhere") from error
        raise
    try:
        _check_plain(os.fstat(file), shown)
    except BaseException:
        os.close(file)
        raise
    return file


def _check_plain(about: os.stat_result, shown: str) -> None:
    if stat.S_ISLNK(about.st_mode):
        raise LinkOnWayError(f"{shown} is a link, which may lead anywhere")
    if not stat.S_ISREG(about.st_mode):
        raise UnsafeNameError(f"{shown} is no plain file")


def _is_link(folder: int, name: str) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def read_plain(file: int, *, limit: int, shown: str) -> bytes:
    """Return what an open file holds; raises `TooMuchError` for more than `limit` bytes."""
    if os.fstat(file).st_size <= limit and len(found := _whole(file, limit + 1)) <= limit:
        return found
    raise TooMuchError(f"{shown} is larger than {_size(limit)}: not read")


def tail_of(file: int, *, limit: int) -> bytes:
    """Return at most the last `limit` bytes of an open file."""
    # Files of proc(5) have no size, and give their text in pieces.
    os.lseek(file, max(0, os.fstat(file).st_size - limit), os.SEEK_SET)
    return _whole(file, limit)


def _whole(file: int, limit: int) -> bytes:
    parts: list[bytes] = []
    while limit > 0 and (part := os.read(file, min(limit, _PIECE))):
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)


def _size(limit: int) -> str:
    return f"{limit >> 20} MiB" if limit >= 1 << 20 else f"{limit} bytes"
