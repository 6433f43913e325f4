"""The errors of start scripts, against what is declared of them and when IOCs were started."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from ipaddress import IPv4Address

from linacre.base.clock import Clock
from linacre.declaration.models import Ioc
from linacre.engines.base import Engine
from linacre.epics.start_errors import START_ERRORS, StartErrors, read_start_errors

_PATIENCE_S = 1.0
_PERIOD_S = 0.05


def errors_to_see_to(item: Ioc, errors: StartErrors | None) -> StartErrors | None:
    """Return the errors of an IOC's start script that are not accepted; None for none."""
    return errors if errors and errors.count and item.start_errors is None else None


async def errors_of_started(
    engine: Engine, machines: Mapping[str, IPv4Address], *, clock: Clock
) -> dict[str, StartErrors]:
    """Return the errors of the start scripts of IOCs that have just booted, by machine.

    They are told a moment after an IOC has booted. One whose machine does not tell them is
    waited for a second, all at once.
    """
    end = clock.monotonic() + _PATIENCE_S

    async def one(name: str, address: IPv4Address) -> StartErrors | None:
        path = engine.layout(name, address).run / START_ERRORS
        while (data := await engine.read(name, path)) is not None:
            errors = read_start_errors(data)
            if errors is not None or clock.monotonic() > end:
                return errors
            await clock.sleep(_PERIOD_S)
        return None

    told = await asyncio.gather(*(one(*each) for each in machines.items()))
    return {name: errors for name, errors in zip(machines, told, strict=True) if errors}
