"""The first process of a machine, in whose network clients are run."""

from __future__ import annotations

import asyncio

from common.facility import BenchFacility
from linacre.base.errors import LinacreError
from linacre.engines.incus.connection import IncusSettings
from linacre.engines.incus.engine import IncusEngine


def init_of(facility: BenchFacility, machine: str) -> int:
    """Return the pid of a running machine's init, as this host counts."""

    async def ask() -> int:
        engine = IncusEngine(facility.name, facility.paths, IncusSettings())
        await engine.open()
        try:
            found = {each.name: each.pid for each in await engine.machines()}
        finally:
            await engine.close()
        pid = found[machine]
        if pid is None:
            raise LinacreError(f"{machine} does not run in the benchmark")
        return pid

    return asyncio.run(ask())
