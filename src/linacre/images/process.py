"""Running the tools that build images: output to a log, one clear line when one fails."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from linacre.base.errors import LinacreError


@dataclass(frozen=True)
class Tool:
    """How tools are run: where their output is kept and what is added to their environment."""

    log: Path
    environment: Mapping[str, str] = field(default_factory=dict[str, str])

    async def run(self, argv: Sequence[str | Path], *, what: str) -> None:
        """Run a program to its end; cancelled, the program is killed.

        Raises `LinacreError` naming `what`, the line of output that tells most and the log.
        """
        with self.log.open("ab") as output:
            start = output.tell()
            process = await self._start(argv, stdout=output.fileno(), what=what)
            try:
                status = await process.wait()
            except asyncio.CancelledError:
                process.kill()
                await process.wait()
                raise
        if status:
            with self.log.open("rb") as file:
                file.seek(start)
                said = _telling(file.read(), status=status)
            raise LinacreError(f"{what} failed: {said} (log: {self.log})")

    async def output_of(self, argv: Sequence[str | Path], *, what: str) -> str:
        """Run a short program and return what it prints; errors as in `run`."""
        process = await self._start(argv, stdout=asyncio.subprocess.PIPE, what=what)
        stdout, stderr = await process.communicate()
        if process.returncode:
            with self.log.open("ab") as file:
                file.write(stdout + stderr)
            said = _telling(stderr, status=process.returncode)
            raise LinacreError(f"{what} failed: {said} (log: {self.log})")
        return stdout.decode(errors="replace")

    async def _start(
        self, argv: Sequence[str | Path], *, stdout: int, what: str
    ) -> asyncio.subprocess.Process:
        piped = stdout == asyncio.subprocess.PIPE
        try:
            return await asyncio.create_subprocess_exec(
                *map(str, argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stdout,
                stderr=asyncio.subprocess.PIPE if piped else asyncio.subprocess.STDOUT,
                env={**os.environ, "LC_ALL": "C.UTF-8", **self.environment},
            )
        except FileNotFoundError:
            raise LinacreError(
                f"{what} failed: there is no program {Path(argv[0]).name} here; "
                "install its Debian package, or run ./linacre as root, which does"
            ) from None


def _telling(output: bytes, *, status: int) -> str:
    """Return the first error that a program told of, else its last line."""
    lines = output.decode(errors="replace").strip().splitlines()
    errors = [line for line in lines if line.startswith(("E:", "ERROR", "error", "FATAL"))]
    return (errors or lines[-1:] or [f"exit status {status}"])[0].strip()
