"""Changes of what is archived: add, pause, resume, remove, and the archiver's end."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Query

from linacre.archiver.http.api import Api, ApiOf
from linacre.archiver.http.models import (
    Added,
    ArchiverInfo,
    Changed,
    EndTime,
    Names,
    PvSpec,
    Removal,
)
from linacre.archiver.model import ChannelSpec, Provider
from linacre.archiver.service import NoSuchPvError
from linacre.base.errors import UserError

router = APIRouter(tags=["changes"])

MOST_AT_ONCE = 20_000
"""PVs that one request may add."""
_EXAMPLE = ["CLA-S01-BPM-01:X", {"pv": "CLA-S01-MAG-01:READI", "method": "scan", "period_s": 10}]


@router.post("/pvs", summary="Archive PVs")
async def add(
    api: ApiOf,
    pvs: Annotated[
        list[str | PvSpec],
        Body(
            min_length=1,
            max_length=MOST_AT_ONCE,
            description="Names (`pva://NAME` for pvAccess), or names with settings.",
            examples=[_EXAMPLE],
        ),
    ],
) -> Added:
    """Begin to archive PVs; for those that are archived already, set their method."""
    specs = {spec.pv: spec for spec in (_spec(one) for one in pvs)}
    new = await api.blocking.call(api.control.add, list(specs.values()))
    return Added(
        added=[pv for pv, fresh in new.items() if fresh],
        already=[pv for pv, fresh in new.items() if not fresh],
    )


@router.post("/pvs/pause", summary="Take no more samples of some PVs")
async def pause(api: ApiOf, which: Names) -> Changed:
    """Take no more samples until they are resumed; survives a restart.

    The answer has those that were not paused before.
    """
    names = await api.blocking.call(_named, api, which)
    return Changed(pvs=await api.blocking.call(api.control.pause, names))


@router.post("/pvs/resume", summary="Take samples of paused PVs again")
async def resume(api: ApiOf, which: Names) -> Changed:
    """Take samples again; the answer has those that were paused."""
    names = await api.blocking.call(_named, api, which)
    return Changed(pvs=await api.blocking.call(api.control.resume, names))


@router.post("/pvs/remove", summary="Archive some PVs no more")
async def remove_some(api: ApiOf, which: Removal) -> Changed:
    """Archive them no more; their data stay and can be read, unless they are deleted too."""
    names = await api.blocking.call(_named, api, which)
    await api.blocking.call(api.control.remove, names, delete_data=which.delete_data)
    return Changed(pvs=names)


@router.delete("/pvs/{pv:path}", summary="Archive a PV no more")
async def remove(
    api: ApiOf,
    pv: str,
    delete_data: Annotated[bool, Query(description="Delete its samples too, for good.")] = False,
) -> Changed:
    """Archive it no more; its data stay and can be read, unless they are deleted too."""
    await api.blocking.call(api.control.remove, [pv], delete_data=delete_data)
    return Changed(pvs=[pv])


@router.post("/end", summary="Move the archiver's end")
async def end(api: ApiOf, when: EndTime) -> ArchiverInfo:
    """Set when it stops to take samples, `now` included; after it, it only serves its data."""
    ends_ns = None if when.end is None else api.time(str(when.end), "end")
    await api.blocking.call(api.control.extend, ends_ns)
    found = await api.blocking.call(api.control.info)
    return ArchiverInfo.of(found, now_ns=api.now_ns(), tokens=bool(api.settings.tokens))


def _spec(given: str | PvSpec) -> ChannelSpec:
    spec = ChannelSpec(pv=given) if isinstance(given, str) else given.spec()
    for provider in Provider:
        if isinstance(given, str) and given.startswith(f"{provider}://"):
            spec = ChannelSpec(pv=given.removeprefix(f"{provider}://"), provider=provider)
    if not spec.pv or "*" in spec.pv or any(c.isspace() for c in spec.pv):
        raise UserError(f"{spec.pv!r} is not a PV's name: give whole names, one by one")
    return spec


def _named(api: Api, which: Names) -> list[str]:
    if which.pattern is None:
        if not which.pvs:
            raise UserError('name the PVs: {"pvs": ["NAME"]} or {"pattern": "CLA-*"}')
        return list(dict.fromkeys(which.pvs))
    if which.pvs:
        raise UserError("pvs and pattern: give one of them, not both")
    found = [one.spec.pv for one in api.control.status(which.pattern)]
    if not found:
        raise NoSuchPvError(f"like {which.pattern}")
    return found
