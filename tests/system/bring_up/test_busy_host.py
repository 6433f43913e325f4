"""What is told on a host whose cores are all busy."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

from harness import Site

TIMES, AT_ONCE = 120, 6


@contextlib.contextmanager
def busy() -> Iterator[None]:
    """Leave no core idle."""
    burning = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        for _ in range(4 * (os.cpu_count() or 1))
    ]
    try:
        yield
    finally:
        for one in burning:
            one.kill()
            one.wait()


def test_all_that_a_command_printed_is_told(three: Site) -> None:
    async def work() -> list[bytes]:
        limit = asyncio.Semaphore(AT_ONCE)
        async with three.engine() as engine:

            async def one(n: int) -> bytes:
                async with limit:
                    return (await engine.exec("sim", ["echo", str(n)])).stdout

            return await asyncio.gather(*(one(n) for n in range(TIMES)))

    with busy():
        said = asyncio.run(work())
    assert said == [f"{n}\n".encode() for n in range(TIMES)]
