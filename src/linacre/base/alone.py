"""One at a time: a block that no other process, and no other task of this one, is in meanwhile."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path


@asynccontextmanager
async def alone(file: Path) -> AsyncGenerator[None]:
    """Hold a lock for the block: an empty file, made with its folder where it is not there.

    It ends with the process that holds it. Held for moments only: who waits says nothing.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as held:
        await asyncio.to_thread(fcntl.flock, held, fcntl.LOCK_EX)
        yield
