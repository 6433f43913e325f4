"""What programs in machines say, over websockets that the daemon closes when it likes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from daemon_support import served

from linacre.base.errors import EngineError
from linacre.engines.incus import streams
from linacre.engines.incus.client import IncusClient, IncusError, Operation

FDS = {"0": "s0", "1": "s1", "2": "s2", "control": "sc"}
WHOLE = b"\x81\x00"
"""A frame: an empty text message, with which the daemon tells that an output has ended."""


def frame(data: bytes) -> bytes:
    return bytes([0x82, len(data)]) + data


class Daemon:
    """A daemon that runs one command, which ends when a test says so."""

    def __init__(self, *, refused: str = "", impatient: int = 0, why: str = "") -> None:
        self.refused = refused
        self.impatient, self.why = impatient, why
        """How many programs it does not begin, for lack of their streams or something else."""
        self.asked = 0
        self.transports: dict[str, asyncio.Transport] = {}
        self.answered: dict[str, list[aiohttp.WSMsgType]] = {}
        self.ended = asyncio.Event()

    async def run(self, _: web.Request) -> web.Response:
        self.asked += 1
        body = {"type": "async", "metadata": {"id": "o", "metadata": {"fds": FDS}}}
        return web.json_response(body, status=202)

    async def told(self, _: web.Request) -> web.Response:
        return web.json_response({"type": "sync", "metadata": {"id": "o", "err": self.why}})

    async def join(self, request: web.Request) -> web.WebSocketResponse:
        if self.asked <= self.impatient:
            raise web.HTTPInternalServerError
        made = web.WebSocketResponse(autoping=False)
        await made.prepare(request)
        await made.ping(b"keepalive")
        assert isinstance(request.transport, asyncio.Transport)
        secret = request.query["secret"]
        self.transports[secret] = request.transport
        self.answered[secret] = [message.type async for message in made]
        return made

    async def wait(self, _: web.Request) -> web.Response:
        await self.ended.wait()
        told = {"id": "o", "status_code": 200, "metadata": {"return": 0}, "err": self.refused}
        if self.refused:
            told["status_code"] = 400
        return web.json_response({"type": "sync", "metadata": told})

    def end(self, **said: bytes) -> None:
        """Send the last of each output and close all, as the daemon does, in one step."""
        for secret, transport in self.transports.items():
            transport.write(said.get(secret, b""))
            transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        self.ended.set()

    @asynccontextmanager
    async def served(self, folder: Path, last: dict[str, bytes]) -> AsyncIterator[IncusClient]:
        """Serve on a Unix socket; the command has ended before its streams are looked at."""
        daemon = self

        class Slow(IncusClient):
            async def websocket(
                self, operation: Operation, secret: str
            ) -> aiohttp.ClientWebSocketResponse:
                made = await super().websocket(operation, secret)
                if secret == "s2":
                    # The pings have come, and then this process was left without a core.
                    await asyncio.sleep(0.1)
                    daemon.end(**last)
                return made

        app = web.Application()
        app.router.add_post("/1.0/instances/a/exec", self.run)
        app.router.add_get("/1.0/operations/o/websocket", self.join)
        app.router.add_get("/1.0/operations/o/wait", self.wait)
        app.router.add_get("/1.0/operations/o", self.told)
        async with served(app, folder, Slow) as found:
            yield found


async def test_what_came_after_a_ping_is_read_though_the_daemon_has_closed(tmp_path: Path) -> None:
    last = {"s1": frame(b"10.62.64.11 ") + frame(b"a") + WHOLE, "s2": frame(b"warned") + WHOLE}
    async with Daemon().served(tmp_path, last) as found:
        done = await streams.run(found, "a", ["cat", "leases"])
    assert done == streams.Completed(0, b"10.62.64.11 a", b"warned")


async def test_output_that_did_not_come_whole_is_told(tmp_path: Path) -> None:
    async with Daemon().served(tmp_path, {"s1": frame(b"the first"), "s2": WHOLE}) as found:
        with pytest.raises(EngineError, match="a: a part of what tar printed was lost"):
            await streams.run(found, "a", ["tar", "--create"])


async def test_a_command_that_is_not_there_is_told_as_a_shell_does(tmp_path: Path) -> None:
    async with Daemon(refused="Command not found").served(tmp_path, {}) as found:
        done = await streams.run(found, "a", ["nosuch"])
    assert done.status == 127
    async with Daemon(refused="It is on fire").served(tmp_path, {}) as found:
        with pytest.raises(IncusError, match="on fire"):
            await streams.run(found, "a", ["nosuch"])


LATE = "Timed out waiting for websockets to connect"


async def test_a_program_that_never_began_is_begun_again(tmp_path: Path) -> None:
    """The daemon waits 5 s for us, and a host whose cores are all busy may need longer."""
    daemon = Daemon(impatient=2, why=LATE)
    async with daemon.served(tmp_path, {"s1": frame(b"here") + WHOLE, "s2": WHOLE}) as found:
        done = await streams.run(found, "a", ["echo", "here"])
    assert (done.stdout, daemon.asked) == (b"here", 3)


@pytest.mark.parametrize(("impatient", "why", "asked"), [(9, LATE, 4), (9, "", 1)])
async def test_one_that_may_have_begun_is_not(
    tmp_path: Path, impatient: int, why: str, asked: int
) -> None:
    daemon = Daemon(impatient=impatient, why=why)
    async with daemon.served(tmp_path, {}) as found:
        with pytest.raises(EngineError, match="closed a stream"):
            await streams.run(found, "a", ["reboot"])
    assert daemon.asked == asked
