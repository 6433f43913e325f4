"""Commands of this host, run at a desk or beside an IOC."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from linacre.base.errors import EngineError
from linacre.engines.base import Completed, Output
from linacre.engines.process.streams import ProgramStream, open_pipes, open_terminal, shell_status

_TELL_PERIOD_S = 0.05
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
"""Exit statuses of a shell for a command that is not there, or that cannot be run."""

_NEEDED = {"procServ": "procserv", "setsid": "util-linux", "setpriv": "util-linux"}
"""Programs and the Debian packages that have them."""


@dataclass(frozen=True)
class Place:
    """Where a command runs, and with what environment."""

    folder: Path
    environment: Mapping[str, str]


def check_installed() -> None:
    """Raise `EngineError` where a program that the engine needs is not installed."""
    missing = [program for program in _NEEDED if shutil.which(program) is None]
    if missing:
        packages = " ".join(sorted({_NEEDED[program] for program in missing}))
        raise EngineError(
            f"the process engine needs {', '.join(missing)}, which this host has not; "
            f"as root: apt-get install {packages}"
        )


async def run(
    argv: Sequence[str],
    *,
    place: Place,
    stdin: bytes,
    environment: Mapping[str, str] | None,
    output: Output | None = None,
) -> Completed:
    """Run a command to its end; one that cannot be run ends with 127 or 126, as in a shell.

    With `output`, what it prints goes there as it comes.
    """
    # Not pipes: a program that it leaves behind (Channel Access clients start a repeater) would
    # hold a pipe open, and the end of the command would never be seen.
    with _memory(stdin) as given, _memory() as stdout, _memory() as stderr:
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=given,
                stdout=stdout,
                stderr=stderr,
                cwd=place.folder,
                env={**place.environment, **(environment or {})},
                start_new_session=True,
            )
        except OSError as error:
            status = _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE
            said = f"{argv[0]}: {error.strerror}\n".encode()
            if output is not None:
                output(2, said)
            return Completed(status, b"", b"" if output is not None else said)
        try:
            if output is None:
                status = await process.wait()
            else:
                status = await _wait_telling(process, {1: stdout, 2: stderr}, output)
        except asyncio.CancelledError:
            await _kill(process)
            raise
        if output is not None:
            return Completed(shell_status(status), b"", b"")
        return Completed(shell_status(status), _written(stdout), _written(stderr))


async def _wait_telling(process: Process, files: Mapping[int, BinaryIO], output: Output) -> int:
    """Wait for a command's end, passing on what it writes meanwhile."""
    told = dict.fromkeys(files, 0)
    ending = asyncio.create_task(process.wait())
    try:
        while True:
            ended, _ = await asyncio.wait({ending}, timeout=_TELL_PERIOD_S)
            for descriptor, file in files.items():
                # The file's position is the command's too: read from a place of our own.
                while data := os.pread(file.fileno(), 1 << 16, told[descriptor]):
                    told[descriptor] += len(data)
                    output(descriptor, data)
            if ended:
                return ending.result()
    finally:
        ending.cancel()


def _not_run(program: str, place: Place, error: OSError) -> Completed:
    # A folder of PATH that may not be looked into gives "permission denied" for any name.
    if shutil.which(program, mode=os.F_OK, path=place.environment.get("PATH")) is None:
        return Completed(_NOT_FOUND, b"", f"{program}: not found\n".encode())
    return Completed(_NOT_EXECUTABLE, b"", f"{program}: {error.strerror}\n".encode())


def _memory(content: bytes = b"") -> BinaryIO:
    file = os.fdopen(os.memfd_create("linacre"), "w+b", 0)
    file.write(content)
    file.seek(0)
    return file


def _written(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()


async def _kill(process: Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


async def open_shell(
    argv: Sequence[str],
    *,
    place: Place,
    size: tuple[int, int] | None,
    environment: Mapping[str, str] | None,
) -> ProgramStream:
    """Run a command, or the user's shell, on a terminal or on pipes.

    `EngineError` where it cannot be run.
    """
    wanted = {**place.environment, **(environment or {})}
    command = list(argv) or [wanted.get("SHELL") or "/bin/sh"]
    try:
        if size is None:
            return await open_pipes(command, folder=place.folder, environment=wanted)
        return await open_terminal(command, folder=place.folder, environment=wanted, size=size)
    except OSError as error:
        raise EngineError(f"{command[0]} cannot be run: {error.strerror}") from error
