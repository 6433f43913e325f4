"""What an IOC serves after its first start here, against what its files promised."""

from __future__ import annotations

from collections.abc import Collection

from linacre.base.listing import counted, listed
from linacre.kinds.reports import listed_pvs
from linacre.session.session import Session


async def told_of_served(session: Session, name: str, promised: Collection[str]) -> str | None:
    """Return which records of an IOC that has come up are missing; None where nothing is known."""
    live = (await session.pair(name)).live
    address = session.declaration.facility.iocs[name].address
    served = await listed_pvs(session.engine, live, address)
    return (
        None if served is None or not promised else compared(promised, {pv.name for pv in served})
    )


def compared(promised: Collection[str], served: Collection[str]) -> str:
    """Return in a line how many of the promised records are served, and which are not."""
    missing = [record for record in promised if record not in served]
    count = counted(len(promised), "record")
    if not missing:
        return f"it serves all that the import found, {count}"
    return f"{len(missing)} of {count} that the import found are not served: {listed(missing)}"
