"""Logging: structured lines for the log of the task at hand and, with --debug, for stderr.

Nothing is configured for the whole process. A logger hands each line to the sinks of its own
context, so two tasks in one process keep two logs, and a command without either is silent.
"""

from __future__ import annotations

import json
import re
import sys
import traceback
from collections.abc import Generator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TextIO, cast

from linacre.base.clock import Clock, SystemClock
from linacre.base.orders import without_orders

Record = MutableMapping[str, object]

HIDDEN = "***"

_SECRET = (
    r"(?:[a-z0-9_-]*(?:password|passwd|passphrase|secret|token|credential)[a-z0-9_-]*"
    r"|[a-z0-9_-]*(?:private|api|access|client|ssh)[_-]?key|authorization|cookie)"
)
_SECRET_NAME = re.compile(rf"{_SECRET}|key", re.IGNORECASE)
# "key: x" is what many an ordinary message says; "key=x" and '"key": "x"' are not.
_SECRET_IN_TEXT = re.compile(
    rf"""(?<!\w)({_SECRET}["']?\s*[=:]\s*|key["']?\s*=\s*|["']key["']\s*:\s*)"""
    r"""("[^"]*"|'[^']*'|(?:bearer\s+|basic\s+)?[^\s,;"']+)""",
    re.IGNORECASE,
)
_SECRET_BY_LOOK = (
    re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S
    ),
    re.compile(r"\$(?:[1-7]|2[abxy]|y|gy|argon2\w*|scrypt)\$[^\s\"',:]+"),
    re.compile(r"(?<=://)[^\s/:@]+:[^\s/@]+(?=@)"),
)


def _with_traceback(record: Record) -> Record:
    """Put the traceback of an error that was given as `exc_info` in its place, as `exception`."""
    error = record.pop("exc_info", None)
    if isinstance(error, BaseException):
        record["exception"] = "".join(traceback.format_exception(error)).rstrip("\n")
    return record


def redact_text(text: str) -> str:
    """Hide private keys, crypt(5) hashes, log-ins in URLs and `password=...` in a text."""
    for look in _SECRET_BY_LOOK:
        text = look.sub(HIDDEN, text)
    return _SECRET_IN_TEXT.sub(rf"\1{HIDDEN}", text)


def redact(value: object) -> object:
    """Return the value with what stands under a secret's name, or looks like one, hidden."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, bytes):
        return redact_text(value.decode(errors="replace"))
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {
            str(name): HIDDEN if _SECRET_NAME.fullmatch(str(name)) else redact(inner)
            for name, inner in items
        }
    if isinstance(value, Sequence | set | frozenset):
        return [redact(inner) for inner in cast("Sequence[object]", value)]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact_text(str(value))


class Sink(Protocol):
    """Where log lines go."""

    def write(self, record: Record) -> None:
        """Take one line, already without secrets; must not raise."""
        ...


class JsonFile:
    """The log of a task: a JSON object a line, appended and whole at once.

    A line that cannot be written (a full disk) is lost: a log must not end the work it tells of.
    """

    def __init__(self, path: Path, *, clock: Clock) -> None:
        self.path = path
        self._clock = clock
        self._torn = False
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)

    def write(self, record: Record) -> None:
        """Append one line with its time in UTC."""
        at = datetime.fromtimestamp(self._clock.now(), UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"at": at, **record}, default=str).encode() + b"\n"
        if self._torn:
            line = b"\n" + line
        try:
            written = self._file.write(line)
        except (OSError, ValueError):  # a full disk, or closed already
            return
        self._torn = written != len(line)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class HumanStream:
    """Lines for a person, as --debug shows them on stderr."""

    def __init__(self, stream: TextIO | None = None, *, clock: Clock | None = None) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock or SystemClock()

    def write(self, record: Record) -> None:
        """Write one line with the local time."""
        at = datetime.fromtimestamp(self._clock.now()).strftime("%H:%M:%S.%f")[:-3]
        try:
            self._stream.write(without_orders(human_line(at, record)) + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            return


def human_line(at: str, record: Mapping[str, object]) -> str:
    """Return one log record as a line of text: time, level, event and the other fields."""
    rest = dict(record)
    level, event = rest.pop("level", "info"), rest.pop("event", "")
    trace = rest.pop("exception", None)
    name = rest.pop("logger", None)
    fields = [f"{key}={value}" for key, value in rest.items()]
    line = " ".join([at, f"{level:<7}", str(event), *fields, f"[{name}]" if name else ""]).rstrip()
    return f"{line}\n{trace}" if trace else line


_sinks: ContextVar[tuple[Sink, ...]] = ContextVar("linacre_log_sinks", default=())


@contextmanager
def logging_to(sink: Sink) -> Generator[None]:
    """Send log lines of this context, and of what it starts, to a sink as well."""
    token = _sinks.set((*_sinks.get(), sink))
    try:
        yield
    finally:
        _sinks.reset(token)


class Logger:
    """Makes structured log lines for the sinks of its context."""

    def __init__(self, name: str, **fields: object) -> None:
        self._name = name
        self._fields = fields

    def bind(self, **fields: object) -> Logger:
        """Return a logger that adds these fields to each line."""
        return Logger(self._name, **{**self._fields, **fields})

    def debug(self, event: str, /, **fields: object) -> None:
        """Log what only somebody who looks for a fault wants to read."""
        self._emit("debug", event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        """Log what happens in the ordinary run."""
        self._emit("info", event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """Log what somebody should look at."""
        self._emit("warning", event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        """Log what failed; `exc_info=error` adds the traceback."""
        self._emit("error", event, fields)

    def _emit(self, level: str, event: str, fields: Mapping[str, object]) -> None:
        sinks = _sinks.get()
        if not sinks:
            return
        record: Record = {"level": level, "event": event, **self._fields, **fields}
        record["logger"] = self._name
        clean = redact(_with_traceback(record))
        for sink in sinks:
            sink.write(dict(cast("Record", clean)))


def get_logger(name: str) -> Logger:
    """Return a logger with the name of a module."""
    return Logger(name)
