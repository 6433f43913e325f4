"""Reaching into the machines of the Incus engine: files, commands, consoles, ports, clients."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from linacre.base.connecting import connecting
from linacre.base.errors import EngineError
from linacre.engines.base import Client, Completed, Output, Stream
from linacre.engines.connections import clients, served, sockets
from linacre.engines.console import ConsoleStream
from linacre.engines.incus import machines, streams
from linacre.engines.incus.client import IncusClient
from linacre.engines.incus.connection import Connection
from linacre.engines.incus.files import Files
from linacre.engines.incus.inside import read_inside
from linacre.engines.incus.netns import socket_in


class Reach:
    """What of the engine's protocol goes on inside running machines."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def _client(self) -> IncusClient:
        return self._connection.client

    async def read(self, name: str, path: PurePosixPath, *, limit: int = 1 << 20) -> bytes | None:
        """Return the last bytes of a file inside a running machine, or None."""
        return (await self.read_all(name, [path], limit=limit))[path]

    async def read_all(
        self, name: str, paths: Iterable[PurePosixPath], *, limit: int = 1 << 20
    ) -> dict[PurePosixPath, bytes | None]:
        """Return the last bytes of files inside a running machine, each None where it is not."""
        if not self._client.is_local:
            return {path: await self._fetch(name, path, limit=limit) for path in paths}
        if (init := await self._connection.init_of(name)) is None:
            return dict.fromkeys(paths)
        return read_inside(init, paths, limit=limit)

    async def _fetch(self, name: str, path: PurePosixPath, *, limit: int) -> bytes | None:
        if path.is_relative_to("/proc"):
            # The daemon takes a file's size from its inode, and there it is 0.
            done = await self.exec(name, ["cat", str(path)])
            return done.stdout[-limit:] if done.status == 0 else None
        body = await Files(self._client, project=self._connection.project).read(name, path)
        return None if body is None else body[-limit:]

    async def exec(
        self,
        name: str,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        output: Output | None = None,
    ) -> Completed:
        """Run a command inside a machine, as root, to its end."""
        return await streams.run(
            self._client, name, argv, stdin=stdin, environment=environment, output=output
        )

    async def shell(
        self,
        name: str,
        argv: Sequence[str],
        *,
        size: tuple[int, int] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Stream:
        """Run a command inside a machine; with `size` (columns, rows), on a terminal."""
        return await streams.ExecStream.open(
            self._client, name, argv, size=size, environment=environment
        )

    async def console(self, name: str) -> Stream:
        """Open the IOC's procServ through the socket inside its machine."""
        argv = ["nc", "-N", "-U", str(machines.LAYOUT.run / "console.sock")]
        return ConsoleStream(await self.shell(name, argv))

    async def connect(
        self, name: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to a TCP port of a machine on this host, from inside its network."""
        init = await self._connection.init_of(name) if self._client.is_local else None
        if init is None:
            raise EngineError(f"{name} does not run on this host")
        sock = socket_in(init.pid, socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        with connecting(lambda why: EngineError(f"{name}: port {port}: {why}")):
            try:
                await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
            except BaseException:
                sock.close()
                raise
        return await asyncio.open_connection(sock=sock)

    async def clients(self, name: str) -> list[Client]:
        """Return who is connected to the servers in a running machine."""
        # Not /proc/net: that is a link, and no link inside a machine is followed.
        tables = [await self.read(name, PurePosixPath(f"/proc/1/net/{t}")) for t in ("tcp", "tcp6")]
        return clients(served(sockets(*(t.decode() for t in tables if t is not None))))
