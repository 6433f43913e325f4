"""The scripts that start a service under procServ, made from what was declared."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from linacre.epics import templates
from linacre.epics.launch import Script, places, start_script
from linacre.epics.layout import Layout

# Below what runit and the engine wait for a machine that is to halt.
_PATIENCE_DS = 70


@dataclass(frozen=True)
class ServiceProgram:
    """All that must be known to start one service."""

    name: str
    command: tuple[str, ...]
    """The words of a command that stays in the foreground."""
    user: str = "root"
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    volumes: tuple[PurePosixPath, ...] = ()
    """Folders that are kept in the persistent folder, with what the image has there at first."""
    hold_off_s: int = 15
    log_bytes: int = 1_000_000
    """The size at which the log is rotated."""
    log_files: int = 5
    """How many logs there are at most, the newest included."""


def make_service_scripts(program: ServiceProgram, layout: Layout) -> tuple[Script, ...]:
    """Return `start`, `procserv` and `run`, each the parent of the next.

    procServ runs as root, so that no service can touch its console or its log; the command runs
    as the service's user.
    """
    what = f"the service {program.name}"
    procserv = start_script(
        program.name,
        layout,
        what=what,
        user=None,
        keep=": # volumes are kept by start",
        kill_signal=signal.SIGTERM,
        hold_off_s=program.hold_off_s,
        log_bytes=program.log_bytes,
        log_files=program.log_files,
    )
    return (
        Script(layout.etc / "start", 0o755, _start(program, layout, what)),
        Script(layout.etc / "procserv", 0o755, procserv),
        Script(layout.etc / "run", 0o755, _run(program, layout, what)),
    )


def _start(program: ServiceProgram, layout: Layout, what: str) -> str:
    keep = "\n".join(f"keep {shlex.quote(str(folder))}" for folder in program.volumes)
    return templates.SUPERVISE.format(
        what=what,
        places=places(layout),
        user=shlex.quote(program.user),
        keep=keep or ": # no volumes",
        patience_ds=_PATIENCE_DS,
    )


def _run(program: ServiceProgram, layout: Layout, what: str) -> str:
    user = shlex.quote(program.user)
    identity = f'--reuid={user} --regid="$(id -g {user})" --init-groups '
    exports = [f'export HOME="$(getent passwd {user} | cut -d: -f6)" USER={user} LOGNAME={user}']
    exports += [
        f"export {key}={shlex.quote(value)}" for key, value in _environment(program, layout)
    ]
    return templates.RUN.format(
        what=what,
        places=places(layout),
        script=": # no start script",
        # Told to end, it is not to begin again.
        booted='[ ! -e ending ] || exit 0\necho started > "$run/booted"',
        exports="\n".join(exports),
        folder=shlex.quote(str(layout.tree)),
        identity="" if program.user == "root" else identity,
        command=shlex.join(program.command),
    )


def _environment(program: ServiceProgram, layout: Layout) -> list[tuple[str, str]]:
    variables = {
        "SERVICE": program.name,
        "PERSIST_DIR": str(layout.persist),
        "PATH": "/opt/linacre/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }
    return list((variables | dict(program.environment)).items())
