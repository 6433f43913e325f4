"""Running the tools that build images: output to a log, one clear line when one fails."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from linacre.base.errors import LinacreError


async def run(
    argv: Sequence[str | Path],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    what: str,
) -> None:
    """Run a tool to its end, its output appended to `log`; cancelled, the tool is killed.

    Raises `LinacreError` naming `what`, the last line of output and the log.
    """
    with log.open("ab") as output:
        start = output.tell()
        process = await _start(argv, stdout=output.fileno(), environment=environment, what=what)
        try:
            status = await process.wait()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
    if status:
        with log.open("rb") as file:
            file.seek(start)
            lines = file.read().decode(errors="replace").strip().splitlines()
        errors = [line for line in lines if line.startswith(("E:", "ERROR", "error"))]
        said = (errors or lines[-1:])[0].strip() if lines else f"exit status {status}"
        raise LinacreError(f"{what} failed: {said} (log: {log})")


async def output_of(
    argv: Sequence[str | Path],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    what: str,
) -> str:
    """Run a tool and return what it prints; errors as in `run`."""
    process = await _start(argv, stdout=asyncio.subprocess.PIPE, environment=environment, what=what)
    stdout, stderr = await process.communicate()
    if process.returncode:
        with log.open("ab") as file:
            file.write(stdout + stderr)
        lines = stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise LinacreError(f"{what} failed: {lines[-1]} (log: {log})")
    return stdout.decode(errors="replace")


async def _start(
    argv: Sequence[str | Path],
    *,
    stdout: int,
    environment: Mapping[str, str] | None,
    what: str,
) -> asyncio.subprocess.Process:
    piped = stdout == asyncio.subprocess.PIPE
    try:
        return await asyncio.create_subprocess_exec(
            *map(str, argv),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stdout,
            stderr=asyncio.subprocess.PIPE if piped else asyncio.subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})},
        )
    except FileNotFoundError:
        program = Path(argv[0]).name
        raise LinacreError(
            f"{what} failed: there is no program {program} here; install the Debian package of it "
            f"(./linacre as root does)"
        ) from None
