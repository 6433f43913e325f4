"""Byte streams to terminals, plain programs and unix sockets."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import struct
import termios
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_CHUNK = 1 << 16
_HANG_UP_S = 2.0


class SocketStream:
    """A unix socket as bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, path: Path) -> SocketStream:
        """Connect to a socket; `OSError` where nobody listens."""
        return cls(*await asyncio.open_unix_connection(path))

    async def read(self) -> bytes:
        """Return the next bytes, or b"" when the far side has ended the connection."""
        with suppress(ConnectionError):
            return await self._reader.read(_CHUNK)
        return b""

    async def write(self, data: bytes) -> None:
        """Send bytes."""
        self._writer.write(data)
        await self._writer.drain()

    async def resize(self, columns: int, rows: int) -> None:
        """Do nothing: a socket has no size."""

    async def close(self) -> int:
        """End the connection."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()
        return 0


class ProgramStream:
    """A program of this host, on a terminal or on pipes."""

    def __init__(
        self,
        process: Process,
        reader: asyncio.StreamReader,
        writer: asyncio.WriteTransport | asyncio.StreamWriter,
        terminal: int | None,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._terminal = terminal

    async def read(self) -> bytes:
        """Return the next bytes, or b"" at the end."""
        try:
            return await self._reader.read(_CHUNK)
        except OSError:  # a terminal whose last program has ended reads as EIO
            return b""

    async def write(self, data: bytes) -> None:
        """Send bytes to the program; one that has ended takes none."""
        if not self._writer.is_closing():
            self._writer.write(data)
            if isinstance(self._writer, asyncio.StreamWriter):
                with suppress(ConnectionError):
                    await self._writer.drain()

    async def resize(self, columns: int, rows: int) -> None:
        """Set the terminal's size."""
        if self._terminal is not None:
            set_size(self._terminal, columns, rows)

    async def close(self) -> int:
        """Hang up, and return the program's exit status (128 + n after signal n)."""
        self._writer.close()
        if self._terminal is not None:
            # A program that has already ended leaves its status; one on the terminal gets SIGHUP.
            await self._ended(_HANG_UP_S if self._reader.at_eof() else 0.0)
            self._signal(signal.SIGHUP)
            os.close(self._terminal)
            self._terminal = None
        if not await self._ended(_HANG_UP_S):
            self._signal(signal.SIGKILL)
            await self._process.wait()
        status = self._process.returncode or 0
        return 128 - status if status < 0 else status

    async def _ended(self, limit_s: float) -> bool:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._process.wait(), limit_s)
        return self._process.returncode is not None

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


def set_size(terminal: int, columns: int, rows: int) -> None:
    """Tell a terminal its size; the program on it gets SIGWINCH."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


async def open_pipes(
    argv: Sequence[str], *, folder: Path, environment: Mapping[str, str]
) -> ProgramStream:
    """Run a program on pipes, its error output among its output; `OSError` if it cannot run."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=PIPE,
        stdout=PIPE,
        stderr=STDOUT,
        cwd=folder,
        env=dict(environment),
        start_new_session=True,
    )
    assert process.stdin is not None and process.stdout is not None
    return ProgramStream(process, process.stdout, process.stdin, None)


async def open_terminal(
    argv: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    size: tuple[int, int],
) -> ProgramStream:
    """Run a program on a new terminal of `size` (columns, rows); `OSError` if it cannot run."""
    ours, its = os.openpty()
    try:
        set_size(ours, *size)
        process = await asyncio.create_subprocess_exec(
            # The session leader must itself take the terminal: only so Ctrl-C reaches the program.
            *("setsid", "--ctty", *argv),
            stdin=its,
            stdout=its,
            stderr=its,
            cwd=folder,
            env=dict(environment),
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(its)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(ours), "rb", 0)
    )
    writer, _ = await loop.connect_write_pipe(
        asyncio.BaseProtocol, os.fdopen(os.dup(ours), "wb", 0)
    )
    return ProgramStream(process, reader, writer, ours)
