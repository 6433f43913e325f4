"""Files of a running machine straight from its root, seen from this host."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import PurePosixPath

from linacre.base.enclosed import Below, UnsafeNameError
from linacre.base.processes import ProcessId


def read_inside(
    init: ProcessId, paths: Iterable[PurePosixPath], *, limit: int
) -> dict[PurePosixPath, bytes | None]:
    """Return at most the last `limit` bytes of each file in the root of a machine's init.

    No symbolic link is followed: a link made by someone inside could otherwise lead to a file
    of the host. None where there is no such plain file, or the machine has ended.
    """
    wanted = list(paths)
    with _root_of(init) as root:
        if root is None:
            return dict.fromkeys(wanted)
        return {path: _tail(root, path, limit) for path in wanted}


def write_pipe_inside(init: ProcessId, path: PurePosixPath, data: bytes) -> bool:
    """Write to a pipe in the root of a machine's init that somebody reads; tell whether it is one.

    Like reading, it follows no link, and it waits for nobody.
    """
    with _root_of(init) as root:
        if root is None:
            return False
        try:
            pipe = root.open_pipe(_below_root(path))
        except (OSError, UnsafeNameError):
            return False
        try:
            return os.write(pipe, data) == len(data)
        except OSError:
            return False
        finally:
            os.close(pipe)


@contextmanager
def _root_of(init: ProcessId) -> Generator[Below | None]:
    """Hold the root of a machine open; None where the machine has ended."""
    try:
        top = os.open(f"/proc/{init.pid}/root", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    with Below(top, shown="/") as root:
        # Asked after the root is open: from here on it is that of this very process.
        yield root if init.is_alive else None


def _below_root(path: PurePosixPath) -> PurePosixPath:
    return path.relative_to("/") if path.is_absolute() else path


def _tail(root: Below, path: PurePosixPath, limit: int) -> bytes | None:
    try:
        return root.tail(_below_root(path), limit=limit)
    except (OSError, UnsafeNameError):
        # There is none such, or it is one of proc(5) whose process has just ended.
        return None
