"""The archiver as a whole: what it is, whether it is well, its metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Response

from linacre.archiver.http.api import ApiOf
from linacre.archiver.http.metrics import CONTENT_TYPE, metrics_text
from linacre.archiver.http.models import ArchiverInfo, Health
from linacre.archiver.service import ChannelStatus, Info

router = APIRouter(tags=["archiver"])
metrics_router = APIRouter(tags=["archiver"])
open_router = APIRouter(tags=["archiver"])


@router.get("", summary="The archiver as a whole")
async def info(api: ApiOf) -> ArchiverInfo:
    """Give its name, owner, end, clock, and counts since its start."""
    found = await api.blocking.call(api.control.info)
    return ArchiverInfo.of(found, now_ns=api.now_ns(), tokens=bool(api.settings.tokens))


@open_router.get(
    "/healthz",
    summary="Whether it can do its work",
    responses={503: {"model": Health, "description": "It cannot write to its disk."}},
)
async def healthz(api: ApiOf, response: Response) -> Health:
    """Give 200 while samples can be stored, or after the archiver's end. Never needs a token."""
    found = await api.blocking.call(api.control.info)
    if found.disk_full:
        response.status_code = 503
        return Health(status="disk full")
    return Health(status="ended" if found.read_only else "ok")


@metrics_router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus' text format."}},
)
async def metrics(
    api: ApiOf,
    pvs: Annotated[bool, Query(description="Give metrics of each PV too.")] = False,
) -> Response:
    """Give samples stored, drops by reason, PVs by state, bytes, lag; each PV's only if asked."""

    def look() -> tuple[Info, Sequence[ChannelStatus]]:
        return api.control.info(), api.control.status()

    found, channels = await api.blocking.call(look)
    text = metrics_text(found, channels, now_ns=api.now_ns(), per_pv=pvs)
    return Response(text, media_type=CONTENT_TYPE)
