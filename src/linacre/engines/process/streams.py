"""Byte streams to terminals, plain programs and unix sockets."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import struct
import termios
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_CHUNK = 1 << 16
_HANG_UP_S = 2.0
_LAST_BYTES_S = 0.2


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
        reading: asyncio.ReadTransport,
        writer: asyncio.StreamWriter,
        *,
        terminal: int | None = None,
    ) -> None:
        self._process = process
        self._reader = reader
        self._reading = reading
        self._writer = writer
        self._terminal = terminal
        self._end = asyncio.create_task(process.wait())

    async def read(self) -> bytes:
        """Return the next bytes, or b"" at the end of the program.

        A program that it has left behind (Channel Access clients start a repeater) may hold the
        other end open; it is not waited for.
        """
        reading = asyncio.create_task(self._reader.read(_CHUNK))
        try:
            await asyncio.wait({reading, self._end}, return_when=asyncio.FIRST_COMPLETED)
            async with asyncio.timeout(_LAST_BYTES_S if self._end.done() else None):
                return await reading
        except (OSError, TimeoutError):  # a terminal whose last program has ended reads as EIO
            return b""
        finally:
            reading.cancel()

    async def write(self, data: bytes) -> None:
        """Send bytes to the program; one that has ended takes none."""
        if not self._writer.is_closing():
            self._writer.write(data)
            with suppress(OSError):
                await self._writer.drain()

    async def resize(self, columns: int, rows: int) -> None:
        """Set the terminal's size."""
        if self._terminal is not None:
            set_size(self._terminal, columns, rows)

    async def close(self) -> int:
        """Hang up, and return the program's exit status (128 + n after signal n)."""
        self._writer.close()
        self._reading.close()
        if self._terminal is not None:
            # The end of a terminal is read a little before the program has ended.
            await self._ended(_HANG_UP_S if self._reader.at_eof() else 0.0)
            self._signal(signal.SIGHUP)
            os.close(self._terminal)
            self._terminal = None
        if not await self._ended(_HANG_UP_S):
            self._signal(signal.SIGKILL)
        return shell_status(await self._end)

    async def _ended(self, limit_s: float) -> bool:
        done, _ = await asyncio.wait({self._end}, timeout=limit_s)
        return bool(done)

    def _signal(self, number: signal.Signals) -> None:
        if not self._end.done():
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


def shell_status(status: int) -> int:
    """Return an exit status as shells have it: 128 + n after signal n."""
    return 128 - status if status < 0 else status


def set_size(terminal: int, columns: int, rows: int) -> None:
    """Tell a terminal its size; the program on it gets SIGWINCH."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


async def open_pipes(
    argv: Sequence[str], *, folder: Path, environment: Mapping[str, str]
) -> ProgramStream:
    """Run a program on pipes, its error output among its output; `OSError` if it cannot run."""
    its_input, ours_out = os.pipe()
    ours_in, its_output = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=its_input,
            stdout=its_output,
            stderr=its_output,
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
        )
    except BaseException:
        os.close(ours_in)
        os.close(ours_out)
        raise
    finally:
        os.close(its_input)
        os.close(its_output)
    return ProgramStream(process, *await _reader(ours_in), await _writer(ours_out))


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
            # The session leader must itself take the terminal: only so Ctrl-C and a hang-up reach
            # the program, which would ignore them where we were started by & or nohup.
            *("env", "--default-signal=INT,QUIT,HUP", "setsid", "--ctty", *argv),
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
    reader, writer = await _reader(os.dup(ours)), await _writer(os.dup(ours))
    return ProgramStream(process, *reader, writer, terminal=ours)


async def _reader(descriptor: int) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
    )
    return reader, transport


async def _writer(descriptor: int) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()),
        os.fdopen(descriptor, "wb", 0),
    )
    return asyncio.StreamWriter(transport, protocol, None, loop)
