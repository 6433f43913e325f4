"""The protocol between the control plane and what runs machines; an engine is one facility's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from ipaddress import IPv4Address
from pathlib import Path, PurePosixPath
from typing import Protocol

from linacre.base.errors import UnsupportedError
from linacre.engines.model import (
    LARGEST_OUTPUT,
    Capability,
    Completed,
    Device,
    Host,
    Limits,
    Machine,
    MachineSpec,
    MachineState,
    Mount,
    NetworkSpec,
    Owner,
    Part,
    Payload,
    PayloadFile,
    Space,
    Traits,
    Way,
    too_much_output,
)
from linacre.engines.wiring import Cable, Client, Walled, Wiring
from linacre.epics.layout import Layout

__all__ = [
    "LARGEST_OUTPUT",
    "Cable",
    "Capability",
    "Client",
    "Completed",
    "Device",
    "Engine",
    "Host",
    "Limits",
    "Machine",
    "MachineSpec",
    "MachineState",
    "Mount",
    "NetworkSpec",
    "Output",
    "Owner",
    "Part",
    "Payload",
    "PayloadFile",
    "Space",
    "Stream",
    "Traits",
    "Walled",
    "Way",
    "Wiring",
    "require",
    "too_much_output",
]

Output = Callable[[int, bytes], None]
"""Takes what a command prints: 1 (standard output) or 2 (standard error), and bytes."""


class Stream(Protocol):
    """A byte stream to a terminal program or a console inside a machine."""

    async def read(self) -> bytes:
        """Return the next bytes, or b"" at the end."""
        ...

    async def write(self, data: bytes) -> None:
        """Send bytes."""
        ...

    async def resize(self, columns: int, rows: int) -> None:
        """Tell the far side the size of the terminal; ignored where there is none."""
        ...

    async def close(self) -> int:
        """End the stream and return the exit status of the far side (0 for a console)."""
        ...


class Engine(Protocol):
    """What runs the machines of one facility. All operations may be repeated safely."""

    @property
    def name(self) -> str:
        """The engine's name, as written in the facility file."""
        ...

    def capabilities(self) -> frozenset[Capability]:
        """Return what this engine can do."""
        ...

    @property
    def wiring(self) -> Wiring:
        """The cables; `UnsupportedError` where the engine cannot move any."""
        ...

    def layout(self, machine: str, address: IPv4Address) -> Layout:
        """Return where things stand in a machine, made or not yet made."""
        ...

    async def open(self) -> None:
        """Reach the engine, starting an embedded daemon if that is its way."""
        ...

    async def close(self) -> None:
        """Let go of the engine; machines go on."""
        ...

    async def exists(self) -> bool:
        """Tell whether the engine holds anything of the facility, starting nothing to find out."""
        ...

    async def prepare(self) -> None:
        """Make what machines need before the first of them: a project, a storage pool."""
        ...

    async def record(self) -> dict[str, str]:
        """Return the facility's record kept in the engine, or {} where there is none."""
        ...

    async def set_record(self, values: Mapping[str, str | None]) -> None:
        """Change entries of the facility's record; None removes one."""
        ...

    async def hosts(self) -> list[Host]:
        """Return the hosts that this engine runs machines on."""
        ...

    async def machines(self, names: Collection[str] | None = None) -> list[Machine]:
        """Return the machines of the facility, or those of these names that there are.

        What it costs depends on how many are asked for.
        """
        ...

    async def networks(self) -> list[str]:
        """Return the facility's networks that exist, by their declared names."""
        ...

    async def check_network(self, network: NetworkSpec) -> None:
        """Raise `UserError` where a network cannot be made as it is, because of its uplink.

        One that is made already is not looked at. Nothing is started to find out.
        """
        ...

    async def ensure_network(self, network: NetworkSpec) -> None:
        """Make a network, or bring an existing one to this state."""
        ...

    async def remove_network(self, name: str) -> None:
        """Remove a network; none there is no error."""
        ...

    async def ensure_image(self, digest: str, path: Path) -> None:
        """Make an image known to the engine."""
        ...

    async def create(self, spec: MachineSpec, *, persistent_from: str | None = None) -> None:
        """Make a machine with its payload, not started; one half made is made anew.

        Its persistent folder, where it has none yet, begins as a copy of that of the machine
        `persistent_from`.
        """
        ...

    async def update(self, spec: MachineSpec) -> None:
        """Bring settings, payload and labels of a machine to the spec, running or not.

        The IOC inside is not restarted: `restart_program` does that.
        """
        ...

    async def rebuild(self, spec: MachineSpec) -> None:
        """Replace a machine by a new one, not started, keeping its persistent folder."""
        ...

    async def delete(self, name: str, *, keep_persistent: bool = False) -> None:
        """Remove a machine, running or not; none there is no error."""
        ...

    async def start(self, name: str) -> None:
        """Start a machine; one that runs is left alone."""
        ...

    async def stop(self, name: str, *, timeout_s: float = 10.0) -> None:
        """Stop a machine, at the latest by force; one that is stopped is left alone."""
        ...

    async def restart_program(self, name: str) -> None:
        """Restart the IOC (and its procServ) inside a running machine."""
        ...

    async def set_labels(self, name: str, labels: Mapping[str, str]) -> None:
        """Change labels of a machine, leaving the others."""
        ...

    async def read(self, name: str, path: PurePosixPath, *, limit: int = 1 << 20) -> bytes | None:
        """Return at most `limit` bytes, the last ones, of a file inside a running machine.

        None where the file or the machine is not there.
        """
        ...

    async def read_all(
        self, name: str, paths: Iterable[PurePosixPath], *, limit: int = 1 << 20
    ) -> dict[PurePosixPath, bytes | None]:
        """Return, of several files inside a running machine, what `read` returns of each.

        They are of one machine, also where another one takes its name meanwhile.
        """
        ...

    async def exec(
        self,
        name: str,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        output: Output | None = None,
    ) -> Completed:
        """Run a command inside a machine, without a terminal, to its end.

        With `output`, what it prints goes there as it comes and is not in the result; an error
        raised there ends the command. One whose caller is cancelled is ended too. Raises
        `EngineError` where it prints more than is kept.
        """
        ...

    async def shell(
        self,
        name: str,
        argv: Sequence[str],
        *,
        size: tuple[int, int] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Stream:
        """Run a command inside a machine; with `size` (columns, rows), on a terminal."""
        ...

    async def console(self, name: str) -> Stream:
        """Open the IOC's procServ through its local endpoint: no network is needed."""
        ...

    async def connect(
        self, name: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to a TCP port of a running machine from its own side of its cable.

        Raises `EngineError` where nothing listens, or the machine does not run here.
        """
        ...

    async def clients(self, name: str) -> list[Client]:
        """Return who is connected to the servers in a running machine; those inside it are not."""
        ...

    async def space(self) -> list[Space]:
        """Return the room for data that machines share: a storage pool."""
        ...

    async def used(self, machines: Collection[str]) -> dict[str, tuple[Space, ...]]:
        """Return of machines on this host what they have written of what they may, by their name.

        One is left out where that is not seen, or where there is no ceiling.
        """
        ...

    async def client_environment(self, network: str) -> dict[str, str]:
        """Return the EPICS variables with which a client on this host reaches a network."""
        ...

    async def shut_down(self) -> None:
        """Stop what the engine runs for the facility beside machines: an embedded daemon."""
        ...

    async def purge(self) -> None:
        """Remove all that the engine holds for the facility, an embedded daemon included.

        Opens the engine itself, if it can: one that no longer comes up is removed all the same.
        """
        ...


def require(engine: Engine, capability: Capability, *, instead: str) -> None:
    """Raise `UnsupportedError` unless the engine can do this."""
    if capability not in engine.capabilities():
        raise UnsupportedError(engine=engine.name, what=capability.value, instead=instead)
