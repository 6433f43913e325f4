"""Speaking with an archiver over HTTP, through the engine: its network need not be ours."""

from __future__ import annotations

import asyncio
import json
import tomllib
from collections.abc import Mapping
from typing import Any, cast

from linacre.base.connecting import connecting
from linacre.base.errors import EngineError, LinacreError
from linacre.base.plain_http import exchange, parse, question
from linacre.declaration.models import ARCHIVER_PORT
from linacre.declaration.models.archiver_values import parted_pv
from linacre.engines.base import Capability, Engine

_LIMIT_S = 10.0
_LARGEST = 256 << 20
_AT_ONCE = 5000
"""PVs in one request: an archiver takes no endless ones."""
_API = "/api/v1"


class ArchiverError(LinacreError):
    """An archiver does not answer, or refuses what it is asked."""


async def ask(
    engine: Engine,
    name: str,
    path: str,
    body: object | None = None,
    *,
    method: str | None = None,
    limit_s: float = _LIMIT_S,
) -> Any:
    """Return the JSON that an archiver answers to a GET, or with a body to a POST.

    `path` is below /api/v1 and may have a query. Raises `ArchiverError` with its own words.
    """
    verb = method or ("GET" if body is None else "POST")
    status, answer = await _request(engine, name, verb, _API + _below(path), body, limit_s=limit_s)
    if status >= 300:
        raise ArchiverError(f"{name}: {_words(answer, status)}")
    try:
        return json.loads(answer) if answer else None
    except (ValueError, RecursionError):
        see = f"see linacre archiver log {name}"
        raise ArchiverError(f"{name}: its answer to {path} is no JSON; {see}") from None


async def tell(engine: Engine, name: str, settings: str) -> None:
    """Tell an archiver that runs what its settings say now: its PVs and its end.

    What is there is left as it is: nothing is archived twice, and nothing given up.
    """
    told = tomllib.loads(settings)
    # A past end is one too: it ends at once.
    await ask(engine, name, "end", {"end": told.get("until")})
    specs = [_spec(each) for each in told["pvs"]]
    for start in range(0, len(specs), _AT_ONCE):
        await ask(engine, name, "pvs", specs[start : start + _AT_ONCE], limit_s=60.0)


def _spec(said: str) -> dict[str, Any]:
    """Return a PV as the API takes it: `pva://NAME scan 10` in fields."""
    before, name, behind = parted_pv(said)
    spec: dict[str, Any] = {"pv": name, "provider": before.removesuffix("://") or "ca"}
    method, _, period = behind.strip().partition(" ")
    if method:
        spec["method"] = method
    return spec | ({"period_s": float(period)} if period else {})


def _below(path: str) -> str:
    return f"/{path}" if path else ""


async def answers(engine: Engine, name: str, *, limit_s: float = 1.0) -> bool:
    """Tell whether an archiver answers requests, whatever its health.

    An open port does not say so: connections wait there while the program still starts.
    """
    try:
        await _request(engine, name, "GET", "/healthz", None, limit_s=limit_s)
    except ArchiverError:
        return False
    return True


async def _request(
    engine: Engine, name: str, verb: str, path: str, body: object | None, *, limit_s: float
) -> tuple[int, bytes]:
    """Return the status and the body of an answer; `ArchiverError` where none comes."""

    def told(why: str) -> ArchiverError:
        return ArchiverError(f"{name} does not answer ({why}); see linacre archiver log {name}")

    with connecting(told, EngineError, ValueError):
        async with asyncio.timeout(limit_s):
            answer = parse(await _exchanged(engine, name, _question(name, verb, path, body)))
    return answer.status, answer.body


def _question(name: str, verb: str, path: str, body: object | None) -> bytes:
    said = {"Accept": "application/json", "Content-Type": "application/json"}
    data = b"" if body is None else json.dumps(body).encode()
    return question(verb, path, host=name, headers=said, body=data)


async def _exchanged(engine: Engine, name: str, request: bytes) -> bytes:
    """Return all that an archiver sends back before it closes the connection."""
    able = engine.capabilities()
    if Capability.FILE_SYSTEM in able and Capability.CABLES not in able:
        # The machine's host is another one, and only commands get into it.
        argv = ["nc", "127.0.0.1", str(ARCHIVER_PORT)]
        return (await engine.exec(name, argv, stdin=request)).stdout
    reader, writer = await engine.connect(name, ARCHIVER_PORT)
    return await exchange(reader, writer, request, largest=_LARGEST)


def _words(answer: bytes, status: int) -> str:
    """Return what an error's body says, in a line."""
    told: object
    try:
        told = json.loads(answer)
    except (ValueError, RecursionError):
        return f"HTTP status {status}"
    if isinstance(told, Mapping):
        told = cast("Mapping[str, object]", told).get("detail")
    return told if isinstance(told, str) else f"HTTP status {status}"
