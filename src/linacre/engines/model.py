"""The words between the rooms above and engines: capabilities, and what machines are made of.

Plain data only. What is above says *what* a machine is, and an engine knows *how* its kind
of machine is made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path, PurePosixPath

from linacre.base.enclosed import read_given
from linacre.base.errors import EngineError

_LARGEST_SOURCE = 2 << 30
_FULL_BYTES = 4 << 20


class Capability(StrEnum):
    """Something that an engine can or cannot do, by the name that messages and the docs use."""

    OWN_ADDRESS = "an address of its own for every machine, on a virtual bridge"
    STANDARD_PORTS = "the standard ports (5064, 5065, 5075, 5076, 7001)"
    BROADCAST = "search by broadcast, no address list"
    CONSOLE = "the IOC shell, also without a network"
    FILE_SYSTEM = "a file system and an init of its own"
    SSH = "SSH and telnet log-in"
    DESK = "a desk machine on every network"
    SERVICES = "services: any program, with Debian packages and files of its own"
    LIMITS = "limits on CPU, memory and processes"
    MOUNTS = "read-only host folders at a path of the machine's own"
    DEVICES = "serial and USB devices of the host"
    REBUILD = "machines rebuilt from a new image, persistent folder kept"
    CABLES = "cables that are plugged and moved: twins, swap, plug, unplug"
    UPLINK = "machines on the site's own network, through an uplink"
    NO_ROOT = "runs without root"


@dataclass(frozen=True)
class Traits:
    """What an engine must know of a machine's kind: which kinds there are is no matter of its."""

    runs_program: bool = True
    """Whether a program of the facility runs in it, under procServ, with data that it keeps."""
    serves_pvs: bool = False
    """Whether clients of its network look for PVs at its address."""
    cpu_shares: int | None = None
    """Its part of busy processors where another machine has 1024; None is that."""
    processes: int = 1000
    """How many processes and threads it may have where nothing is declared."""


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
    """The own files of an IOC or a service: a change asks for a restart of it."""
    ACCESS = "access"
    """Log-in and the machine's own settings: a change is laid and restarts nothing."""
    RELOADABLE = "live"
    """What a program that runs is told of: a change is laid, and it goes on."""
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
    """Absolute and without links, as it was when it was found."""
    link: str | None = None
    mode: int = 0o644
    owner: Owner = Owner.ROOT
    part: Part = Part.PROGRAM

    @property
    def content(self) -> bytes | None:
        """What a file holds; None for a folder and a link.

        Raises `LinacreError` where a link has come to be on the way to its source.
        """
        return self.data if self.source is None else read_given(self.source, limit=_LARGEST_SOURCE)

    def fingerprint(self) -> bytes:
        """Return what changes when this file does: path, mode, owner and content."""
        head = f"{self.path}\0{self.mode:o}\0{self.owner}\0{self.link or ''}\0".encode()
        content = self.content
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
    """Ceilings on what one machine may use."""

    cpu: float | None = None
    """Cores; None is no ceiling: where all are busy, machines have equal parts of them."""
    memory_bytes: int | None = None
    """None is a quarter of the host's."""
    processes: int = 1000
    """With their threads."""
    open_files: int = 8192
    """Of each process, its connections among them."""
    disk_bytes: int | None = field(default=None, repr=False)
    """Of its own disk, and of its persistent folder; None is a share of the pool."""


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
class Way:
    """Where machines of a network may begin connections to."""

    to: IPv4Network
    """A subnet; of the host itself, its address on the network."""
    ports: tuple[str, ...] = ()
    """`3306/tcp`, `67/udp`; none is all."""


@dataclass(frozen=True)
class Access:
    """A network of this host that stands for one that the host is not on, address by address."""

    subnet: IPv4Network
    """Of the same size: its tenth address leads to the tenth of the other."""
    gateway: IPv4Address
    """The address by which machines of the other know the clients of this host."""

    @property
    def host_address(self) -> IPv4Address:
        """The host's own address on it, which stands for the gateway's."""
        place = int(self.gateway) & int(self.subnet.hostmask)
        return self.subnet.network_address + place


@dataclass(frozen=True)
class NetworkSpec:
    """A virtual bridge."""

    name: str
    subnet: IPv4Network
    host_address: IPv4Address | None
    """Where the host itself stands on it; None where it does not."""
    uplink: str | None = None
    """The NIC or the bridge of the host by which it is part of the site's network."""
    ways: tuple[Way, ...] = ()
    """Where its machines may begin connections to, through the host."""
    answers: tuple[IPv4Network, ...] = ()
    """The subnets from which connections to its machines may be begun."""
    access: Access | None = None
    """How clients of this host reach it where the host is not on it."""

    @property
    def is_closed(self) -> bool:
        """Whether this host is neither on it nor joined to it: nothing of it is for the host."""
        return self.host_address is None and self.uplink is None


@dataclass(frozen=True)
class MachineSpec:
    """All that an engine must know to make one machine."""

    name: str
    kind: str
    """The name of its kind, kept with it as a label."""
    network: str
    address: IPv4Interface
    gateway: IPv4Address | None
    mac: str
    image: str | None
    """The digest of the image, or None for an engine without images."""
    payload: Payload
    limits: Limits = field(default_factory=Limits)
    mounts: tuple[Mount, ...] = ()
    devices: tuple[Device, ...] = ()
    volume_bytes: int | None = None
    """How large its persistent folder may become; None is no ceiling."""
    host: str | None = None
    traits: Traits = field(default_factory=Traits)
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """Kept by the engine with the machine; values survive a host."""


@dataclass(frozen=True)
class Machine:
    """A machine as the engine finds it."""

    name: str
    kind: str
    """The name of its kind, which a newer Linacre may have made and this one not know."""
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
class Space:
    """Room for data, and how much of it is taken."""

    what: str
    used_bytes: int
    total_bytes: int
    fault: str | None = None
    """What is not as it should be with it, beside how full it is."""

    @property
    def is_full(self) -> bool:
        """Whether it takes no more: btrfs counts what a write might need."""
        return self.total_bytes - self.used_bytes < _FULL_BYTES


LARGEST_OUTPUT = 64 << 20
"""Bytes that are kept of what a command inside a machine prints: it may print without end."""


def too_much_output(whose: str) -> EngineError:
    """Return the error for a command that prints more than is kept."""
    return EngineError(f"{whose}: a command printed more than {LARGEST_OUTPUT >> 20} MiB: ended")


@dataclass(frozen=True)
class Completed:
    """The end of a command run inside a machine."""

    status: int
    stdout: bytes
    stderr: bytes
