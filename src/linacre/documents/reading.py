"""From a file to its text, and from the problems in it to one error."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from linacre.base.errors import UserError
from linacre.base.sizes import readable
from linacre.documents.document import Key, Lines, Problem

LARGEST = 16 << 20
"""Of a file that people write, in bytes: a facility of several ten thousand IOCs."""


class LoadError(UserError):
    """A file that cannot be taken; one line a problem, each with file and line."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        super().__init__("\n".join(lines))


def read_text(file: Path, *, kind: str, usual: str, largest: int = LARGEST) -> str:
    """Return the text of a file in UTF-8; raises `LoadError` of one line.

    `kind` is what it should be, such as "a facility file", `usual` how such a file is named, and
    `largest` how many bytes it may have.
    """
    try:
        data = _content(file, kind, largest)
    except FileNotFoundError:
        message = f"no such file; write the path of {kind}, or make one"
        raise LoadError([f"{file}: {message}"]) from None
    except IsADirectoryError:
        message = f"this is a folder; write {file / usual}"
        raise LoadError([f"{file}: {message}"]) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        may_not = isinstance(error, PermissionError)
        advice = "; give yourself the right to read it" if may_not else ""
        message = f"cannot be read: {reason}{advice}"
        raise LoadError([f"{file}: {message}"]) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise LoadError([f"{file}:{line}: {message}"]) from None


def _content(file: Path, kind: str, largest: int) -> bytes:
    # A pipe without a writer would be waited for, and a device may have no end.
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as opened:
        found = os.fstat(opened.fileno())
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError
        if not stat.S_ISREG(found.st_mode):
            message = "a pipe or a device; write the path of a plain file"
            raise LoadError([f"{file}: {message}"])
        data = opened.read(largest + 1)
    if len(data) > largest:
        message = f"larger than {readable(largest)}; write the path of {kind}"
        raise LoadError([f"{file}: {message}"])
    return data


def load_error(file: Path, lines: Lines, problems: Iterable[Problem]) -> LoadError:
    """Return the error that tells problems in the order of the file's lines, each once."""
    placed = [(p.line or lines.at(p.path), _dotted(p.path), p.message) for p in problems]
    shown = [
        f"{file}:{line}: {where}: {message}" if where else f"{file}:{line}: {message}"
        for line, where, message in sorted(placed, key=lambda each: each[0])
    ]
    return LoadError([*dict.fromkeys(shown)])


def _dotted(path: tuple[Key, ...]) -> str:
    text = ""
    for key in path:
        shown = key if isinstance(key, int) or key.isprintable() else repr(key)
        text += f"[{key}]" if isinstance(key, int) else f".{shown}"
    return text.removeprefix(".")
