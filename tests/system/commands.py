"""Processes of `linacre` commands, forked from one that has imported all they need."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TextIO

from preloaded import MESSAGE, PROGRAM

AT_START = ("PYTHON", "LC_", "LANG", "LD_", "FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS")
"""How variables begin that are read when an interpreter or a library of it starts."""


class Command:
    """A command's process. It is used as a `subprocess.Popen` of text is."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        files: tuple[int, int, int],
    ) -> None:
        self.arguments = tuple(arguments)
        self.stdout: TextIO | None = None
        self.stderr: TextIO | None = None
        self.returncode: int | None = None
        self._read: dict[str, str] = {}
        self._readers: list[threading.Thread] = []
        request = {
            "arguments": self.arguments,
            "folder": str(folder),
            "environment": dict(environment),
            "umask": _umask(),
        }
        self._told, tells = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with tells:
            parent = _parent(_at_start(environment))
            socket.send_fds(parent, [json.dumps(request).encode()], [*files, tells.fileno()])
        data, handles, _, _ = socket.recv_fds(self._told, MESSAGE, 1)
        assert data, "the process that commands are forked from has ended"
        self.pid: int = json.loads(data)
        (self._handle,) = handles

    @classmethod
    def with_pipes(
        cls,
        arguments: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        stdin: str | None = None,
    ) -> Command:
        """Start a command whose output is read here; without `stdin` it has none."""
        with contextlib.ExitStack() as stack:
            source = os.open(os.devnull, os.O_RDONLY) if stdin is None else _filled(stdin)
            stack.callback(os.close, source)
            (out, out_end), (err, err_end) = os.pipe(), os.pipe()
            stack.callback(os.close, out_end)
            stack.callback(os.close, err_end)
            files = (source, out_end, err_end)
            made = cls(arguments, folder=folder, environment=environment, files=files)
        made.stdout, made.stderr = os.fdopen(out), os.fdopen(err)
        return made

    def poll(self) -> int | None:
        """Return the exit status, or None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(timeout=0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end, and return the exit status: minus the signal that killed it."""
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._told, selectors.EVENT_READ)
                if not selector.select(timeout):
                    raise subprocess.TimeoutExpired(self.arguments, timeout or 0)
            data = self._told.recv(MESSAGE)
            assert data, "the process that commands are forked from has ended"
            self.returncode = json.loads(data)
            self._told.close()
            os.close(self._handle)
        assert self.returncode is not None
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Return all that it wrote; it may be asked again where the time was too short."""
        end = None if timeout is None else time.monotonic() + timeout
        if not self._readers:
            for name, file in (("out", self.stdout), ("err", self.stderr)):
                assert file is not None
                reader = threading.Thread(target=self._keep, args=(name, file), daemon=True)
                reader.start()
                self._readers.append(reader)
        for reader in self._readers:
            reader.join(None if end is None else max(0.0, end - time.monotonic()))
            if reader.is_alive():
                raise subprocess.TimeoutExpired(self.arguments, timeout or 0)
        self.wait(None if end is None else max(0.0, end - time.monotonic()))
        return self._read["out"], self._read["err"]

    def _keep(self, name: str, file: TextIO) -> None:
        with file:
            self._read[name] = file.read()

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal; one that has ended is no error."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


def run_fresh(
    arguments: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    before: Sequence[str] = (),
    limit_s: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Run a command as a user's shell starts it: the program itself, in its own interpreter."""
    return subprocess.run(
        [*before, str(PROGRAM), *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )


def _at_start(environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((k, v) for k, v in environment.items() if k.startswith(AT_START)))


@cache
def _parent(at_start: tuple[tuple[str, str], ...]) -> socket.socket:
    """Start what forks commands with these variables; it ends when its socket is closed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MESSAGE)
    others = {k: v for k, v in os.environ.items() if not k.startswith((*AT_START, "LINACRE_"))}
    program = Path(__file__).with_name("preloaded.py")
    with theirs:
        process = subprocess.Popen(
            [sys.executable, str(program), str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            env=others | dict(at_start),
            pass_fds=[theirs.fileno()],
        )
    process.returncode = 0  # nothing waits for it
    return ours


def _filled(text: str) -> int:
    """Return the end to read of a pipe into which a text is written, and nothing after it."""
    reading, writing = os.pipe()

    def fill() -> None:
        # A command need not read what it is given.
        with contextlib.suppress(BrokenPipeError), os.fdopen(writing, "wb", buffering=0) as file:
            left = memoryview(text.encode())
            while left:
                left = left[file.write(left) :]

    threading.Thread(target=fill, daemon=True).start()
    return reading


def _umask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found
