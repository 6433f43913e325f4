"""An app on a Unix socket, where a test needs what a real daemon seldom does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from linacre.engines.incus.client import IncusClient


@asynccontextmanager
async def served(
    app: web.Application, folder: Path, client: type[IncusClient] = IncusClient
) -> AsyncIterator[IncusClient]:
    """Serve an app as the daemon; give a client of it."""
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    try:
        await web.UnixSite(runner, str(folder / "unix.socket")).start()
        async with client(folder / "unix.socket", project="p") as found:
            yield found
    finally:
        await runner.cleanup()
