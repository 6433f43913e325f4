"""A process that has imported what commands import, and forks one for each command asked for.

A program of its own: `preloaded.py DESCRIPTOR`, a socket on which `commands.py` asks. It never runs
a thread, an event loop or a database, so a fork of it is as an interpreter that has just started,
and what is particular to a command is set in the child: its files, folder, environment, arguments
and standard streams. Each message on the socket is one request, with four descriptors: the
command's three standard ones, and a socket on which its process is told, and later its end.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn, TextIO

ROOMS = (
    *("cli", "operations", "observing", "planning", "kinds", "session", "declaration"),
    *("catalogue", "images", "engines", "base"),
)
"""The packages whose modules commands import, now or later."""
OTHERS = (
    # What libraries import when they are first used.
    *("aiohttp", "alembic.command", "alembic.runtime.migration", "asyncio", "sqlite3"),
    *("rich.live", "rich.progress", "rich.table", "ruamel.yaml", "sqlalchemy.dialects.sqlite"),
    *("sqlalchemy.orm", "typer.rich_utils", "encodings.idna", "uuid"),
)
NEVER = ("aioca", "epicscorelibs", "p4p", "softioc", "numpy")
"""What starts threads, or reads its environment when it is imported."""
MESSAGE = 1 << 20
PROGRAM = Path(sys.executable).with_name("linacre")


def preload() -> None:
    """Import what commands import; fail where that has done more than to define things."""
    for name in OTHERS:
        importlib.import_module(name)
    for room in ROOMS:
        package = importlib.import_module(f"linacre.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            # Those are alembic's to run.
            if "migrations" not in module.name:
                importlib.import_module(module.name)
    loaded = [name for name in NEVER if name in sys.modules]
    threads = len(list(Path("/proc/self/task").iterdir()))
    if loaded or threads > 1:
        sys.exit(f"preloaded: {threads} threads, and there should be none of {loaded}")
    gc.collect()
    gc.freeze()


def serve(connection: socket.socket) -> dict[str, Any]:
    """Fork a process for each request; return the request, in each of these processes only."""
    running: dict[int, tuple[int, socket.socket]] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd in running:
                    selector.unregister(key.fd)
                    _tell_end(key.fd, *running.pop(key.fd))
                    continue
                data, given, _, _ = socket.recv_fds(connection, MESSAGE, 4)
                if not data:
                    os._exit(0)  # whoever asked has ended
                if (pid := os.fork()) == 0:
                    request = json.loads(data)
                    _become(request, given)
                    return request
                told = socket.socket(fileno=given.pop())
                for descriptor in given:
                    os.close(descriptor)
                handle = os.pidfd_open(pid)
                socket.send_fds(told, [json.dumps(pid).encode()], [handle])
                selector.register(handle, selectors.EVENT_READ)
                running[handle] = (pid, told)


def _tell_end(handle: int, pid: int, told: socket.socket) -> None:
    _, status = os.waitpid(pid, 0)
    os.close(handle)
    with told:
        try:
            told.send(json.dumps(os.waitstatus_to_exitcode(status)).encode())
        except OSError:
            return  # nobody waits for it any more


def _become(request: dict[str, Any], given: list[int]) -> None:
    """Be as a command that was just started is."""
    for descriptor, own in zip(given[:3], range(3), strict=True):
        os.dup2(descriptor, own)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.umask(request["umask"])
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [str(PROGRAM), *request["arguments"]]
    sys.path[0] = str(PROGRAM.parent)
    sys.modules["__main__"] = ModuleType("__main__")
    sys.stdin = sys.__stdin__ = _stream(0, sys.stdin)
    sys.stdout = sys.__stdout__ = _stream(1, sys.stdout)
    sys.stderr = sys.__stderr__ = _stream(2, sys.stderr)


def _stream(descriptor: int, before: TextIO) -> TextIO:
    """Return a standard stream as the interpreter makes it at its start."""
    return open(
        descriptor,
        "r" if descriptor == 0 else "w",
        buffering=1 if descriptor == 2 or os.isatty(descriptor) else -1,
        encoding=before.encoding,
        errors=before.errors,
        newline="\n" if descriptor else None,
        closefd=False,
    )


def main() -> None:
    """Serve; in the processes forked, run the command."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    # Of a terminal's Ctrl-C, it is who asks and the commands that make something.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    preload()
    serve(connection)
    _end(_status_of_command())


def _status_of_command() -> int:
    from linacre.cli.main import main as command

    try:
        command()
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        print(ended.code, file=sys.stderr)
        return 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def _end(status: int) -> NoReturn:
    """End as an interpreter does, but for taking its modules to pieces: that costs 0.1 s."""
    threading._shutdown()
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
    except OSError as error:
        print(f"Exception ignored in: {sys.stdout!r}\n{error!r}", file=sys.stderr)
        status = 120
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
