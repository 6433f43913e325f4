"""An archiver's app that is served on a port of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import websockets

Start = Callable[..., Any]


class Served:
    def __init__(self, port: int, stop: asyncio.Event, task: asyncio.Task[None]) -> None:
        self.host = f"127.0.0.1:{port}"
        self.stop = stop
        self.task = task

    def live(self, query: str, **options: Any) -> Any:
        return websockets.connect(f"ws://{self.host}/api/v1/live?{query}", **options)
