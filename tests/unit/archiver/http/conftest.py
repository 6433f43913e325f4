from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fakes import FakeClock, FakeControl, FakeReader, an_archive
from served import Served, Start

from linacre.archiver.http.app import make_app
from linacre.archiver.http.serve import listen, serve
from linacre.archiver.http.settings import HttpSettings

Opener = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def archive() -> tuple[FakeReader, FakeControl]:
    return an_archive()


@pytest.fixture
def reader(archive: tuple[FakeReader, FakeControl]) -> FakeReader:
    return archive[0]


@pytest.fixture
def control(archive: tuple[FakeReader, FakeControl]) -> FakeControl:
    return archive[1]


@pytest.fixture
def opened(reader: FakeReader, control: FakeControl) -> Opener:
    """Gives a client of an app with some settings."""

    @asynccontextmanager
    async def client(settings: HttpSettings | None = None) -> AsyncIterator[httpx.AsyncClient]:
        chosen = replace(settings or HttpSettings(), names=frozenset({"archiver"}))
        app = make_app(reader, control, chosen, clock=FakeClock())
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://archiver") as made:
            yield made

    return client


@pytest.fixture
async def client(opened: Opener) -> AsyncIterator[httpx.AsyncClient]:
    async with opened() as made:
        yield made


@pytest.fixture
async def started(reader: FakeReader, control: FakeControl) -> AsyncIterator[Start]:
    """Serves on a port of its own, and ends it."""
    served: list[Served] = []

    async def start(**settings: Any) -> Served:
        app = make_app(reader, control, HttpSettings(live_period_s=0.01, **settings))
        made, stop = listen("127.0.0.1", 0), asyncio.Event()
        port = made.getsockname()[1]
        served.append(Served(port, stop, asyncio.create_task(serve(app, [made], stop=stop))))
        return served[-1]

    yield start
    for one in served:
        one.stop.set()
        await asyncio.wait_for(one.task, 10)
