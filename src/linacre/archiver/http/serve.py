"""Serves the HTTP of an archiver until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING

from linacre.base.errors import LinacreError

if TYPE_CHECKING:
    from fastapi import FastAPI

HEAD_LIMIT_S = 10.0
"""How long a client may take for the head of a request, from its first byte or its connection."""
MOST_CONNECTIONS = 1000
GRACE_S = 2
"""How long requests may take to end after `stop`."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that takes connections from now on; port 0: a free one.

    Raises `LinacreError` with one line where the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Only of a socket that names TCP asyncio takes away Nagle's wait; it costs 40 ms an answer.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(1024)
    except OSError as error:
        made.close()
        raise LinacreError(f"cannot serve HTTP at {host} port {port}: {error.strerror}") from error
    made.setblocking(False)
    return made


async def serve(
    app: FastAPI, sockets: Sequence[socket.socket], *, stop: asyncio.Event, grace_s: int = GRACE_S
) -> None:
    """Serve an app on sockets of `listen` until `stop` is set; then end within the grace.

    Signals are the caller's. The sockets are closed at the end.
    """
    import h11
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Impatient(H11Protocol):
        """Ends a connection whose request does not come: half-sent ones would stay for ever."""

        _limit: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore
            super().connection_made(transport)
            self._hurry()

        def _hurry(self) -> None:
            self._limit = self.loop.call_later(HEAD_LIMIT_S, self.transport.close)

        def data_received(self, data: bytes) -> None:
            if self._limit is None and self.conn.their_state is h11.IDLE:
                self._hurry()
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:
                self._rest()

        def connection_lost(self, exc: Exception | None) -> None:
            self._rest()
            super().connection_lost(exc)

        def _rest(self) -> None:
            if self._limit is not None:
                self._limit.cancel()
                self._limit = None

    class Server(uvicorn.Server):
        """Leaves signals alone: the process is stopped by its owner, in its order."""

        def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # pyright: ignore
            return contextlib.nullcontext()

    config = uvicorn.Config(
        app,
        http=Impatient,
        limit_concurrency=MOST_CONNECTIONS,
        access_log=False,
        log_config=None,
        log_level="warning",
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=grace_s,
        timeout_keep_alive=30,
        # Long lists of PVs come as query parameters.
        h11_max_incomplete_event_size=1 << 20,
        ws_max_size=1 << 16,
    )
    server = Server(config)
    serving = asyncio.create_task(server.serve(sockets=list(sockets)))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        stopping.cancel()
        serving.cancel()
        for one in sockets:
            one.close()
