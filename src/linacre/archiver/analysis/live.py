"""New samples from an archiver's WebSocket."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Self, cast

import pyarrow as pa

from linacre.archiver.errors import UnknownPvError, UnreachableError
from linacre.archiver.model import Kind
from linacre.archiver.reading.convert import library
from linacre.archiver.reading.samples import Samples
from linacre.archiver.service import SAMPLE_FIELDS
from linacre.archiver.store.part import arrow_type
from linacre.base.errors import UserError

_ARROW: Any = pa
_TYPES = (pa.int64(), None, pa.int8(), pa.int16(), pa.int32())
_NUMBERS = frozenset({Kind.FLOAT64, Kind.FLOAT32})


class Live(Iterator[Samples]):
    """New samples as they are stored, from the moment it is made until it is closed.

    The Arrow schema of samples has metadata `linacre.kind`, and `linacre.lost` where this reader
    was too slow and lost older ones. What JSON cannot say, infinities, comes as NaN. Raises
    `UnreachableError` when the archiver ends.
    """

    def __init__(self, url: str, *, token: str | None = None, timeout_s: float = 60.0) -> None:
        """Connect; `UnknownPvError` and `UserError` where the archiver refuses."""
        client = library("websockets.sync.client")
        exceptions = library("websockets.exceptions")
        self._closed: type[Exception] = exceptions.ConnectionClosed
        self._url = url.partition("?")[0]
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._open = contextlib.ExitStack()
        try:
            connection = client.connect(
                url,
                additional_headers=headers,
                open_timeout=timeout_s,
                max_size=None,
                # An archiver is on the controls network, whatever the environment says.
                proxy=None,
            )
            self._socket: Any = self._open.enter_context(connection)
        except (OSError, exceptions.WebSocketException) as error:
            raise UnreachableError(f"no archiver is live at {self._url}: {error}") from error
        # The first message tells that samples come from now on, or why they do not.
        self._receive(timeout_s)

    def __next__(self) -> Samples:
        while True:
            message = self._receive(None)
            if message["type"] == "samples":
                return Samples(str(message["pv"]), table_of(message))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End it. May be repeated."""
        self._open.close()

    def _receive(self, timeout_s: float | None) -> Mapping[str, Any]:
        try:
            message = cast("Mapping[str, Any]", json.loads(self._socket.recv(timeout=timeout_s)))
        except (self._closed, TimeoutError) as error:
            self.close()
            raise UnreachableError(f"the archiver at {self._url} left: {error}") from error
        if message["type"] == "error":
            raise self._refusal(str(message["detail"]))
        return message

    def _refusal(self, detail: str) -> UserError:
        """Return what a refusal means; the code 4000 + HTTP's status follows it."""
        with contextlib.suppress(self._closed, TimeoutError):
            self._socket.recv(timeout=5)
        code = self._socket.close_code
        self.close()
        return UnknownPvError(detail) if code == 4404 else UserError(detail)


def table_of(message: Mapping[str, Any]) -> pa.Table:
    """Return the samples of a message as a table."""
    kind = Kind(message["kind"])
    rows = cast("list[list[Any]]", message["rows"])
    columns: list[Any] = []
    for name, of in zip(SAMPLE_FIELDS, _TYPES, strict=True):
        place = message["fields"].index(name)
        values = [row[place] for row in rows]
        if of is None:
            values = [_value(kind, value) for value in values]
        columns.append(_ARROW.array(values, arrow_type(kind) if of is None else of))
    said = {"linacre.kind": kind.value}
    if message.get("lost"):
        said["linacre.lost"] = str(message["lost"])
    table = _ARROW.Table.from_arrays(columns, names=list(SAMPLE_FIELDS))
    return cast("pa.Table", table.replace_schema_metadata(said))


def _value(kind: Kind, value: Any) -> Any:
    """Return a value as Arrow takes it."""
    if kind is Kind.BYTES:
        return bytes(cast("list[int]", value))
    if kind is Kind.STRUCT and not isinstance(value, str):
        return json.dumps(value)
    if value is None and kind in _NUMBERS:
        return float("nan")
    if kind in (Kind.FLOAT64_ARRAY, Kind.FLOAT32_ARRAY):
        return [
            float("nan") if item is None else item for item in cast("list[float | None]", value)
        ]
    return value
