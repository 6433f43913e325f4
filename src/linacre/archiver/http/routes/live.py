"""New samples as they are stored, over a WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, cast

import pyarrow as pa
from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect

from linacre.archiver.http.api import Api, api_of
from linacre.archiver.http.errors import line_of
from linacre.archiver.http.formats import json_rows
from linacre.archiver.http.parameters import unknown
from linacre.archiver.http.tables import kind_of
from linacre.archiver.model import Kind
from linacre.archiver.service import Follower, NoSuchPvError
from linacre.base.errors import LinacreError

router = APIRouter(tags=["data"])

TOKEN_WAIT_S = 5.0
"""How long a client may take to send its token as its first message."""


class _RefusedError(Exception):
    """The client is told why, and the connection is closed with a code of 4000 and a status."""

    def __init__(self, status: int, why: str) -> None:
        self.status = status
        self.why = why


@router.websocket("/live")
async def live(
    socket: WebSocket,
    pv: Annotated[list[str], Query(description="The PV's name; may be repeated.")],
) -> None:
    """Send `{"type": "samples", "pv", "kind", "fields", "rows", "lost"}` as samples are stored.

    `lost` is how many older ones this client lost since it was told last, being too slow. The first
    message is `{"type": "following", "pvs": [...]}`. Where reading needs a token and the client
    cannot send a header, its first message is `{"token": "..."}`. What is wrong is told as
    `{"type": "error", "detail"}`, and the connection closed with the code 4000 + HTTP's status.
    """
    api = api_of(socket)
    await socket.accept()
    try:
        await _check(api, socket)
        if (wrong := unknown(socket)) is not None:
            raise _RefusedError(422, wrong)
        follower = await _follow(api, pv)
    except _RefusedError as refused:
        await socket.send_json({"type": "error", "detail": refused.why})
        await socket.close(4000 + refused.status)
        return
    except WebSocketDisconnect:
        return
    sending = asyncio.create_task(_send(api, socket, follower, pv))
    leaving = asyncio.create_task(_until_gone(socket))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, leaving):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await task
        follower.close()


async def _check(api: Api, socket: WebSocket) -> None:
    if not (api.settings.tokens and api.settings.protect_reading):
        return
    scheme, _, token = socket.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        try:
            said = await asyncio.wait_for(socket.receive_text(), TOKEN_WAIT_S)
            token = cast("dict[str, Any]", json.loads(said))["token"]
        except (TimeoutError, ValueError, KeyError, TypeError):
            raise _RefusedError(401, 'this archiver needs a token: send {"token": "..."}') from None
    if not isinstance(token, str) or not api.settings.accepts(token.strip()):
        raise _RefusedError(401, "this archiver does not know this token")


async def _follow(api: Api, pvs: list[str]) -> Follower:
    def begin() -> Follower:
        known = {status.spec.pv for status in api.control.status()}
        for pv in pvs:
            if pv not in known:
                raise NoSuchPvError(pv)
        return api.control.follow(pvs)

    try:
        return await api.blocking.call(begin)
    except NoSuchPvError as error:
        raise _RefusedError(404, line_of(error)) from error
    except LinacreError as error:
        raise _RefusedError(409, line_of(error)) from error


async def _send(api: Api, socket: WebSocket, follower: Follower, pvs: list[str]) -> None:
    await socket.send_json({"type": "following", "pvs": pvs})
    while True:
        # It does not wait in its thread: a hundred displays would hold a hundred of them.
        for text in await api.blocking.call(_taken, follower):
            # While a slow client's buffer is full this waits, and its follower loses the oldest.
            await socket.send_text(text)
        await asyncio.sleep(api.settings.live_period_s)


def _taken(follower: Follower) -> list[str]:
    tables: Mapping[str, pa.Table] = follower.take(0.0)
    return [_message(pv, table) for pv, table in tables.items()]


def _message(pv: str, table: pa.Table) -> str:
    metadata: Any = table.schema.metadata or {}
    kind = kind_of(table.schema)
    batches = (json_rows(b, struct=kind == Kind.STRUCT) for b in table.to_batches())
    rows = ",".join(text for text in batches if text)
    told = {
        "type": "samples",
        "pv": pv,
        "kind": kind,
        "lost": int(metadata.get(b"linacre.lost", b"0")),
        "fields": table.schema.names,
    }
    return f'{json.dumps(told, ensure_ascii=False)[:-1]}, "rows": [{rows}]}}'


async def _until_gone(socket: WebSocket) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await socket.receive_text()
