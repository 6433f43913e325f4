"""Where a facility's record is kept in the daemon, and how it came there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from linacre.engines.incus.client import IncusClient
from linacre.engines.incus.project import Project

PROJECT, PROFILE = "/1.0/projects/linacre-f", "/1.0/profiles/linacre"


class Daemon:
    """Keeps projects and profiles; what it is asked is told."""

    def __init__(self, **project: str) -> None:
        self.kept = {PROJECT: {"config": dict(project), "description": ""}}
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path}")
        body = await request.json() if request.can_read_body else {}
        if request.method == "POST":
            self.kept[f"{request.path}/{body['name']}"] = body
        elif request.path not in self.kept:
            gone = {"type": "error", "error_code": 404, "error": "not found"}
            return web.json_response(gone, status=404)
        elif request.method == "PUT":
            self.kept[request.path] = self.kept[request.path] | body
        elif request.method == "DELETE":
            del self.kept[request.path]
        found: Any = self.kept.get(request.path)
        return web.json_response({"type": "sync", "status_code": 200, "metadata": found})


@asynccontextmanager
async def project_in(daemon: Daemon, folder: Path) -> AsyncIterator[Project]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", daemon.answer)
    runner, socket = web.AppRunner(app), folder / "unix.socket"
    await runner.setup()
    try:
        await web.UnixSite(runner, str(socket)).start()
        async with IncusClient(socket, project="linacre-f") as client:
            yield Project(client, "f", folder=folder)
    finally:
        await runner.cleanup()


async def test_what_an_earlier_version_recorded_is_read_and_taken_over(tmp_path: Path) -> None:
    daemon = Daemon(**{"features.images": "true", "user.linacre.live.mag": "mag-twin"})
    async with project_in(daemon, tmp_path) as project:
        assert await project.record() == {"live.mag": "mag-twin"}
        await project.set_record({"cable.mag": "-", "live.bpm": None})
        assert await project.record() == {"live.mag": "mag-twin", "cable.mag": "-"}
        assert daemon.kept[PROJECT]["config"] == {"features.images": "true"}


async def test_the_project_itself_is_not_asked_again_and_again(tmp_path: Path) -> None:
    """It costs as much as there are machines."""
    daemon = Daemon()
    async with project_in(daemon, tmp_path) as project:
        await project.set_record({"live.mag": "mag-twin"})
        daemon.asked.clear()
        await project.set_record({"live.mag": None, "digest": "d"})
        assert await project.record() == {"digest": "d"}
        assert not [asked for asked in daemon.asked if PROJECT in asked]
        await project.remove()
        assert not daemon.kept
