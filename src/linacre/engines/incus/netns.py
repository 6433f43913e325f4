"""Sockets in the network namespace of a machine, made from this host."""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from linacre.base.errors import EngineError

# <sched.h>; os.setns came with Python 3.12.
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@contextmanager
def network_of(pid: int) -> Generator[None]:
    """Put this thread into the network of a process for the block, which must not await.

    A socket stays in the namespace that it was made in. Raises `EngineError` where there is no
    such process, or this user may not.
    """
    try:
        ours = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            theirs = os.open(Path(f"/proc/{pid}/ns/net"), os.O_RDONLY | os.O_CLOEXEC)
            try:
                _enter(theirs)
            finally:
                os.close(theirs)
            try:
                yield
            finally:
                _enter(ours)
        finally:
            os.close(ours)
    except OSError as error:
        raise EngineError(
            f"the network of process {pid} is out of reach: {error.strerror}"
        ) from error


def socket_in(pid: int, family: int, kind: int, protocol: int = 0) -> socket.socket:
    """Return a new socket in the network of a process."""
    with network_of(pid):
        return socket.socket(family, kind, protocol)
