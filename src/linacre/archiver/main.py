"""The `linacre-archiver` command: run an archiver, or look into an archive's folder."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any

from linacre import __version__
from linacre.archiver.http.serve import listen, serve
from linacre.archiver.settings import (
    DEFAULT_PORT,
    Settings,
    parse_duration,
    parse_pv,
    parse_size,
    parse_time,
    read_pvs_file,
    read_settings,
)
from linacre.base.errors import LinacreError, UserError

if TYPE_CHECKING:
    from fastapi import FastAPI

GRACE_S = 1
"""How long answers may take that are under way at the end."""
_PROGRAM = "linacre-archiver"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; ends the process with its exit status."""
    sys.meta_path.insert(0, _Without("pandas"))
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        status = options.act(options)
    except LinacreError as error:
        if options.debug:
            traceback.print_exc()
        print(f"{_PROGRAM}: {error}", file=sys.stderr)
        status = error.exit_status
    except BrokenPipeError:
        # Whoever reads has seen enough; the interpreter shall not try to flush at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=_PROGRAM, description="Archives EPICS PVs.")
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="archive PVs and serve what is archived")
    run.set_defaults(act=_run)
    run.add_argument("--settings", type=Path, metavar="FILE", help="TOML; options come before it")
    run.add_argument("--data", type=Path, metavar="DIR", help="where the archive is, or begins")
    run.add_argument("--name")
    run.add_argument("--owner")
    more = "may be given several times; NAME, pva://NAME, 'NAME scan PERIOD_S'"
    run.add_argument("--pv", action="append", default=[], metavar="NAME", help=more)
    run.add_argument("--pvs-file", type=Path, metavar="FILE", help="a PV a line")
    run.add_argument("--address", help="to listen on (0.0.0.0: all of the machine's)")
    run.add_argument("--port", type=int, help=f"({DEFAULT_PORT}; 0: any that is free)")
    run.add_argument("--until", metavar="TIME", help="take no samples after it, ISO 8601")
    run.add_argument("--for", dest="lasting", metavar="LENGTH", help="the same: 12h, 7d, ...")
    run.add_argument("--medium", type=Path, metavar="DIR", help="another place for days")
    run.add_argument("--long", type=Path, metavar="DIR", help="another place for months")
    run.add_argument("--short-age", metavar="LENGTH", help="drop hours when they are so old")
    run.add_argument("--medium-age", metavar="LENGTH", help="drop days when they are so old")
    run.add_argument("--max-age", metavar="LENGTH", help="drop samples when they are so old")
    run.add_argument("--max-bytes", metavar="SIZE", help="drop the oldest beyond it: 20GiB")
    run.add_argument("--memory", metavar="SIZE", help="what it may use (512MiB)")
    run.add_argument("--token-file", type=Path, metavar="FILE", help="changes need its token")
    run.add_argument("--protect-reading", action="store_true", default=None, help="reading too")

    pvs = commands.add_parser("pvs", help="list the PVs of an archive")
    pvs.set_defaults(act=_pvs)
    pvs.add_argument("pattern", nargs="?", default="*")
    samples = commands.add_parser("samples", help="print samples of a PV as CSV")
    samples.set_defaults(act=_samples)
    samples.add_argument("pv")
    samples.add_argument("--start", default="", metavar="TIME", help="ISO 8601 (an hour ago)")
    samples.add_argument("--end", default="", metavar="TIME", help="(now)")
    for command in (pvs, samples):
        command.add_argument("--data", type=Path, required=True, metavar="DIR")
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    values: dict[str, Any] = {}
    if options.settings is not None:
        values.update(read_settings(options.settings))
    readers: dict[str, tuple[str, Callable[[str], Any]]] = {
        "short_age": ("short_age_s", parse_duration),
        "medium_age": ("medium_age_s", parse_duration),
        "max_age": ("max_age_s", parse_duration),
        "max_bytes": ("max_bytes", parse_size),
        "memory": ("memory", parse_size),
    }
    plain = (
        *("data", "name", "owner", "address", "port", "until", "lasting", "medium", "long"),
        *("token_file", "protect_reading"),
    )
    for name in plain:
        if (value := getattr(options, name)) is not None:
            values[name] = value
    for name, (field, read) in readers.items():
        if (text := getattr(options, name)) is not None:
            values[field] = read(text)
    pvs = [*values.get("pvs", ()), *(parse_pv(text) for text in options.pv)]
    if options.pvs_file is not None:
        pvs.extend(read_pvs_file(options.pvs_file))
    values["pvs"] = tuple(pvs)
    if "data" not in values:
        raise UserError("where is the archive to be? give --data DIR")
    return Settings(**values)


class _Without(MetaPathFinder):
    """Hides a module that nothing here needs.

    Where pandas is installed, pyarrow imports it with its first array, for half a second.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == self._name:
            raise ModuleNotFoundError(f"{fullname} is hidden from {_PROGRAM}", name=fullname)
        return None


class _Signals:
    """SIGTERM and SIGINT, whenever they come."""

    def __init__(self) -> None:
        self.came = threading.Event()
        self.call: Callable[[], None] = self.came.set
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._take)

    def _take(self, number: int, frame: FrameType | None) -> None:
        self.came.set()
        self.call()


def _run(options: argparse.Namespace) -> int:
    settings = _settings(options)
    signals = _Signals()
    listening = listen(settings.address, settings.port)
    from linacre.archiver.recording.running import Archiver
    from linacre.archiver.recording.sources import load, makers

    archiver = Archiver(settings, makers(settings))
    load(status.spec.provider for status in archiver.control.status())
    archiver.start(_fail)
    try:
        # While the sources connect already: this takes most of the time to start.
        from linacre.archiver.http.app import make_app
        from linacre.archiver.http.settings import HttpSettings, read_tokens

        tokens = read_tokens(settings.token_file) if settings.token_file else frozenset[str]()
        info = archiver.control.info()
        http = HttpSettings(
            tokens=tokens,
            protect_reading=settings.protect_reading,
            names=frozenset({info.name}),
        )
        app = make_app(archiver.reader, archiver.control, http)
        host, port = listening.getsockname()[:2]
        where = f"http://{host}:{port}, {info.pvs} PVs, data in {settings.data}"
        asyncio.run(_serve(app, listening, signals, f"archiver {info.name}: {where}"))
    finally:
        archiver.stop()
    return 0


async def _serve(app: FastAPI, listening: socket.socket, signals: _Signals, ready: str) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def end() -> None:
        loop.call_soon_threadsafe(stop.set)

    signals.call = end
    if signals.came.is_set():
        return
    # It listens already: what is asked from now on is answered.
    print(ready, flush=True)
    await serve(app, [listening], stop=stop, grace_s=GRACE_S)


def _fail(name: str, error: BaseException) -> None:
    """End the process when a thread fails: what keeps it running begins it anew."""
    if not isinstance(error, LinacreError):
        traceback.print_exception(error, file=sys.stderr)
    print(f"{_PROGRAM}: the {name} thread failed: {error}", file=sys.stderr, flush=True)
    # What was written is with the system; nothing of this process is to be trusted any more.
    os._exit(1)


def _pvs(options: argparse.Namespace) -> int:
    from linacre.archiver.reading.folder import open_reader

    for pv in open_reader(options.data).pvs(options.pattern):
        print(pv)
    return 0


def _samples(options: argparse.Namespace) -> int:
    import time

    from pyarrow import csv

    from linacre.archiver.reading.folder import open_reader
    from linacre.archiver.service import NoSuchPvError

    end_ns = parse_time(options.end) if options.end else time.time_ns()
    start_ns = parse_time(options.start) if options.start else end_ns - 3600 * 10**9
    reader = open_reader(options.data)
    try:
        batches = reader.stream(options.pv, start_ns, end_ns)
    except NoSuchPvError as error:
        raise UserError(f"the archive has no PV {options.pv}") from error
    print("time,value,severity,status,tag")
    to: Any = csv.WriteOptions(include_header=False)
    for batch in batches:
        text: Any = _flat(batch)
        sys.stdout.flush()
        csv.write_csv(text, sys.stdout.buffer, to)
    sys.stdout.flush()
    return 0


def _flat(batch: Any) -> Any:
    """Return a batch whose arrays, which CSV cannot hold, are text."""
    import json

    import pyarrow as pa

    value = batch.column("value")
    if not pa.types.is_large_list(value.type):
        return batch
    texts = pa.array([json.dumps(one) for one in value.to_pylist()])
    return batch.set_column(1, "value", texts)


if __name__ == "__main__":
    main()
