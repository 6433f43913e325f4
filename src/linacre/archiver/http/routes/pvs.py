"""The archived PVs and how it stands with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query

from linacre.archiver.http.api import Api, ApiOf, Pattern, escaped
from linacre.archiver.http.models import NameList, Status, StatusList
from linacre.archiver.service import ChannelState, ChannelStatus, NoSuchPvError

router = APIRouter(tags=["PVs"])

Limit = Annotated[int, Query(ge=0, le=100_000, description="At most so many.")]
Offset = Annotated[int, Query(ge=0, le=1 << 31, description="Leave out so many first.")]


class Order(StrEnum):
    """What the PVs are sorted by; those that are alike by name."""

    NAME = "pv"
    STATE = "state"
    RATE = "rate_hz"
    LAST = "last_ns"
    LOSSES = "losses"
    DROPPED = "dropped"


_KEYS: Mapping[Order, Callable[[ChannelStatus], Any]] = {
    Order.NAME: lambda one: one.spec.pv,
    Order.STATE: lambda one: one.state.value,
    Order.RATE: lambda one: one.rate_hz,
    Order.LAST: lambda one: one.last_ns,
    Order.LOSSES: lambda one: one.losses,
    Order.DROPPED: lambda one: sum(one.drops.values()),
}


@router.get("/pvs", summary="The archived PVs with their states")
async def pvs(
    api: ApiOf,
    pattern: Pattern = "*",
    state: Annotated[
        list[ChannelState] | None, Query(description="Only those in one of these states.")
    ] = None,
    order: Annotated[Order, Query(description="What they are sorted by.")] = Order.NAME,
    descending: Annotated[bool, Query(description="The greatest first.")] = False,
    limit: Limit = 1000,
    offset: Offset = 0,
) -> StatusList:
    """Give the PVs that are archived now, in order."""

    def look() -> StatusList:
        found = api.control.status(pattern)
        states = Counter(str(one.state) for one in found)
        if state:
            found = [one for one in found if one.state in state]
        found.sort(key=_KEYS[order], reverse=descending)
        shown = [Status.of(one) for one in found[offset : offset + limit]]
        return StatusList(total=len(found), states=states, pvs=shown)

    return await api.blocking.call(look)


@router.get("/pvs/{pv:path}", summary="One archived PV with its state")
async def pv(api: ApiOf, pv: str) -> Status:
    """Give one PV; its name is percent-encoded in the path."""
    return await api.blocking.call(status_of_one, api, pv)


@router.get("/names", summary="Names of PVs that have data")
async def names(
    api: ApiOf, pattern: Pattern = "*", limit: Limit = 1000, offset: Offset = 0
) -> NameList:
    """Give the names of all PVs that can be read, those too that are no longer archived."""
    found = await api.blocking.call(api.reader.pvs, pattern)
    return NameList(total=len(found), pvs=found[offset : offset + limit])


def status_of_one(api: Api, pv: str) -> Status:
    """Return how it stands with one PV; may block; `NoSuchPvError`."""
    for one in api.control.status(escaped(pv)):
        if one.spec.pv == pv:
            return Status.of(one)
    raise NoSuchPvError(pv)
