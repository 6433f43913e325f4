"""Requests to a daemon that is silent, or whose helper for files cannot be reached."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath

import pytest
from aiohttp import web
from daemon_support import served

from linacre.base.errors import EngineError
from linacre.engines.incus import client, files
from linacre.engines.incus.client import IncusClient, IncusError
from linacre.engines.incus.files import Files

PATH = PurePosixPath("/etc/x")
LOST = "dial unix /proc/self/fd/14/forkfile.sock: connect: no such file or directory"


def refused(said: str, status: int = 500) -> web.Response:
    body = {"type": "error", "error": said, "error_code": status}
    return web.json_response(body, status=status)


class Daemon:
    """A daemon that answers for one file, in turn, and for nothing else."""

    def __init__(self, *answers: web.Response) -> None:
        self.left = list(answers)
        self.written: list[bytes] = []

    async def answer(self, request: web.Request) -> web.Response:
        if request.method == "POST":
            self.written.append(await request.read())
        return self.left.pop(0)

    @staticmethod
    async def silent(_: web.Request) -> web.Response:
        await asyncio.sleep(3600)
        raise AssertionError

    @asynccontextmanager
    async def served(self, folder: Path) -> AsyncIterator[IncusClient]:
        app = web.Application()
        app.router.add_route("*", "/1.0/instances/a/files", self.answer)
        app.router.add_get("/1.0/silent", self.silent)
        async with served(app, folder) as found:
            yield found


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_PERIOD_S", 0.001)
    monkeypatch.setattr(files, "_TAKEN_BACK_S", 0.01)


async def test_a_daemon_that_is_silent_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_SILENCE_LIMIT_S", 0.05)
    async with Daemon().served(tmp_path) as found:
        with pytest.raises(EngineError, match=r"unix\.socket does not answer"):
            await found.request("GET", "/1.0/silent")


async def test_a_helper_that_is_lost_is_asked_for_again(tmp_path: Path) -> None:
    daemon = Daemon(refused(LOST), refused(LOST), web.json_response({"type": "sync"}))
    async with daemon.served(tmp_path) as found:
        await Files(found, project="p").write("a", PATH, b"all of it")
    assert daemon.written == [b"all of it"] * 3


async def test_a_helper_that_stays_lost_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_TRIES", 3)
    async with Daemon(*(refused(LOST) for _ in range(3))).served(tmp_path) as found:
        with pytest.raises(IncusError, match=r"forkfile\.sock"):
            await Files(found, project="p").write("a", PATH, b"")


async def test_what_else_is_refused_is_told_at_once(tmp_path: Path) -> None:
    daemon = Daemon(refused("no space left on device"))
    async with daemon.served(tmp_path) as found:
        with pytest.raises(IncusError, match="no space left on device"):
            await Files(found, project="p").write("a", PATH, b"")


async def test_a_file_is_read_or_is_not_there(tmp_path: Path) -> None:
    daemon = Daemon(refused(LOST), web.Response(body=b"text"), refused("Not Found", 404))
    async with daemon.served(tmp_path) as found:
        reader = Files(found, project="p")
        assert await reader.read("a", PATH) == b"text"
        assert await reader.read("a", PATH) is None


async def test_a_helper_of_ours_is_ended_and_another_process_is_not(tmp_path: Path) -> None:
    note = tmp_path / "run/p_a/forkfile.pid"
    note.parent.mkdir(parents=True)
    program = "import signal, time; signal.signal(2, signal.SIG_DFL); time.sleep(60)"
    helper = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, "forkfile", stderr=asyncio.subprocess.DEVNULL
    )
    other = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        for process in (helper, other):
            note.write_text(f"{process.pid}\n")
            daemon = Daemon(refused(LOST), web.json_response({"type": "sync"}))
            async with daemon.served(tmp_path) as found:
                await Files(found, project="p").write("a", PATH, b"")
        assert await asyncio.wait_for(helper.wait(), 5) != 0
        assert other.returncode is None
    finally:
        other.kill()
        await other.wait()


async def test_a_file_without_end_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_LARGEST_FILE", 1000)
    async with Daemon(web.Response(body=bytes(5000))).served(tmp_path) as found:
        with pytest.raises(EngineError, match="its answer has no end"):
            await Files(found, project="p").read("a", PATH)
