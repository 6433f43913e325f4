"""What is laid into the machine of an archiver: its settings and its start scripts."""

from __future__ import annotations

import getpass
import json
import shlex
from collections.abc import Iterable, Mapping
from importlib.util import find_spec

from linacre.base.errors import UserError
from linacre.declaration.models import ARCHIVER_PORT, Archiver
from linacre.declaration.models.archiver_values import time_text
from linacre.engines.base import Part, PayloadFile
from linacre.epics.layout import Layout
from linacre.epics.service import ServiceProgram, make_service_scripts
from linacre.kinds.files import script_files

SETTINGS = "archiver.toml"
"""The file in `layout.etc` that tells the program its PVs and its end."""
DATA = "archive"
"""The folder in the persistent folder that holds the archive."""
_CLIENTS = "clients.sh"
_LIBRARIES = ("fastapi", "numpy", "prometheus_client", "pyarrow", "uvicorn", "websockets")
_ROOM = (9, 10)
"""The part of its disk that an archive takes before its oldest samples go."""
_OWN = (3, 4)
"""The part of the machine's memory that the program is told to be its own."""


def check_installed() -> None:
    """Raise `UserError` where archivers cannot run as processes of this environment."""
    missing = [name for name in _LIBRARIES if find_spec(name) is None]
    if missing:
        raise UserError(
            f"an archiver needs {', '.join(missing)}, which this Python has not; install them "
            "with pip install 'linacre[archiver]', or use the incus engine"
        )


def archiver_files(
    name: str,
    archiver: Archiver,
    layout: Layout,
    *,
    pvs: Iterable[str],
    clients: Mapping[str, str] | None,
) -> list[PayloadFile]:
    """Return the settings and the start scripts of an archiver.

    `pvs` are as its program takes them. `clients` are the EPICS variables with which it finds
    IOCs, where it cannot search by broadcast.
    """
    files = [
        PayloadFile(layout.tree, mode=0o755),
        _file(layout, SETTINGS, settings_text(archiver, pvs), part=Part.RELOADABLE),
    ]
    command = _command(name, archiver, layout)
    if clients is not None:
        exports = "".join(f"export {key}={shlex.quote(value)}\n" for key, value in clients.items())
        files.append(_file(layout, _CLIENTS, exports, part=Part.PROGRAM))
        script = f". {shlex.quote(str(layout.etc / _CLIENTS))}; exec {shlex.join(command)}"
        command = ("/bin/sh", "-c", script)
    program = ServiceProgram(
        name=name,
        command=command,
        user=layout.user or "root",
        environment=_environment(layout),
        hold_off_s=int(archiver.hold_off),
        log_bytes=int(archiver.log.size),
        log_files=archiver.log.files,
    )
    scripts = make_service_scripts(program, layout)
    return [*files, *script_files(scripts)]


def settings_text(archiver: Archiver, pvs: Iterable[str]) -> str:
    """Return what the program is told of while it runs, as TOML."""
    lines = ["# Made by Linacre; changes are lost."]
    if archiver.until is not None:
        lines.append(f"until = {json.dumps(time_text(archiver.until))}")
    # JSON's strings are TOML's too.
    lines += ["pvs = [", *(f"    {json.dumps(pv)}," for pv in pvs), "]"]
    return "\n".join(lines) + "\n"


def _command(name: str, archiver: Archiver, layout: Layout) -> tuple[str, ...]:
    options = {
        "data": layout.persist / DATA,
        "name": name,
        "address": layout.bind or "0.0.0.0",
        "port": ARCHIVER_PORT,
        "owner": archiver.owner,
        "memory": "",
        "max-bytes": int(archiver.disk) * _ROOM[0] // _ROOM[1],
        "max-age": archiver.retention.max_age or "",
        "settings": layout.etc / SETTINGS,
    }
    if archiver.limits.memory is not None:
        options["memory"] = int(archiver.limits.memory) * _OWN[0] // _OWN[1]
    given = [word for key, value in options.items() if value != "" for word in (f"--{key}", value)]
    return (layout.python, "-m", "linacre.archiver.main", "run", *map(str, given))


def _environment(layout: Layout) -> dict[str, str]:
    found = {
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        # One allocator of the C library's for each processor would keep what was freed.
        "MALLOC_ARENA_MAX": "2",
    }
    if layout.user is None:
        user = getpass.getuser()
        found |= {"HOME": str(layout.persist), "USER": user, "LOGNAME": user}
    return found


def _file(layout: Layout, name: str, text: str, *, part: Part) -> PayloadFile:
    return PayloadFile(layout.etc / name, data=text.encode(), part=part)
