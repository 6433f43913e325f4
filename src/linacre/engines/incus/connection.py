"""Which daemon serves a facility, and the way to it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from linacre.base.errors import EngineError
from linacre.base.paths import FacilityPaths
from linacre.base.processes import ProcessId
from linacre.engines.base import Host
from linacre.engines.incus import names
from linacre.engines.incus.client import IncusClient, IncusError, Remote
from linacre.engines.incus.daemon import SYSTEM_SOCKET, EmbeddedDaemon, why_not_here
from linacre.engines.incus.inits import Inits

DEFAULT_POOL_BYTES = 10 << 30
_STATES_AT_ONCE = 8
_NEEDED = (
    "projects",
    "instances",
    "container_disk_shift",
    "instances_nic_host_name",
    "operation_wait",
)


@dataclass(frozen=True)
class IncusSettings:
    """What the facility file says of the daemon."""

    remote: Remote | None = None
    """A daemon elsewhere; None is the system's own, else an embedded one."""
    pool_bytes: int = DEFAULT_POOL_BYTES


async def _answers(socket: Path) -> bool:
    if not socket.exists():
        return False
    async with IncusClient(socket, project="default") as client:
        return await client.answers()


async def why_unavailable() -> str | None:
    """Say why this host has no way to run Incus machines, or None where it has."""
    if await _answers(SYSTEM_SOCKET):
        return None
    return why_not_here()


class Connection:
    """The client of the daemon that serves a facility, and the daemon where it is ours."""

    def __init__(
        self, facility: str, paths: FacilityPaths, settings: IncusSettings, *, inits: Inits
    ) -> None:
        self._project = names.project(facility)
        self._remote = settings.remote
        self._embedded = EmbeddedDaemon(
            paths.incus, log=paths.logs / "incusd.log", project=self._project
        )
        self._is_embedded = False
        self._client: IncusClient | None = None
        self._disks: Path | None = None
        self._server = ""
        self._noted = inits
        self._inits: dict[str, ProcessId] = {}
        self._asking = asyncio.Semaphore(_STATES_AT_ONCE)

    @property
    def client(self) -> IncusClient:
        """The open client; `EngineError` before `open`."""
        if self._client is None:
            raise EngineError("the connection to Incus is not open")
        return self._client

    @property
    def project(self) -> str:
        """The name of the facility's project in the daemon."""
        return self._project

    @property
    def disks(self) -> Path | None:
        """The daemon's folder of loop files, where it is on this host."""
        return self._disks

    @property
    def is_embedded(self) -> bool:
        """Whether the daemon is our own, as `open` found."""
        return self._is_embedded

    @property
    def server(self) -> str:
        """The name of the daemon's server."""
        return self._server

    async def open(self) -> bool:
        """Reach the remote daemon, the one that has the facility, or the one that may take it.

        A facility that an embedded daemon holds stays there, whatever the system starts later.
        Returns whether it was closed before.
        """
        if self._client is not None:
            return False
        where: Path | Remote
        if self._remote is not None:
            where = self._remote
        elif not self._embedded.directory.exists() and await _answers(SYSTEM_SOCKET):
            where, self._disks = SYSTEM_SOCKET, SYSTEM_SOCKET.parent / "disks"
        else:
            self._is_embedded = True
            await self._embedded.start()
            where, self._disks = self._embedded.socket, self._embedded.directory / "disks"
        self._client = await IncusClient(where, project=self._project).__aenter__()
        try:
            await self._check_server()
        except EngineError:
            await self.close()
            raise
        return True

    async def exists(self) -> bool:
        """Tell whether there is an embedded daemon, or the facility's project in another one."""
        if self._embedded.directory.exists():
            return True
        if self._client is not None:
            return await self._has_project(self._client)
        where = self._remote or SYSTEM_SOCKET
        if isinstance(where, Path) and not await _answers(where):
            return False
        async with IncusClient(where, project=self._project) as client:
            return await self._has_project(client)

    async def _has_project(self, client: IncusClient) -> bool:
        # By the names of all: to tell of one, the daemon looks at every machine in it.
        urls = cast(list[str], await client.request("GET", "/1.0/projects", project=False))
        return f"/1.0/projects/{self._project}" in urls

    async def _check_server(self) -> None:
        server: Any = await self.client.request("GET", "/1.0", project=False)
        self._server = str(server["environment"].get("server_name") or "")
        if server.get("auth") != "trusted":
            raise EngineError(f"Incus at {self.client} does not trust our client certificate")
        missing = [name for name in _NEEDED if name not in server["api_extensions"]]
        if missing:
            raise EngineError(
                f"Incus at {self.client} is too old: it lacks {', '.join(missing)}; 6.0 serves"
            )

    async def hosts(self) -> list[Host]:
        """Return the members of the daemon's cluster, or its one server."""
        server = await self.client.request("GET", "/1.0", project=False)
        environment = cast(Mapping[str, Any], server["environment"])
        version = f"Incus {environment['server_version']}"
        if not environment.get("server_clustered"):
            return [Host(str(environment["server_name"]), True, version)]
        members = await self.client.request(
            "GET", "/1.0/cluster/members", query={"recursion": "1"}, project=False
        )
        return [
            Host(str(each["server_name"]), each["status"] == "Online", version) for each in members
        ]

    async def close(self) -> None:
        """Close the client."""
        if self._client is not None:
            await self._client.__aexit__()
            self._client = None

    async def init_of(self, machine: str) -> ProcessId | None:
        """Return a machine's init, a process of this host, remembered while it lives."""
        if (known := self._inits.get(machine)) is not None and known.is_alive:
            return known
        if (found := self._noted.of(machine) or await self._ask_init(machine)) is not None:
            self._inits[machine] = found
        return found

    async def _ask_init(self, machine: str) -> ProcessId | None:
        """Ask the daemon, which forks a helper into the machine: where nothing is written down.

        That is a machine that was started before starts were written down.
        """
        try:
            async with self._asking:
                state: Any = await self.client.get_or_none(f"/1.0/instances/{machine}/state")
        except IncusError as error:
            # What the daemon says of one whose init ends while it looks.
            if "Invalid PID" not in str(error):
                raise
            return None
        return ProcessId.of(int(state["pid"])) if state and state["pid"] > 0 else None

    async def shut_down(self) -> None:
        """Let go of the daemon, and stop it if it is our own."""
        await self.close()
        if self._is_embedded:
            await self._embedded.stop()

    async def remove(self) -> None:
        """Let go of the daemon; if it is our own, stop it and remove its directory."""
        await self.close()
        if self._is_embedded:
            await self._embedded.remove()
