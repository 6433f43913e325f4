"""The only place that talks to an Incus daemon: its REST interface, over a socket or HTTPS."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from linacre.base.connecting import connecting
from linacre.base.errors import EngineError, UserError
from linacre.base.plain_http import Answer, exchange, parse, question
from linacre.engines.incus import http

if TYPE_CHECKING:
    import aiohttp

Json = dict[str, Any]

_AT_ONCE = 64
_LARGEST_FILE = 64 << 20
# What the daemon does before it answers takes seconds, on a slow disk a minute.
_SILENCE_LIMIT_S = 600.0


class IncusError(EngineError):
    """The daemon's own refusal, with its HTTP status."""

    def __init__(self, message: str, *, status: int) -> None:
        self.status = status
        super().__init__(message)


@dataclass(frozen=True)
class Remote:
    """A daemon elsewhere, and the client certificate that it trusts."""

    url: str
    certificate: Path
    key: Path
    server_certificate: Path | None = None
    """The daemon's own certificate, where no public authority signed it."""


@dataclass(frozen=True)
class Operation:
    """A long operation of the daemon."""

    id: str
    metadata: Json


def _ssl_context(remote: Remote) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(
            cafile=str(remote.server_certificate) if remote.server_certificate else None
        )
        if remote.server_certificate:
            # Incus signs its own certificate and names no address in it that we could check:
            # what counts is that it is exactly the one in the file.
            context.check_hostname = False
        context.load_cert_chain(remote.certificate, remote.key)
    except (OSError, ssl.SSLError) as error:
        raise UserError(
            f"the client certificate {remote.certificate} (key {remote.key}) for {remote.url} "
            f"cannot be used: {error}; write paths of PEM files that the daemon trusts"
        ) from error
    return context


def _plain(method: str, target: str, *, headers: Mapping[str, str] | None, body: Any) -> bytes:
    sent = dict(headers or {})
    if body is None:
        return question(method, target, host="incus", headers=sent)
    sent["Content-Type"] = "application/json"
    text = json.dumps(body).encode()
    return question(method, target, host="incus", headers=sent, body=text)


class IncusClient:
    """One daemon, seen through one project."""

    def __init__(self, where: Path | Remote, *, project: str) -> None:
        self._where = where
        self._project = project
        self._is_open = False
        self._session: aiohttp.ClientSession | None = None
        """For files and streams, and for a daemon elsewhere; made when it is first needed."""
        self._looks = asyncio.Semaphore(_AT_ONCE)

    @property
    def is_local(self) -> bool:
        """Whether the daemon runs on this host, so that its files and links can be reached."""
        return isinstance(self._where, Path)

    @property
    def directory(self) -> Path | None:
        """The daemon's own directory (`INCUS_DIR`), where it runs on this host."""
        return self._where.parent if isinstance(self._where, Path) else None

    @property
    def _base(self) -> str:
        return "http://incus" if isinstance(self._where, Path) else self._where.url.rstrip("/")

    def __str__(self) -> str:
        """Return where the daemon is, for messages."""
        return str(self._where if isinstance(self._where, Path) else self._where.url)

    async def __aenter__(self) -> IncusClient:
        """Open the connection; nothing is sent yet."""
        self._is_open = True
        if not self.is_local:
            self._session = self._new_session()
        return self

    def _new_session(self) -> aiohttp.ClientSession:
        connector: aiohttp.BaseConnector
        if isinstance(self._where, Path):
            connector = http.aiohttp.UnixConnector(str(self._where), limit=_AT_ONCE)
        else:
            context = _ssl_context(self._where)
            connector = http.aiohttp.TCPConnector(ssl=context, limit=_AT_ONCE)
        timeout = http.aiohttp.ClientTimeout(total=None, sock_connect=10)
        return http.aiohttp.ClientSession(connector=connector, timeout=timeout)

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        self._is_open = False
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _target(self, path: str, query: Mapping[str, str] | None, *, project: bool) -> str:
        pairs = dict(query or {})
        if project:
            pairs["project"] = self._project
        tail = "&".join(f"{key}={quote(value, safe='')}" for key, value in pairs.items())
        return f"{path}{'?' if tail else ''}{tail}"

    def _reached(self, failed: str, *library: type[Exception]) -> AbstractContextManager[None]:
        return connecting(lambda why: EngineError(f"Incus at {self} {failed}: {why}"), *library)

    def _live(self) -> aiohttp.ClientSession:
        self._check_open()
        if self._session is None:
            self._session = self._new_session()
        return self._session

    def _check_open(self) -> None:
        if not self._is_open:
            raise EngineError(f"the connection to Incus at {self} is not open")

    async def _ask(
        self,
        method: str,
        target: str,
        *,
        is_slow: bool = False,
        largest: int | None = None,
        **more: Any,
    ) -> Answer:
        """Send one request, with `more` of it as aiohttp takes it, and return the answer.

        A daemon of this host needs no aiohttp, but for files and streams: see `http`.
        """
        if isinstance(self._where, Path) and more.get("data") is None:
            self._check_open()
            asked = _plain(method, target, headers=more.get("headers"), body=more.get("json"))
            # Those that look are many at once; one that waits must not keep a place from them.
            place = nullcontext() if is_slow else self._looks
            with self._reached("does not answer", ValueError):
                async with place, asyncio.timeout(None if is_slow else _SILENCE_LIMIT_S):
                    reader, writer = await asyncio.open_unix_connection(str(self._where))
                    return parse(await exchange(reader, writer, asked, largest=largest))
        silence_s = None if is_slow else _SILENCE_LIMIT_S
        url, library = f"{self._base}{target}", http.aiohttp
        timeout = library.ClientTimeout(total=None, sock_connect=10, sock_read=silence_s)
        with self._reached("does not answer", library.ClientError, ValueError):
            async with self._live().request(method, url, timeout=timeout, **more) as response:
                headers = {name.lower(): value for name, value in response.headers.items()}
                body = await http.body_of(response, largest=largest)
                return Answer(response.status, headers, body)

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        project: bool = True,
    ) -> Any:
        """Send one request and return its metadata; a long operation is waited for.

        Raises `IncusError` with the daemon's own words.
        """
        target = self._target(path, query, project=project)
        answer = await self._send(method, target, json=body, data=data, headers=headers)
        if answer.get("type") == "async":
            return (await self.wait(self._operation(answer))).metadata
        return answer.get("metadata")

    async def begin(self, method: str, path: str, *, body: Any = None) -> Operation:
        """Send a request that starts a long operation, and return it at once."""
        answer = await self._send(method, self._target(path, None, project=True), json=body)
        return self._operation(answer)

    @staticmethod
    def _operation(answer: Json) -> Operation:
        metadata = cast(Json, answer.get("metadata") or {})
        return Operation(str(metadata["id"]), cast(Json, metadata.get("metadata") or {}))

    async def _send(self, method: str, target: str, **more: Any) -> Json:
        """Send one request, and return what it answers and, as `etag`, the tag of that."""
        found = await self._ask(method, target, **more)
        answer = cast(Json, json.loads(found.body))
        answer["etag"] = found.headers.get("etag", "")
        if answer.get("type") == "error":
            status = int(answer.get("error_code") or 0)
            raise IncusError(f"Incus: {answer.get('error')}", status=status)
        return answer

    async def wait(self, operation: Operation) -> Operation:
        """Wait for a long operation; raise `IncusError` if it failed."""
        target = self._target(f"/1.0/operations/{operation.id}/wait", None, project=True)
        answer = await self._send("GET", target, is_slow=True)
        metadata = cast(Json, answer["metadata"])
        if int(metadata.get("status_code") or 0) != 200:
            raise IncusError(f"Incus: {metadata.get('err') or 'operation failed'}", status=400)
        return Operation(operation.id, cast(Json, metadata.get("metadata") or {}))

    async def get_or_none(
        self, path: str, *, query: Mapping[str, str] | None = None, project: bool = True
    ) -> Any:
        """Return the metadata of a GET, or None where the thing is not there."""
        try:
            return await self.request("GET", path, query=query, project=project)
        except IncusError as error:
            if error.status == 404:
                return None
            raise

    async def with_etag(self, path: str, *, project: bool = True) -> tuple[Any, str]:
        """Return the metadata of a GET, and the tag by which a PUT knows that nothing changed."""
        answer = await self._send("GET", self._target(path, None, project=project))
        return answer.get("metadata"), str(answer["etag"])

    async def exists(self, path: str, *, project: bool = True) -> bool:
        """Tell whether the thing at this path is there."""
        return await self.get_or_none(path, project=project) is not None

    async def remove(self, path: str, *, project: bool = True) -> None:
        """Delete the thing at this path; none there is no error."""
        try:
            await self.request("DELETE", path, project=project)
        except IncusError as error:
            if error.status != 404:
                raise

    async def fetch(self, path: str, *, query: Mapping[str, str]) -> bytes | None:
        """Return the raw body of a GET, or None where it is not a file or not there.

        Raises `IncusError` with the daemon's own words where it cannot tell.
        """
        target = self._target(path, query, project=True)
        found = await self._ask("GET", target, largest=_LARGEST_FILE)
        body, status = found.body, found.status
        if status == 404 or found.headers.get("x-incus-type") == "directory":
            return None
        if status != 200:
            said = body.decode(errors="replace").strip()
            with contextlib.suppress(ValueError, TypeError, KeyError):
                said = json.loads(said)["error"]
            raise IncusError(f"Incus: {said}", status=status)
        return body

    async def websocket(self, operation: Operation, secret: str) -> aiohttp.ClientWebSocketResponse:
        """Join one of the websockets of an operation; its pings are given, and not answered.

        The daemon waits for no answer. One that is sent when the daemon has closed the socket
        already makes asyncio drop all that was sent before and is not yet read.
        """
        target = self._target(
            f"/1.0/operations/{operation.id}/websocket", {"secret": secret}, project=False
        )
        with self._reached("closed a stream", http.aiohttp.ClientError):
            return await self._live().ws_connect(
                f"{self._base}{target}", max_msg_size=0, heartbeat=None, autoping=False
            )

    async def answers(self) -> bool:
        """Tell whether the daemon answers now."""
        try:
            async with asyncio.timeout(10):
                await self.request("GET", "/1.0", project=False)
        except (EngineError, TimeoutError):
            return False
        return True
