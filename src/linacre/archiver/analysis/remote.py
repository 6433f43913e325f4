"""Reading an archive through its archiver's HTTP interface, with the standard library alone."""

from __future__ import annotations

import http.client
import json
import math
import ssl
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, cast
from urllib.parse import quote, urlencode, urlsplit

import pyarrow as pa

from linacre.archiver.analysis.live import Live
from linacre.archiver.errors import UnreachableError
from linacre.archiver.history import MetadataHistory
from linacre.archiver.model import OLDEST_NS, Metadata, NoticeKind
from linacre.archiver.reading.damage import damage_in, damage_of, nothing, with_damage
from linacre.archiver.service import Event, NoSuchPvError
from linacre.base.errors import LinacreError, UserError

API = "/api/v1"
_IDLE = 4
_PAGE = 100_000
_STALE = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)
_BROKEN = (OSError, http.client.HTTPException)


class RemoteReader:
    """A `Reader` of a running archiver. Raises `UnreachableError` where it does not answer.

    Connections are kept and used again, one for each call at a time. No proxy is asked, whatever
    the environment says: an archiver is on the controls network.
    """

    def __init__(self, url: str, *, token: str | None = None, timeout_s: float = 60.0) -> None:
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = None
        if parts.hostname is None or parts.query or parts.fragment:
            raise UserError(f"{url} is no archiver's address: write http://HOST:17665")
        self._url = url.rstrip("/")
        self._host, self._port = parts.hostname, port
        self._secure = parts.scheme == "https"
        self._base = parts.path.rstrip("/") + API
        self._token, self._timeout_s = token, timeout_s
        self._lock = threading.Lock()
        self._idle: list[http.client.HTTPConnection] = []

    def pvs(self, pattern: str = "*") -> list[str]:
        """Return the names that match a glob pattern, sorted."""
        found: list[str] = []
        total = 1
        while len(found) < total:
            asked = {"pattern": pattern, "limit": _PAGE, "offset": len(found)}
            page: Any = self._json("/names", asked)
            total = page["total"] if page["pvs"] else 0
            found.extend(page["pvs"])
        return found

    def samples(self, pv: str, start_ns: int, end_ns: int) -> pa.Table:
        """Return one sample at or before the start, then all in (start, end]."""
        return self._table("/samples", {"pv": pv, "start": _ns(start_ns), "end": _ns(end_ns)})

    def stream(self, pv: str, start_ns: int, end_ns: int) -> Iterator[pa.RecordBatch]:
        """Give the same in pieces as they come."""
        asked = {"pv": pv, "start": _ns(start_ns), "end": _ns(end_ns)}
        with self._answer("/samples", {**asked, "format": "arrow"}) as answer:
            schema, batches = _batches(answer)
            any_yet = False
            for batch in batches:
                any_yet = True
                yield batch
            if not any_yet:
                yield nothing(schema)

    def bins(self, pv: str, start_ns: int, end_ns: int, n: int) -> pa.Table:
        """Return n bins of numbers."""
        return self._table("/bins", {"pv": pv, "start": _ns(start_ns), "end": _ns(end_ns), "n": n})

    def after(self, pv: str, time_ns: int, count: int = 1) -> pa.Table:
        """Return the next samples after a time."""
        return self._table("/after", {"pv": pv, "time": _ns(time_ns), "count": count})

    def metadata(self, pv: str, at_ns: int | None = None) -> Metadata:
        """Return what was known of a PV at a time; without one, at present."""
        found = cast(
            "Mapping[str, Any]",
            self._json("/metadata", {"pv": pv, "at": None if at_ns is None else _ns(at_ns)}),
        )
        return _metadata(found)

    def metadata_history(self, pv: str, start_ns: int, end_ns: int) -> MetadataHistory:
        """Return what was known of a PV at the start, and each change in (start, end]."""
        asked = {"pv": pv, "start": _ns(start_ns), "end": _ns(end_ns)}
        try:
            rows = cast("list[Mapping[str, Any]]", self._json("/metadata/history", asked))
        except NoSuchPvError:
            # Or an archiver of an earlier version, which does not tell it.
            return MetadataHistory(said=(self.metadata(pv, end_ns),))
        return MetadataHistory(
            tuple(int(row["from_ns"]) for row in rows), tuple(_metadata(row) for row in rows)
        )

    def events(self, pv: str | None, start_ns: int, end_ns: int) -> Sequence[Event]:
        """Return what happened to a PV, or to all, in (start, end], in order."""
        found: list[Event] = []
        to_ns = end_ns
        while True:
            asked = {"pv": pv, "start": _ns(start_ns), "end": _ns(to_ns), "limit": _PAGE}
            page: Any = self._json("/events", asked)
            rows = [_event(row) for row in page["events"]]
            # The newest, in order; those of the oldest time may not all be in this page.
            whole = page["total"] <= len(rows)
            kept = rows if whole else [row for row in rows if row.time_ns > rows[0].time_ns]
            found[:0] = kept or rows
            if whole or not kept:
                return found
            to_ns = rows[0].time_ns

    def live(self, pvs: Sequence[str]) -> Live:
        """Give new samples of PVs as they are stored."""
        scheme = "wss" if self._secure else "ws"
        port = "" if self._port is None else f":{self._port}"
        host = f"[{self._host}]" if ":" in self._host else self._host
        query = urlencode([("pv", pv) for pv in pvs])
        where = f"{scheme}://{host}{port}{quote(self._base)}/live?{query}"
        return Live(where, token=self._token, timeout_s=self._timeout_s)

    def close(self) -> None:
        """Give up the connections; the next call makes new ones."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _table(self, path: str, asked: Mapping[str, object]) -> pa.Table:
        with self._answer(path, {**asked, "format": "arrow"}) as answer:
            schema, batches = _batches(answer)
            found = list(batches)
            table = pa.Table.from_batches(found, schema)
            damaged = max((damage_of(batch.schema) for batch in found), default=0)
            return with_damage(table, damaged) if damaged else table

    def _json(self, path: str, asked: Mapping[str, object]) -> object:
        with self._answer(path, asked) as answer:
            return json.loads(answer.read())

    @contextmanager
    def _answer(
        self, path: str, asked: Mapping[str, object]
    ) -> Generator[http.client.HTTPResponse]:
        """Ask, and give the answer to be read; its connection is kept if it was read to its end."""
        query = {key: value for key, value in asked.items() if value is not None}
        target = f"{quote(self._base + path)}?{urlencode(query)}"
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        try:
            try:
                connection, answer = self._ask(connection, target)
                if answer.status != 200:
                    raise _refusal(answer.status, answer.read(), asked.get("pv"))
                yield answer
                answer.read()
            except (*_BROKEN, pa.ArrowInvalid) as error:
                raise UnreachableError(_broken(self._url, error)) from error
            with self._lock:
                if len(self._idle) < _IDLE:
                    self._idle.append(connection)
                    connection = None
        finally:
            if connection is not None:
                connection.close()

    def _ask(
        self, connection: http.client.HTTPConnection | None, target: str
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        if connection is not None:
            try:
                connection.request("GET", target, headers=headers)
                return connection, connection.getresponse()
            except _STALE:
                # The archiver closed it while nothing was asked.
                connection.close()
        fresh = self._connection()
        try:
            fresh.request("GET", target, headers=headers)
            return fresh, fresh.getresponse()
        except BaseException:
            fresh.close()
            raise

    def _connection(self) -> http.client.HTTPConnection:
        if self._secure:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout_s, context=context
            )
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)


def _ns(time_ns: int) -> int:
    """Return a time that is not taken for seconds; there are no samples before 1991."""
    return time_ns if time_ns >= OLDEST_NS else 0


def _metadata(found: Mapping[str, Any]) -> Metadata:
    """Return metadata as JSON has it, of whatever version the archiver is."""
    values: dict[str, Any] = {}
    for field in fields(Metadata):
        value = found.get(field.name)
        if isinstance(value, list):
            # JSON has no NaN.
            items = cast("list[Any]", value)
            values[field.name] = tuple(math.nan if item is None else item for item in items)
        elif value is not None:
            values[field.name] = value
    return Metadata(**values)


def _event(row: Mapping[str, Any]) -> Event:
    kind = row["kind"]
    known = NoticeKind(kind) if kind in list(NoticeKind) else kind
    return Event(row["pv"], row["time_ns"], known, row["detail"])


def _batches(answer: http.client.HTTPResponse) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    stream: Any = cast("Any", pa).ipc.open_stream(answer)

    def batches() -> Iterator[pa.RecordBatch]:
        while True:
            try:
                batch, said = stream.read_next_batch_with_custom_metadata()
            except StopIteration:
                return
            # What lacks is told when all was read: after the rows.
            damaged = 0 if said is None else damage_in(dict(said))
            yield nothing(stream.schema, damaged) if damaged else batch

    return stream.schema, batches()


def _refusal(status: int, body: bytes, pv: object) -> Exception:
    """Return what an answer that is none means."""
    try:
        said: Any = json.loads(body)
        text = str(said.get("detail", said) if hasattr(said, "get") else said)
    except ValueError:
        text = body[:200].decode("utf-8", "replace")
    if status == http.client.NOT_FOUND and pv is not None:
        return NoSuchPvError(pv)
    if status < 500:
        return UserError(f"the archiver refused: {text}")
    return LinacreError(f"the archiver failed ({status}): {text}")


def _broken(url: str, error: Exception) -> str:
    if isinstance(error, http.client.HTTPException | pa.ArrowInvalid):
        return f"the answer of {url} broke off ({type(error).__name__})"
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"no archiver answers at {url}: {why}"
