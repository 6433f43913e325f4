"""Single values of a service in the facility file: ports, packages, folders, a command.

Each parser raises `ValueError` with the words that a user sees: the value, and what to write.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Any, cast

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from linacre.declaration.models.values import AnyPort, MachinePath
from linacre.documents.quoting import as_written, quoted

SERVICE_TREE = PurePosixPath("/srv/service")
"""Where the files of `source` stand in the machine, and where the command starts."""

_PACKAGE_PATTERN = r"^[a-z0-9][a-z0-9.+-]*[a-z0-9+]$"
_USER_PATTERN = r"^[a-z_][a-z0-9_-]{0,31}$"
_OWN_PORTS = {"22/tcp": "SSH", "23/tcp": "telnet", "7001/tcp": "the console"}
# What Linacre and the kernel keep in a machine: nothing may be laid over it.
_RESERVED = tuple(
    PurePosixPath(folder)
    for folder in (
        *("/dev", "/proc", "/sys", "/run", "/tmp", "/root/.ssh", "/etc/linacre", "/etc/runit"),
        *(
            "/etc/sv",
            "/etc/service",
            "/srv/persist",
            "/srv/ioc",
            "/opt/linacre",
            "/usr/lib/linacre",
        ),
        *("/var/lib/linacre", "/var/lib/dpkg", "/var/log/ioc"),
    )
)
# Programs: a volume would keep those of an older image for ever.
_PROGRAMS = tuple(PurePosixPath(f) for f in ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/boot"))
_TOP = frozenset({"etc", "home", "media", "mnt", "opt", "root", "srv", "var"})


def _package(value: str) -> str:
    if not re.fullmatch(_PACKAGE_PATTERN, value):
        raise ValueError(f"{quoted(value)} is no name of a Debian package; write one like dnsmasq")
    return value


def _port(value: str) -> str:
    if value in _OWN_PORTS:
        raise ValueError(
            f"{value} is {_OWN_PORTS[value]} of every machine; let the program use another"
        )
    return value


def _user(value: str) -> str:
    if not re.fullmatch(_USER_PATTERN, value):
        raise ValueError(f"{quoted(value)} is not a user name; write root, or one like www-data")
    return value


def _command(value: Any) -> tuple[str, ...]:
    advice = "write a line, or a list of words such as [dnsmasq, --keep-in-foreground]"
    if isinstance(value, list | tuple):
        words = [as_written(word) for word in cast("list[Any]", value)]
        if not words or None in words:
            raise ValueError(f"a command is made of words; {advice}")
        return tuple(cast("list[str]", words))
    text = as_written(value)
    if text is None or not text.strip():
        raise ValueError(f"{quoted(value)} is not a command; {advice}")
    return ("/bin/sh", "-c", text.strip())


def _text(value: Any) -> str:
    text = as_written(value)
    if text is None:
        raise ValueError(f"{quoted(value)} is not text; write it after `content: |`, indented")
    return text


def _mode(value: Any) -> str:
    text = as_written(value) or ""
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise ValueError(f"{quoted(value)} is not a mode; write three octal digits, such as '0644'")
    return f"0{text[-3:]}"


def _reserved(path: PurePosixPath) -> PurePosixPath | None:
    """Return what a path would cover, or lies in, of what machines need."""
    return next((r for r in _RESERVED if path.is_relative_to(r) or r.is_relative_to(path)), None)


def _file_path(given: object) -> PurePosixPath:
    value = PurePosixPath(str(given))
    if not value.is_absolute() or ".." in value.parts or len(value.parts) < 2:
        raise ValueError(f"{quoted(given)} is not a full path; write one like /etc/dnsmasq.conf")
    if (kept := _reserved(value)) is not None:
        raise ValueError(f"{value} is in {kept}, which is the machine's own; lay it elsewhere")
    return value


def _volume(value: PurePosixPath) -> PurePosixPath:
    program = next((p for p in _PROGRAMS if value.is_relative_to(p)), None)
    whole = len(value.parts) == 2 and value.parts[1] in _TOP
    if program or whole or value == SERVICE_TREE or _reserved(value) is not None:
        raise ValueError(
            f"{value} holds what the machine itself needs; write a folder of the service's data, "
            "such as /var/lib/mysql"
        )
    return value


Package = Annotated[
    str, AfterValidator(_package), Field(json_schema_extra={"pattern": _PACKAGE_PATTERN})
]
"""A Debian package by its name."""
Port = Annotated[AnyPort, AfterValidator(_port)]
"""A port that a service listens on: `3306/tcp`, `67/udp`."""
Command = Annotated[
    tuple[str, ...],
    BeforeValidator(_command),
    WithJsonSchema(
        {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        mode="validation",
    ),
]
"""The words of a command; a line is one for /bin/sh."""
User = Annotated[str, AfterValidator(_user)]
"""A user of the machine."""
Volume = Annotated[MachinePath, AfterValidator(_volume)]
"""A folder of the machine that may be kept apart from its image."""
LaidPath = Annotated[PurePosixPath, BeforeValidator(_file_path)]
"""The place of a file in the machine."""
Mode = Annotated[str, BeforeValidator(_mode), WithJsonSchema({"type": ["string", "integer"]})]
Content = Annotated[
    str, BeforeValidator(_text), WithJsonSchema({"type": ["string", "number", "boolean"]})
]
