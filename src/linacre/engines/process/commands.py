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
from functools import partial
from pathlib import Path
from typing import BinaryIO

from linacre.base.errors import EngineError
from linacre.engines.base import LARGEST_OUTPUT, Completed, Output, too_much_output
from linacre.engines.process.capture import Capture
from linacre.engines.process.streams import ProgramStream, open_pipes, open_terminal, shell_status

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

    With `output`, what it prints goes there as it comes and is not in the result; an error that
    `output` raises ends the command.
    """
    printed = {1: bytearray(), 2: bytearray()}

    def gather(descriptor: int, data: bytes) -> None:
        printed[descriptor] += data
        if len(printed[descriptor]) > LARGEST_OUTPUT:
            raise too_much_output(argv[0])

    wanted = {**place.environment, **(environment or {})}
    try:
        status = await _run(argv, place.folder, wanted, stdin, output or gather)
    except OSError as error:
        if error.filename is None:  # of `output`, not of the command
            raise
        status, said = _not_run(argv[0], wanted, error)
        (output or gather)(2, said)
    return Completed(shell_status(status), bytes(printed[1]), bytes(printed[2]))


async def _run(
    argv: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    stdin: bytes,
    output: Output,
) -> int:
    failed = asyncio.get_running_loop().create_future()
    captures = [Capture(partial(output, descriptor), failed) for descriptor in (1, 2)]
    try:
        try:
            with _memory(stdin) as given:
                process = await asyncio.create_subprocess_exec(
                    *argv,
                    stdin=given,
                    stdout=captures[0].far,
                    stderr=captures[1].far,
                    cwd=folder,
                    env=environment,
                    start_new_session=True,
                )
        finally:
            for capture in captures:
                os.close(capture.far)
        status = await _ended(process, failed)
        for capture in captures:
            capture.drain()
        if failed.done():
            failed.result()
        return status
    finally:
        failed.cancel()
        for capture in captures:
            capture.close()


async def _ended(process: Process, failed: asyncio.Future[None]) -> int:
    """Wait for a command's end; end it where its output has nowhere to go, or we are cancelled."""
    ending = asyncio.create_task(process.wait())
    try:
        await asyncio.wait({ending, failed}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not ending.done():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await ending
    return ending.result()


def _not_run(program: str, environment: Mapping[str, str], error: OSError) -> tuple[int, bytes]:
    # A folder of PATH that may not be looked into gives "permission denied" for any name.
    if shutil.which(program, mode=os.F_OK, path=environment.get("PATH")) is None:
        return _NOT_FOUND, f"{program}: not found\n".encode()
    return _NOT_EXECUTABLE, f"{program}: {error.strerror}\n".encode()


def _memory(content: bytes) -> BinaryIO:
    file = os.fdopen(os.memfd_create("linacre"), "w+b", 0)
    file.write(content)
    file.seek(0)
    return file


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
