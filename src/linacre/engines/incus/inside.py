"""Files of a running machine straight from its root, seen from this host."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import PurePosixPath

from linacre.base.processes import ProcessId

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PIECE = 1 << 16
_Folders = dict[PurePosixPath, int | None]


def read_inside(
    init: ProcessId, paths: Iterable[PurePosixPath], *, limit: int
) -> dict[PurePosixPath, bytes | None]:
    """Return at most the last `limit` bytes of each file in the root of a machine's init.

    No symbolic link is followed: a link made by someone inside could otherwise lead to a file
    of the host. None where there is no such plain file, or the machine has ended.
    """
    wanted = list(paths)
    with _root_of(init) as folders:
        if folders is None:
            return dict.fromkeys(wanted)
        return {path: _read(_folder(path.parent, folders), path.name, limit) for path in wanted}


def write_pipe_inside(init: ProcessId, path: PurePosixPath, data: bytes) -> bool:
    """Write to a pipe in the root of a machine's init that somebody reads; tell whether it is one.

    Like reading, it follows no link, and it waits for nobody.
    """
    flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with _root_of(init) as folders:
        folder = None if folders is None else _folder(path.parent, folders)
        if folder is None:
            return False
        try:
            pipe = os.open(path.name, flags, dir_fd=folder)
        except OSError:
            return False
        try:
            return stat.S_ISFIFO(os.fstat(pipe).st_mode) and os.write(pipe, data) == len(data)
        except OSError:
            return False
        finally:
            os.close(pipe)


@contextmanager
def _root_of(init: ProcessId) -> Generator[_Folders | None]:
    """Hold the root of a machine open, and the folders below it that are opened from it.

    Held open, so that a folder's number cannot come to mean another's meanwhile. None where the
    machine has ended.
    """
    try:
        root = os.open(f"/proc/{init.pid}/root", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    folders: _Folders = {PurePosixPath("/"): root}
    try:
        # Asked after the root is open: from here on it is that of this very process.
        yield folders if init.is_alive else None
    finally:
        for folder in folders.values():
            if folder is not None:
                os.close(folder)


def _folder(path: PurePosixPath, folders: _Folders) -> int | None:
    """Return a folder of the machine, opened below the one that it is in."""
    if path not in folders:
        # Of a root, the folder above is one of the host's.
        above = None if path.name == ".." else _folder(path.parent, folders)
        try:
            folders[path] = None if above is None else os.open(path.name, _FOLDER, dir_fd=above)
        except OSError:
            folders[path] = None
    return folders[path]


def _read(folder: int | None, name: str, limit: int) -> bytes | None:
    if folder is None:
        return None
    # Not blocking: a pipe put there by someone inside must not hold us.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        file = os.open(name, flags, dir_fd=folder)
    except OSError:
        return None
    try:
        about = os.fstat(file)
        if not stat.S_ISREG(about.st_mode):
            return None
        os.lseek(file, max(0, about.st_size - limit), os.SEEK_SET)
        return _whole(file, limit)
    except OSError:
        # A file of proc(5) whose process has just ended.
        return None
    finally:
        os.close(file)


def _whole(file: int, limit: int) -> bytes:
    """Return what there is up to a limit: a file of proc(5) gives its text in pieces."""
    parts: list[bytes] = []
    while limit > 0 and (part := os.read(file, min(limit, _PIECE))):
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)
