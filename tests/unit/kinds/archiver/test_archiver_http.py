"""Speaking with an archiver through the engine: what is sent, and what its answers are told as."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pytest
import pytest_asyncio

from linacre.base.errors import EngineError
from linacre.declaration.models import ARCHIVER_PORT
from linacre.engines.base import Capability, Completed, Engine
from linacre.kinds.archiver.http import ArchiverError, answers, ask, tell


class Program:
    """An archiver's port: it keeps what it was asked, and answers as it is told to."""

    def __init__(self, *, far: bool = False) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.status, self.answer = 200, b"{}"
        self.port = 0
        self._far = far

    def capabilities(self) -> frozenset[Capability]:
        return frozenset(Capability) - ({Capability.CABLES} if self._far else set())

    async def connect(
        self, name: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        assert (name, port, self._far) == ("drift", ARCHIVER_PORT, False)
        if not self.port:
            raise EngineError("drift: port 17665: Connection refused")
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def exec(self, name: str, argv: Sequence[str], *, stdin: bytes) -> Completed:
        assert (name, argv[0]) == ("drift", "nc")
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(stdin)
        said = await reader.read()
        writer.close()
        return Completed(0, said, b"")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        verb, path, _ = (await reader.readline()).decode().split()
        length = 0
        while line := (await reader.readline()).strip():
            key, _, value = line.decode().partition(": ")
            length = int(value) if key == "Content-Length" else length
        body = await reader.readexactly(length)
        self.asked.append((verb, path, json.loads(body) if body else None))
        writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Type: x\r\n\r\n".encode() + self.answer)
        writer.close()


@pytest_asyncio.fixture(params=[False, True], ids=["here", "remote"])
async def program(request: pytest.FixtureRequest) -> AsyncIterator[Program]:
    found = Program(far=request.param)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    yield found
    server.close()


def engine(program: Program) -> Engine:
    return cast(Engine, program)


async def test_it_is_told_its_end_and_its_pvs(program: Program) -> None:
    settings = 'until = "2026-12-24T08:00:00Z"\npvs = ["A", "pva://B scan 10", "C monitor"]\n'
    await tell(engine(program), "drift", settings)
    assert program.asked == [
        ("POST", "/api/v1/end", {"end": "2026-12-24T08:00:00Z"}),
        (
            "POST",
            "/api/v1/pvs",
            [
                {"pv": "A", "provider": "ca"},
                {"pv": "B", "provider": "pva", "method": "scan", "period_s": 10.0},
                {"pv": "C", "provider": "ca", "method": "monitor"},
            ],
        ),
    ]


async def test_one_without_end_and_pvs_is_told_so(program: Program) -> None:
    await tell(engine(program), "drift", "pvs = []\n")
    assert program.asked == [("POST", "/api/v1/end", {"end": None})]


async def test_its_answers(program: Program) -> None:
    program.answer = b'{"pvs": 3}'
    assert await ask(engine(program), "drift", "") == {"pvs": 3}
    assert program.asked == [("GET", "/api/v1", None)]
    program.status, program.answer = 422, b'{"detail": "end: tomorrow is no time"}'
    with pytest.raises(ArchiverError, match=r"^drift: end: tomorrow is no time$"):
        await ask(engine(program), "drift", "end", {"end": "tomorrow"})
    program.status, program.answer = 500, b"Internal Server Error"
    with pytest.raises(ArchiverError, match=r"^drift: HTTP status 500$"):
        await ask(engine(program), "drift", "")
    assert await answers(engine(program), "drift"), "it answers, if with a fault"
    for status, evil in [(200, b"none"), (200, b"[" * 200_000), (500, b"[" * 200_000)]:
        program.status, program.answer = status, evil
        with pytest.raises(ArchiverError, match=r"is no JSON; see linacre archiver log|status 500"):
            await ask(engine(program), "drift", "pvs")


async def test_one_that_is_not_there() -> None:
    silent = Program()
    assert not await answers(engine(silent), "drift")
    with pytest.raises(ArchiverError, match=r"^drift does not answer \(drift: port 17665: Conn"):
        await ask(engine(silent), "drift", "")
