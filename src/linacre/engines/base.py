"""The protocol between the facility layer and what runs machines.

An `Engine` is bound to one facility. Everything here is plain data and coroutines: the
facility layer says *what* a machine is, and an engine knows *how* its kind of machine is made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path, PurePosixPath
from typing import Protocol

from linacre.base.errors import UnsupportedError
from linacre.epics.layout import Layout


class Capability(StrEnum):
    """Something that an engine can or cannot do, by the name that messages and the docs use."""

    OWN_ADDRESS = "an address of its own for every machine, on a virtual bridge"
    STANDARD_PORTS = "the standard ports (5064, 5065, 5075, 5076, 7001)"
    BROADCAST = "search by broadcast, no address list"
    CONSOLE = "the IOC shell, also without a network"
    FILE_SYSTEM = "a file system and an init of its own"
    SSH = "SSH and telnet log-in"
    DESK = "a desk machine on every network"
    LIMITS = "limits on CPU, memory and processes"
    MOUNTS = "read-only host folders at a path of the machine's own"
    DEVICES = "serial and USB devices of the host"
    REBUILD = "machines rebuilt from a new image, persistent folder kept"
    NO_ROOT = "runs without root"


class MachineKind(StrEnum):
    """What a machine is for."""

    IOC = "ioc"
    DESK = "desk"


class MachineState(StrEnum):
    """What the engine says of a machine."""

    RUNNING = "running"
    STOPPED = "stopped"
    ERROR = "error"


class Owner(StrEnum):
    """Whose a file inside a machine is."""

    ROOT = "root"
    IOC = "ioc"


class Part(StrEnum):
    """What a file inside a machine belongs to, which says what a change of it asks for."""

    PROGRAM = "program"
    """The IOC's own files: a change asks for a restart of the IOC."""
    ACCESS = "access"
    """Log-in and the machine's own settings: a change is laid and restarts nothing."""
    SCRIPTS = "scripts"
    """Linacre's start scripts: newer ones of a newer Linacre wait for the next real change."""


@dataclass(frozen=True)
class PayloadFile:
    """One file, link or folder to lay into a machine.

    Exactly one of `data`, `source` and `link` is given; none of them means a folder.
    """

    path: PurePosixPath
    data: bytes | None = None
    source: Path | None = None
    link: str | None = None
    mode: int = 0o644
    owner: Owner = Owner.ROOT
    part: Part = Part.PROGRAM

    def fingerprint(self) -> bytes:
        """Return what changes when this file does: path, mode, owner and content."""
        head = f"{self.path}\0{self.mode:o}\0{self.owner}\0{self.link or ''}\0".encode()
        content = self.source.read_bytes() if self.source else self.data
        body = b"folder" if content is None else hashlib.sha256(content).digest()
        return hashlib.sha256(head + body).digest()


@dataclass(frozen=True)
class Payload:
    """All that Linacre lays into one machine.

    Folders named in `replaces` are emptied first, so that a file gone from the source is gone
    from the machine.
    """

    files: tuple[PayloadFile, ...] = ()
    replaces: tuple[PurePosixPath, ...] = ()

    def digest(self, part: Part) -> str:
        """Return the digest of the files of one part."""
        chosen = sorted(f.fingerprint() for f in self.files if f.part is part)
        return hashlib.sha256(b"".join(chosen)).hexdigest()[:16]


@dataclass(frozen=True)
class Limits:
    """Ceilings on what one machine may use; None is no ceiling."""

    cpu: float | None = None
    """Cores."""
    memory_bytes: int | None = None
    processes: int | None = None


@dataclass(frozen=True)
class Mount:
    """A folder of the host, seen read-only in the machine."""

    host: Path
    path: PurePosixPath


@dataclass(frozen=True)
class Device:
    """A device of the host given to a machine: a character device, or a USB device by its ids."""

    path: Path | None = None
    usb_vendor: str | None = None
    usb_product: str | None = None


@dataclass(frozen=True)
class NetworkSpec:
    """A virtual bridge; the host itself stands on it at `host_address`."""

    name: str
    subnet: IPv4Network
    host_address: IPv4Address


@dataclass(frozen=True)
class MachineSpec:
    """All that an engine must know to make one machine."""

    name: str
    kind: MachineKind
    network: str
    address: IPv4Interface
    gateway: IPv4Address
    mac: str
    image: str | None
    """The digest of the image, or None for an engine without images."""
    payload: Payload
    limits: Limits = field(default_factory=Limits)
    mounts: tuple[Mount, ...] = ()
    devices: tuple[Device, ...] = ()
    host: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """Kept by the engine with the machine; values survive a host."""


@dataclass(frozen=True)
class Machine:
    """A machine as the engine finds it."""

    name: str
    kind: MachineKind
    state: MachineState
    host: str
    labels: Mapping[str, str]
    pid: int | None = None
    """The process id of the machine's init on this host, if it runs here."""


@dataclass(frozen=True)
class Host:
    """A computer on which the engine runs machines."""

    name: str
    online: bool
    description: str


@dataclass(frozen=True)
class Completed:
    """The end of a command run inside a machine."""

    status: int
    stdout: bytes
    stderr: bytes


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

    async def machines(self) -> list[Machine]:
        """Return the machines of the facility."""
        ...

    async def networks(self) -> list[str]:
        """Return the facility's networks that exist, by their declared names."""
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

    async def create(self, spec: MachineSpec) -> None:
        """Make a machine with its payload, not started; one half made is made anew."""
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

        With `output`, what it prints goes there as it comes and is not in the result. A command
        whose caller is cancelled is ended.
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

    async def client_environment(self, network: str) -> dict[str, str]:
        """Return the EPICS variables with which a client on this host reaches a network."""
        ...

    async def shut_down(self) -> None:
        """Stop what the engine runs for the facility beside machines: an embedded daemon."""
        ...

    async def purge(self) -> None:
        """Remove all that the engine holds for the facility, an embedded daemon included."""
        ...


def require(engine: Engine, capability: Capability, *, instead: str) -> None:
    """Raise `UnsupportedError` unless the engine can do this."""
    if capability not in engine.capabilities():
        raise UnsupportedError(engine=engine.name, what=capability.value, instead=instead)
