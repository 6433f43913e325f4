"""What is refused before it is read: other sites' pages, rebound names, bodies without end.

A browser in a control room has other pages open than ours, and any of them may send requests
here. Its `Origin` tells whose page asks, and its `Host` the name by which it believes to ask: a
name of elsewhere may have been made to mean this address meanwhile (DNS rebinding), an address
cannot.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

LARGEST_BODY = 4 << 20
"""Bytes; 10,000 names of PVs need a tenth of it."""
BODY_LIMIT_S = 60.0
"""How long a client may take to send its body."""

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_POLICY_VIOLATION = 1008
_TOO_LARGE = f"the body is larger than {LARGEST_BODY >> 20} MiB: send it in parts"
_GONE: Message = {"type": "http.disconnect"}


class Guard:
    """An ASGI app in front of another, which gets only what may be meant for it."""

    def __init__(self, app: App, *, names: Iterable[str] = ()) -> None:
        """Let requests through to `app` that name this host's addresses, or one of the names."""
        self._app = app
        own = (socket.gethostname(), "localhost", *names)
        self._names = frozenset(name.lower().rstrip(".") for name in own)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"]]
        if (refusal := self._refusal(scope, headers)) is not None:
            return await _refuse(scope, receive, send, *refusal)
        if scope["type"] == "websocket":
            return await self._app(scope, receive, send)
        await self._bounded(scope, receive, send)

    def _refusal(
        self, scope: MutableMapping[str, Any], headers: list[tuple[str, str]]
    ) -> tuple[int, str] | None:
        """Return the status and the line by which a request is refused, or None."""
        hosts = [value for name, value in headers if name == "host"]
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            said = hosts[0][:100] if hosts else "nothing"
            return 421, (
                f"this archiver is not called {said!r}: ask it by its address, or start it with "
                "that name as one of its own"
            )
        changes = scope["type"] == "websocket" or scope["method"] not in _READING
        origins = [value for name, value in headers if name == "origin"]
        if changes and any(not _is_same(origin, hosts[0]) for origin in origins):
            return 403, f"a page of {origins[0][:100]!r} may not do this: open the archiver's own"
        lengths = [value for name, value in headers if name == "content-length"]
        if any(_is_too_large(length) for length in lengths):
            return 413, _TOO_LARGE
        return None

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        try:
            ip_address(name)
        except ValueError:
            return name.rstrip(".") in self._names
        return True

    async def _bounded(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve a request of which the body may be longer, or slower, than it says.

        One that is goes no further: the client is told, and the app that it has gone.
        """
        taken = 0
        is_whole = is_over = has_begun = False
        end = asyncio.get_running_loop().time() + BODY_LIMIT_S

        async def take() -> Message:
            nonlocal taken, is_whole, is_over
            if is_over:
                return _GONE
            if is_whole:
                # Only that the client goes is told from here on.
                return await receive()
            try:
                async with asyncio.timeout_at(end):
                    message = await receive()
            except TimeoutError:
                refusal = (408, f"the body did not come within {BODY_LIMIT_S:.0f} s")
            else:
                taken += len(message.get("body", b""))
                is_whole = not message.get("more_body", False)
                if taken <= LARGEST_BODY:
                    return message
                refusal = (413, _TOO_LARGE)
            is_over = True
            if not has_begun:
                await _refuse(scope, receive, send, *refusal)
            return _GONE

        async def give(message: Message) -> None:
            nonlocal has_begun
            if not is_over:
                has_begun = True
                await send(message)

        await self._app(scope, take, give)


def _is_too_large(length: str) -> bool:
    # Python refuses to read a number of thousands of digits.
    return not length.isdecimal() or len(length) > 15 or int(length) > LARGEST_BODY


def _is_same(origin: str, host: str) -> bool:
    """Tell whether a page's origin is the server that it asks; `null` is nobody's."""
    try:
        found = urlsplit(origin)
    except ValueError:
        return False
    return found.scheme in ("http", "https") and found.netloc.lower() == host.lower()


async def _refuse(
    scope: MutableMapping[str, Any], receive: Receive, send: Send, status: int, detail: str
) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": detail[:120]})
        return
    body = json.dumps({"detail": detail}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        # What is still to come of the body is not waited for.
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
