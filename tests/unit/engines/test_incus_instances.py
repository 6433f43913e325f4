"""Lists of instances as the daemon gives them where it fails at one of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from linacre.base.errors import EngineError
from linacre.engines.incus import instances
from linacre.engines.incus.cable import Cables
from linacre.engines.incus.client import IncusClient
from linacre.engines.incus.instances import Instances
from linacre.engines.incus.pool import Ceiling, Pool
from linacre.engines.incus.walls import Walls

WHOLE = {"name": "a", "status": "Stopped", "config": {"user.linacre.kind": "ioc"}}
# What Incus 6 says of one whose state it could not read, with the status of the list being 200.
UNTOLD = {"name": "a", "status": "Error", "status_code": 112, "config": None, "state": None}


@asynccontextmanager
async def daemon(folder: Path, answers: list[list[Any]]) -> AsyncIterator[Instances]:
    """Serve one list after the other, the last one for good."""
    left = list(answers)

    async def listed(_: web.Request) -> web.Response:
        found = left.pop(0) if len(left) > 1 else left[0]
        return web.json_response({"type": "sync", "status_code": 200, "metadata": found})

    app = web.Application()
    app.router.add_get("/1.0/instances", listed)
    runner, socket = web.AppRunner(app), folder / "unix.socket"
    await runner.setup()
    try:
        await web.UnixSite(runner, str(socket)).start()
        async with IncusClient(socket, project="p") as client:
            yield Instances(
                client,
                "f",
                pool=Pool.__new__(Pool),
                cables=Cables.__new__(Cables),
                walls=Walls.__new__(Walls),
            )
    finally:
        await runner.cleanup()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instances, "_LIST_PERIOD_S", 0.001)


async def test_one_that_is_just_ending_is_asked_for_again(tmp_path: Path) -> None:
    async with daemon(tmp_path, [[UNTOLD], [UNTOLD], [WHOLE]]) as found:
        assert await found.all() == [WHOLE]


async def test_one_that_stays_untold_is_named_and_not_taken_for_half_made(tmp_path: Path) -> None:
    async with daemon(tmp_path, [[WHOLE | {"name": "b"}, UNTOLD]]) as found:
        with pytest.raises(EngineError, match="does not say what a is like"):
            await found.all()


def test_a_disk_that_nobody_bounded_gets_a_ceiling_only_where_one_is_declared() -> None:
    share, declared = Ceiling(5, is_declared=False), Ceiling(5, is_declared=True)
    assert [share.beside(found) for found in (None, "9")] == [None, 5]
    assert [declared.beside(found) for found in (None, "9")] == [5, 5]
