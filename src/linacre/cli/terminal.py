"""A person's terminal joined to a byte stream inside a machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
import sys
import termios
import tty
from collections.abc import Generator

from linacre.engines.base import Stream

DETACH = b"\x1d"
"""Ctrl-], as in telnet."""

_LARGEST_FILE = 64 << 20


def terminal_size() -> tuple[int, int] | None:
    """Return (columns, rows) of the terminal, or None where there is none."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    size = os.get_terminal_size(sys.stdout.fileno())
    return size.columns, size.lines


@contextlib.contextmanager
def _raw() -> Generator[None]:
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    tty.setraw(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


async def join(stream: Stream, *, detach: bool) -> int:
    """Join the terminal to a stream until its end, and return the far side's exit status.

    With `detach`, Ctrl-] leaves. Where the input is no terminal it is sent to its end, and what
    comes back is shown until the far side falls silent.
    """
    loop = asyncio.get_running_loop()
    reader, transport = await _input(loop)
    with _raw():
        watch_size(loop, stream)
        sending = asyncio.create_task(_send(reader, stream, detach=detach))
        showing = asyncio.create_task(_show(stream))
        try:
            await asyncio.wait({sending, showing}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done() and not showing.done() and not sys.stdin.isatty():
                await asyncio.wait({showing}, timeout=1.0)
        finally:
            for task in (sending, showing):
                task.cancel()
            await asyncio.gather(sending, showing, return_exceptions=True)
            if transport is not None:
                transport.close()
                os.set_blocking(sys.stdin.fileno(), True)
    return await stream.close()


async def _input(
    loop: asyncio.AbstractEventLoop,
) -> tuple[asyncio.StreamReader, asyncio.BaseTransport | None]:
    reader = asyncio.StreamReader()
    # On a duplicate: a transport closes its file, and stdin is not ours to close.
    source = os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0)
    kind = os.fstat(source.fileno()).st_mode
    if stat.S_ISREG(kind) or (stat.S_ISCHR(kind) and not source.isatty()):
        # A plain file, or /dev/null: there is nothing to wait for, and no way to.
        with source:
            reader.feed_data(await asyncio.to_thread(source.read, _LARGEST_FILE))
        reader.feed_eof()
        return reader, None
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), source
    )
    return reader, transport


def watch_size(loop: asyncio.AbstractEventLoop, stream: Stream) -> None:
    """Tell the stream each new size of the terminal."""
    if terminal_size() is None:
        return
    pending: set[asyncio.Task[None]] = set()

    def changed() -> None:
        if (size := terminal_size()) is not None:
            task = loop.create_task(stream.resize(*size))
            pending.add(task)
            task.add_done_callback(pending.discard)

    loop.add_signal_handler(signal.SIGWINCH, changed)


async def _send(reader: asyncio.StreamReader, stream: Stream, *, detach: bool) -> None:
    while data := await reader.read(4096):
        if detach and DETACH in data:
            await stream.write(data.partition(DETACH)[0])
            return
        await stream.write(data)


async def _show(stream: Stream) -> None:
    while data := await stream.read():
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
