"""Processes of this host, named so that a reused process id is never taken for the old one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from linacre.base.errors import LinacreError


@dataclass(frozen=True)
class ProcessId:
    """A process id with the start time that makes it unique until the next boot."""

    pid: int
    started: int
    """Clock ticks since boot, field 22 of /proc/<pid>/stat (proc(5))."""

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """Return the name of a live process; None where there is none or only a zombie."""
        try:
            text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        except OSError:
            return None
        # The command's name, in parentheses, may itself hold spaces and parentheses.
        fields = text.rpartition(")")[2].split()
        if fields[0] in ("Z", "X"):
            return None
        return cls(pid, int(fields[19]))

    @classmethod
    def parse(cls, text: str) -> ProcessId | None:
        """Read what `str` wrote; None where it is not that."""
        try:
            pid, started = (int(part) for part in text.split())
        except ValueError:
            return None
        return cls(pid, started)

    def __str__(self) -> str:
        """Return the form kept in pid files."""
        return f"{self.pid} {self.started}"

    @property
    def is_alive(self) -> bool:
        """Whether this very process lives."""
        return ProcessId.of(self.pid) == self

    def kill(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal, unless the process is gone."""
        if self.is_alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def all_processes() -> Iterator[tuple[ProcessId, str]]:
    """Yield each live process that has a command line, with that line, words parted by spaces."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            line = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        identity = ProcessId.of(int(entry.name))
        if line and identity is not None:
            yield identity, line.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")


async def run_tool(*argv: str, stdin: bytes = b"", check: bool = True) -> str:
    """Run a program of the host to its end, given `stdin`, and return what it printed.

    Raises `LinacreError` with the program's last line where it is missing or fails.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except FileNotFoundError as error:
        raise LinacreError(f"{argv[0]} is not installed on this host") from error
    printed, _ = await process.communicate(stdin)
    text = printed.decode(errors="replace")
    if check and process.returncode != 0:
        last = text.strip().splitlines()[-1:] or [f"exit status {process.returncode}"]
        raise LinacreError(f"{' '.join(argv[:4])} failed: {last[0]}")
    return text


def spawn_detached(
    argv: Sequence[str], *, log: Path, environment: dict[str, str], folder: Path | None = None
) -> int:
    """Start a program that outlives us, in a session of its own; return its process id."""
    with log.open("ab") as out:
        # Not asyncio's: its child watcher would tie the child to our event loop.
        import subprocess

        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )
    # The child is on its own: no ResourceWarning for not waiting.
    child.returncode = 0
    return child.pid
