"""Reaching into the machines of the process engine: files, commands, consoles, ports, clients."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from linacre.base.connecting import connecting
from linacre.base.errors import EngineError, UserError
from linacre.engines.base import Client, Completed, Output, Stream
from linacre.engines.connections import clients, served, sockets
from linacre.engines.console import ConsoleStream
from linacre.engines.process import commands
from linacre.engines.process.addresses import loopback_address
from linacre.engines.process.files import read_tail
from linacre.engines.process.machines import Machines
from linacre.engines.process.streams import SocketStream


class Reach:
    """What of the engine's protocol goes on inside machines."""

    def __init__(self, machines: Machines) -> None:
        self._machines = machines

    async def read(self, name: str, path: PurePosixPath, *, limit: int = 1 << 20) -> bytes | None:
        """Return at most the last `limit` bytes of a file, as this user may read it.

        None where there is no such file or machine, and for run-time state of one that is stopped.
        """
        return (await self.read_all(name, [path], limit=limit))[path]

    async def read_all(
        self, name: str, paths: Iterable[PurePosixPath], *, limit: int = 1 << 20
    ) -> dict[PurePosixPath, bytes | None]:
        """Return what `read` returns of each of several files of one machine."""
        wanted = list(paths)
        folder = self._machines.folder(name)
        if folder.manifest() is None:
            return dict.fromkeys(wanted)
        runs = self._machines.program(folder).leader() is not None

        def work() -> dict[PurePosixPath, bytes | None]:
            return {
                path: read_tail(Path(path), limit, tops=(folder.run, folder.home))
                if runs or folder.run not in Path(path).parents
                else None
                for path in wanted
            }

        return await asyncio.to_thread(work)

    async def exec(
        self,
        name: str,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        output: Output | None = None,
    ) -> Completed:
        """Run a command: at a desk as here and now, for an IOC in its tree."""
        return await commands.run(
            argv,
            place=self._machines.place(name),
            stdin=stdin,
            environment=environment,
            output=output,
        )

    async def shell(
        self,
        name: str,
        argv: Sequence[str],
        *,
        size: tuple[int, int] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Stream:
        """Run a command as `exec` does; with `size` (columns, rows), on a terminal.

        No argv is the user's shell.
        """
        place = self._machines.place(name)
        return await commands.open_shell(argv, place=place, size=size, environment=environment)

    async def console(self, name: str) -> Stream:
        """Open procServ's console through its unix socket; `EngineError` where none listens."""
        manifest = self._machines.manifest(name)
        if not manifest.traits.runs_program:
            raise UserError(f"{name} is a {manifest.kind}: it has no console; use linacre shell")
        folder = self._machines.folder(name)
        folder.ensure_run()
        with connecting(
            lambda why: EngineError(
                f"{name}: nothing answers at its console ({why}): linacre ioc start {name}"
            )
        ):
            return ConsoleStream(await SocketStream.open(folder.console))

    async def connect(
        self, name: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to a port at the loopback address of a machine; `EngineError` where none is."""
        address = loopback_address(self._machines.manifest(name).address)
        with connecting(lambda why: EngineError(f"{name}: port {port}: {why}")):
            return await asyncio.open_connection(str(address), port)

    async def clients(self, name: str) -> list[Client]:
        """Return who is connected to the loopback address of a machine."""
        address = loopback_address(self._machines.manifest(name).address)
        tables = [Path(f"/proc/self/net/{table}").read_text() for table in ("tcp", "tcp6")]
        return clients(served(sockets(*tables), at=address))
