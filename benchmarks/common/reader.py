"""Reads PVs through Channel Access as soon as it is told to, and says how long each took.

A process of its own, started beforehand, so that no figure holds the start of a Python client.
On standard input: a line of JSON with `environment`, `pvs` and `limit_s`. On standard output:
`ready`, then a line of JSON with the seconds to each PV's value, null where none came.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time


def main() -> None:
    """Serve one order."""
    import aioca

    print("ready", flush=True)
    line = sys.stdin.readline()
    if not line:
        return
    order = json.loads(line)
    # libca reads its variables when the first channel is made.
    os.environ.update(order["environment"])
    begun = time.monotonic()

    async def read(pv: str) -> float | None:
        value = await aioca.caget(pv, timeout=order["limit_s"], throw=False)
        return time.monotonic() - begun if value.ok else None

    async def read_all() -> list[float | None]:
        return list(await asyncio.gather(*(read(pv) for pv in order["pvs"])))

    print(json.dumps(asyncio.run(read_all())), flush=True)


if __name__ == "__main__":
    main()
