"""The scripts that start an IOC under procServ, made from what was declared.

Those of a service are in `service.py`.
"""

from __future__ import annotations

import shlex
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath

from linacre.base.errors import UserError
from linacre.epics import templates
from linacre.epics.layout import Layout

PROCSERV_PORT = 7001
LOG_NAME = "ioc.log"
"""The newest log in `layout.log`; older ones end in `.1`, `.2`, ..."""

_SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh", "csh", "tcsh", "env"})
_SCRIPT_LANGUAGES = ("python", "perl", "ruby", "tclsh")


class ProgramKind(StrEnum):
    """What kind of program an IOC is."""

    SOFTIOC = "softioc"
    """Database files and an st.cmd, run by the softIoc program."""
    PYTHON = "python"
    """A Python script or module."""
    BINARY = "binary"
    """A built IOC tree; its st.cmd's own first line names the program."""


@dataclass(frozen=True)
class Program:
    """All that must be known to start one IOC."""

    name: str
    kind: ProgramKind
    start: str
    """st.cmd or the Python script, relative to the tree; ignored with `module`."""
    module: str | None = None
    args: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    access_security: str | None = None
    """The access security file, relative to the tree."""
    persistent: tuple[str, ...] = ()
    """Folders of the tree that are kept in the persistent folder."""
    hold_off_s: int = 15
    log_bytes: int = 1_000_000
    """The size at which the log is rotated."""
    log_files: int = 5
    """How many logs there are at most, the newest included."""


@dataclass(frozen=True)
class Script:
    """One file to lay into `layout.etc`."""

    path: PurePosixPath
    mode: int
    text: str


def make_scripts(
    program: Program, layout: Layout, *, first_line: str | None = None
) -> tuple[Script, ...]:
    """Return `start`, `run` and, where there is an st.cmd to wrap, `wrapper.cmd`.

    `first_line` is the first line of st.cmd, needed for the kind `binary`. Raises `UserError`
    for what cannot be started as declared.
    """
    _check(program)
    command, wrapped = _command(program, layout, first_line)
    scripts = [
        Script(layout.etc / "start", 0o755, _start(program, layout)),
        Script(layout.etc / "run", 0o755, _run(program, layout, command, wrapped=wrapped)),
    ]
    if wrapped:
        scripts.append(Script(layout.etc / "wrapper.cmd", 0o644, _wrapper(program, layout)))
    return tuple(scripts)


def _check(program: Program) -> None:
    where = f"IOC {program.name}"
    given = [("persistent", p) for p in program.persistent] + [("start", program.start)]
    if program.access_security is not None:
        given.append(("access_security", program.access_security))
    for key, text in given:
        path = PurePosixPath(text)
        if path.is_absolute() or ".." in path.parts or not set(text).isdisjoint('"$\\\n'):
            raise UserError(
                f"{where}: {key} {text!r} is no path inside the IOC's folder; "
                'write it relative to that folder, without "..", quotes, "$" or backslashes'
            )
    if program.args and program.kind is not ProgramKind.PYTHON:
        raise UserError(
            f"{where}: args are for the kind python; an IOC of the kind {program.kind} "
            "takes what it needs from environment"
        )
    if program.module and program.kind is not ProgramKind.PYTHON:
        raise UserError(f"{where}: module is for the kind python; write start instead")


def _folder(program: Program, layout: Layout) -> PurePosixPath:
    """Where the IOC starts: the folder of its start file, as EPICS has it."""
    return layout.tree if program.module else (layout.tree / program.start).parent


def _command(
    program: Program, layout: Layout, first_line: str | None
) -> tuple[tuple[str, ...], bool]:
    """Return the command of the IOC, and whether it is given `wrapper.cmd`."""
    wrapper = str(layout.etc / "wrapper.cmd")
    if program.kind is ProgramKind.SOFTIOC:
        return (layout.softioc, wrapper), True
    if program.kind is ProgramKind.PYTHON:
        what = ("-m", program.module) if program.module else (str(layout.tree / program.start),)
        return (layout.python, "-m", "linacre.epics.runner", *what, *program.args), False
    interpreter = _interpreter(program, first_line)
    if _is_script_language(interpreter[0]):
        if program.access_security is not None:
            raise UserError(
                f"IOC {program.name}: access_security cannot be added to {program.start}, which "
                f"{interpreter[0]} runs and not an IOC program; "
                "call asSetFilename there, or let its first line name the IOC program"
            )
        return (f"./{PurePosixPath(program.start).name}",), False
    return (*interpreter, wrapper), True


def _interpreter(program: Program, first_line: str | None) -> tuple[str, ...]:
    words = (first_line or "").removeprefix("#!").split(maxsplit=1)
    if not (first_line or "").startswith("#!") or not words:
        raise UserError(
            f"IOC {program.name}: the first line of {program.start} names no program; "
            "write one like #!../../bin/linux-x86_64/myIoc, or use the kind softioc"
        )
    return tuple(word.strip() for word in words)


def _is_script_language(interpreter: str) -> bool:
    name = PurePosixPath(interpreter).name
    return name in _SHELLS or name.startswith(_SCRIPT_LANGUAGES)


def _start(program: Program, layout: Layout) -> str:
    keep = "\n".join(f"keep {shlex.quote(folder)}" for folder in program.persistent)
    return start_script(
        program.name,
        layout,
        what=f"the IOC {program.name}",
        user=layout.user,
        keep=keep or ": # no folder of the tree is persistent",
        kill_signal=signal.SIGKILL,
        hold_off_s=program.hold_off_s,
        log_bytes=program.log_bytes,
        log_files=program.log_files,
    )


def start_script(
    name: str,
    layout: Layout,
    *,
    what: str,
    user: str | None,
    keep: str,
    kill_signal: signal.Signals,
    hold_off_s: int,
    log_bytes: int,
    log_files: int,
) -> str:
    """Return the script that becomes the procServ of `what`, run by `user` (None: who calls it)."""
    programs = PurePosixPath(layout.softioc).parent
    return templates.START.format(
        what=what,
        places=places(layout),
        user=shlex.quote(user or ""),
        keep=keep,
        title=shlex.quote(name),
        keeper=shlex.quote(str(programs / "console-keeper")),
        at_once=shlex.quote(str(programs / "procserv-at-once.so")),
        file=LOG_NAME,
        log_bytes=max(log_bytes, 4096),
        log_files=max(log_files, 1),
        address=layout.bind or "0.0.0.0",
        port=PROCSERV_PORT,
        hold_off_s=hold_off_s,
        kill_signal=int(kill_signal),
    )


def _run(program: Program, layout: Layout, command: tuple[str, ...], *, wrapped: bool) -> str:
    python = program.kind is ProgramKind.PYTHON
    exports = "\n".join(
        f"export {key}={shlex.quote(value)}" for key, value in _environment(program, layout)
    )
    return templates.RUN.format(
        what=f"the IOC {program.name}",
        identity="",
        places=places(layout),
        script="echo > start-errors" if wrapped else ": # no script whose errors are known",
        booted=": # told by the IOC" if wrapped or python else 'echo booted > "$run/booted"',
        exports=exports,
        folder=shlex.quote(str(_folder(program, layout))),
        command=shlex.join(command),
    )


def _environment(program: Program, layout: Layout) -> list[tuple[str, str]]:
    """Return the variables of an IOC; what was declared comes last and so wins."""
    variables = {
        "IOC": program.name,
        "PERSIST_DIR": str(layout.persist),
        "IOCSH_PS1": "epics> ",
        # Else an IOC that may locks all its memory, stacks included: three times as much.
        "EPICS_ALLOW_POSIX_THREAD_PRIORITY_SCHEDULING": "NO",
        "PATH": f"{PurePosixPath(layout.softioc).parent}:/usr/local/bin:/usr/bin:/bin",
    }
    if layout.bind:
        # To every client of the host; one address would refuse them where no client listens.
        beacons = "127.255.255.255" if layout.bind.is_loopback else str(layout.bind)
        for server in ("CAS", "PVAS"):
            variables |= {
                f"EPICS_{server}_INTF_ADDR_LIST": str(layout.bind),
                f"EPICS_{server}_BEACON_ADDR_LIST": beacons,
                f"EPICS_{server}_AUTO_BEACON_ADDR_LIST": "NO",
            }
    if program.kind is ProgramKind.PYTHON:
        variables["PYTHONUNBUFFERED"] = "1"
        variables["PYTHONDONTWRITEBYTECODE"] = "1"
        variables["LINACRE_RUN_DIR"] = str(layout.run)
        if program.access_security is not None:
            variables["LINACRE_ACCESS_SECURITY"] = str(layout.tree / program.access_security)
    variables |= program.environment
    return list(variables.items())


def _wrapper(program: Program, layout: Layout) -> str:
    start = layout.tree / program.start
    access = again = "#- no access security declared"
    if program.access_security is not None:
        access = f'asSetFilename("{layout.tree / program.access_security}")'
        # What was declared wins over a file that st.cmd names.
        again = f"{access}\nasInit"
    return templates.WRAPPER.format(
        name=program.name,
        access=access,
        access_again=again,
        folder=start.parent,
        start=start,
        file=start.name,
        run=layout.run,
    )


def places(layout: Layout) -> str:
    """Return the lines of a script that say where things stand."""
    named = ("tree", "persist", "run", "log", "etc")
    return "\n".join(f"{p}={shlex.quote(str(getattr(layout, p)))}" for p in named)
