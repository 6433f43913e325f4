"""What programs in machines say, over websockets that the daemon closes when it likes."""

from __future__ import annotations

import asyncio

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from linacre.engines.incus import streams


async def test_what_came_after_a_ping_is_read_though_the_daemon_has_closed() -> None:
    async def program(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_bytes(b"10.62.64.11 ")
        await socket.ping(b"keepalive")
        await socket.send_bytes(b"a")
        await socket.ping(b"keepalive")
        assert request.transport is not None
        request.transport.close()
        return socket

    app = web.Application()
    app.router.add_get("/", program)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        socket = await session.ws_connect(server.make_url("/"))
        # The end has come before anything is read.
        await asyncio.sleep(0.2)
        assert await streams._drain(socket, 1, None) == b"10.62.64.11 a"
