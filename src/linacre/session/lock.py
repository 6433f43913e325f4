"""The lock that lets one changing command at a time act on a facility."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

from linacre.base.clock import Clock, SystemClock
from linacre.base.errors import BusyError, LinacreError
from linacre.base.paths import FacilityPaths
from linacre.base.tasks import user_name

RETRY_PERIOD_S = 0.1
NAMED_WITHIN_S = 0.5
"""A holder writes down who it is after it took the lock."""


@dataclass(frozen=True)
class Holder:
    """Who holds a facility's lock."""

    command: str
    pid: int
    user: str
    since: float
    """Seconds since the Unix epoch."""


class FacilityLock:
    """Held by the one command that changes a facility; the kernel frees it if that is killed.

    Raises `BusyError`, naming the holder, if another command holds it for longer than `wait_s`.
    """

    def __init__(
        self,
        paths: FacilityPaths,
        *,
        command: str,
        clock: Clock | None = None,
        wait_s: float = 0.0,
    ) -> None:
        self._path = paths.lock
        self._facility = paths.root.name
        self._command = command
        self._clock = clock or SystemClock()
        self._wait_s = wait_s
        self._file: int | None = None
        self._discarded = False

    def discard(self) -> None:
        """Remove the lock's file when the lock is let go, as the last file of a facility."""
        self._discarded = True

    async def __aenter__(self) -> Self:
        """Take the lock and write this command into it."""
        begun = self._clock.monotonic()
        while (file := self._try()) is None:
            waited, holder = self._clock.monotonic() - begun, self._holder()
            if waited >= self._wait_s and (holder is not None or waited >= NAMED_WITHIN_S):
                raise BusyError(self._busy(holder))
            await self._clock.sleep(RETRY_PERIOD_S)
        self._file = file
        holder = Holder(
            command=self._command, pid=os.getpid(), user=user_name(), since=self._clock.now()
        )
        try:
            _write(file, json.dumps(asdict(holder)).encode())
        except OSError:
            # A full disk: the lock holds all the same, but cannot say by whom.
            _write(file, b"")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let the lock go."""
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            if self._discarded:
                self._path.unlink(missing_ok=True)
            else:
                _write(file, b"")
        finally:
            os.close(file)

    def _try(self) -> int | None:
        """Return the locked file, or None if another holds it."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise LinacreError(
                f"the lock {self._path} of {self._facility} cannot be opened: {error.strerror};"
                " run as the user that brought the facility up"
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A holder that removed the facility removed this file too: then it locks nothing.
            if os.fstat(file).st_ino == self._path.stat().st_ino:
                return file
        except (BlockingIOError, FileNotFoundError):
            pass
        except BaseException:
            os.close(file)
            raise
        os.close(file)
        return None

    def _holder(self) -> Holder | None:
        """Return who holds the lock, None where it is not, or not wholly, written yet."""
        try:
            return Holder(**json.loads(self._path.read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def _busy(self, holder: Holder | None) -> str:
        if holder is None:
            return (
                f"{self._facility} is being changed by another command; try again when it ends,"
                " or see linacre task list"
            )
        since, now = (datetime.fromtimestamp(t) for t in (holder.since, self._clock.now()))
        shown = f"{since:%H:%M:%S}" if since.date() == now.date() else f"{since:%Y-%m-%d %H:%M:%S}"
        return (
            f'{self._facility} is being changed by "{holder.command}" (pid {holder.pid},'
            f" {holder.user}, since {shown}); try again when it ends, or see linacre task list"
        )


def _write(file: int, content: bytes) -> None:
    os.ftruncate(file, 0)
    os.pwrite(file, content, 0)
