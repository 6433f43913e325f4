from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest
from fakes import FakeClock, FakeControl, FakeReader, an_archive

from linacre.archiver.http.app import make_app
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
        app = make_app(reader, control, settings or HttpSettings(), clock=FakeClock())
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://archiver") as made:
            yield made

    return client


@pytest.fixture
async def client(opened: Opener) -> AsyncIterator[httpx.AsyncClient]:
    async with opened() as made:
        yield made
