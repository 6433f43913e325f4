"""Processes of this host, named so that a reused process id is never taken for the old one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from linacre.base.errors import LinacreError
from linacre.base.kernel_files import kernel_text

_PROC = Path("/proc")
_BOOT_ID = _PROC / "sys/kernel/random/boot_id"
_ENDING_S = 5.0
_LARGEST_OUTPUT = 16 << 20
"""Bytes that are kept of what a tool prints: some print what others have sent."""


@dataclass(frozen=True)
class ProcessStat:
    """What /proc/<pid>/stat tells of a process (proc(5))."""

    pid: int
    state: str
    parent: int
    ticks: int
    """When it started, in clock ticks since boot."""

    @classmethod
    def parse(cls, text: str) -> ProcessStat | None:
        """Read the text of the file; None where it is not that, or not all of it."""
        # The command's name, in parentheses, may itself hold spaces and parentheses.
        head, _, tail = text.rpartition(")")
        fields = tail.split()
        try:
            return cls(int(head.split()[0]), fields[0], int(fields[1]), int(fields[19]))
        except (ValueError, IndexError):
            return None

    @classmethod
    def of(cls, pid: int) -> ProcessStat | None:
        """Return that of a live process; None where there is none or only a zombie."""
        try:
            found = cls.parse(kernel_text(f"{_PROC}/{pid}/stat"))
        except OSError:
            return None
        return found if found is not None and found.is_live else None

    @property
    def is_live(self) -> bool:
        """Whether the process had not ended: a zombie has."""
        return self.state not in "ZX"


@dataclass(frozen=True)
class ProcessId:
    """One process, told from any other that ever had its id, on this boot of the host or another.

    Setting the clock changes nothing of it.
    """

    pid: int
    started: str
    """`BOOT:TICKS`: the boot's id, and the clock ticks from that boot to its start."""

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """Return the name of a live process; None where there is none or only a zombie."""
        found = ProcessStat.of(pid)
        return None if found is None else cls.named(found)

    @classmethod
    def own(cls) -> ProcessId:
        """Return the name of this process."""
        found = cls.of(os.getpid())
        assert found is not None
        return found

    @classmethod
    def named(cls, stat: ProcessStat, *, boot: str | None = None) -> ProcessId:
        """Return the name of the process of a stat, read in this boot unless another is given."""
        return cls(stat.pid, f"{boot or _boot_id()}:{stat.ticks}")

    @classmethod
    def parse(cls, text: str) -> ProcessId | None:
        """Read what `str` wrote; None where it is not that.

        Earlier versions wrote no boot: theirs is taken for this one.
        """
        words = text.split()
        if len(words) != 2 or not words[0].isdecimal():
            return None
        boot, colon, ticks = words[1].rpartition(":")
        if not ticks.isdecimal() or (colon and not boot):
            return None
        return cls(int(words[0]), f"{boot or _boot_id()}:{ticks}")

    @classmethod
    def noted(cls, file: Path) -> ProcessId | None:
        """Return the process that a pid file names, alive or not; None where it names none.

        The file holds what `str` writes or, by a shell that has but `cat`, /proc/<pid>/stat and
        the boot's id, a line each.
        """
        try:
            text = file.read_text(errors="replace").strip()
        except OSError:
            return None
        stat, line_end, boot = text.rpartition("\n")
        if not line_end:
            return cls.parse(text)
        found = ProcessStat.parse(stat)
        return None if found is None else cls.named(found, boot=boot.strip())

    def note(self, file: Path) -> None:
        """Write this process's name into a pid file, whole or not at all."""
        temporary = file.with_name(f"{file.name}.new")
        temporary.write_text(str(self))
        temporary.replace(file)

    def __str__(self) -> str:
        """Return the form kept in pid files."""
        return f"{self.pid} {self.started}"

    def is_that_of(self, stat: ProcessStat) -> bool:
        """Whether a stat of this boot is this very process's, and it lives."""
        return stat.is_live and ProcessId.named(stat) == self

    @property
    def is_alive(self) -> bool:
        """Whether this very process lives; a zombie does not."""
        return ProcessId.of(self.pid) == self

    def kill(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal to this very process; one that is gone is no error."""
        with contextlib.suppress(ProcessLookupError):
            try:
                descriptor = os.pidfd_open(self.pid)
            except ProcessLookupError:
                return
            except OSError:  # a container may forbid pidfd_open
                if self.is_alive:
                    os.kill(self.pid, number)
                return
            try:
                # Once the descriptor is open it cannot come to mean another process.
                if self.is_alive:
                    signal.pidfd_send_signal(descriptor, number)
            finally:
                os.close(descriptor)


@cache
def _boot_id() -> str:
    return _BOOT_ID.read_text().strip()


def all_processes() -> Iterator[tuple[ProcessId, str]]:
    """Yield each live process that has a command line, with that line, words parted by spaces."""
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            line = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        identity = ProcessId.of(int(entry.name))
        if line and identity is not None:
            yield identity, line.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")


def children_of(pid: int) -> list[ProcessId]:
    """Return the live processes that a process has begun (proc(5), children)."""
    try:
        text = kernel_text(f"{_PROC}/{pid}/task/{pid}/children")
    except OSError:
        return []
    return [found for each in text.split() if (found := ProcessId.of(int(each))) is not None]


def kill_with_children(process: ProcessId) -> None:
    """Kill a process and all that it has begun."""
    below = children_of(process.pid)
    process.kill(signal.SIGKILL)
    for each in below:
        kill_with_children(each)


async def run_tool(*argv: str, stdin: bytes = b"", check: bool = True) -> str:
    """Run a program of the host to its end, given `stdin`, and return what it printed.

    Raises `LinacreError` with the program's last line where it is missing or fails, and where it
    prints more than 16 MiB. Where the caller is cancelled it is killed, with all that it began.
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
    identity = ProcessId.of(process.pid)
    try:
        printed, _ = await asyncio.gather(_printed(process, argv), _given(process, stdin))
        await process.wait()
    except BaseException:
        if identity is not None:
            kill_with_children(identity)
        await _emptied(process)
        raise
    text = printed.decode(errors="replace")
    if check and process.returncode != 0:
        last = text.strip().splitlines()[-1:] or [f"exit status {process.returncode}"]
        raise LinacreError(f"{' '.join(argv[:4])} failed: {last[0]}")
    return text


async def _printed(process: asyncio.subprocess.Process, argv: Sequence[str]) -> bytes:
    assert process.stdout is not None
    found = bytearray()
    while data := await process.stdout.read(1 << 16):
        found += data
        if len(found) > _LARGEST_OUTPUT:
            said = f"{' '.join(argv[:4])} printed more than {_LARGEST_OUTPUT >> 20} MiB: ended"
            raise LinacreError(said)
    return bytes(found)


async def _emptied(process: asyncio.subprocess.Process) -> None:
    """Wait for the end of a process that was killed; for some Pythons its pipe must be empty."""
    assert process.stdout is not None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_ENDING_S):
            while await process.stdout.read(1 << 16):
                pass
            await process.wait()


async def _given(process: asyncio.subprocess.Process, data: bytes) -> None:
    assert process.stdin is not None
    # One that reads no more has said why, or will.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.close()


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
