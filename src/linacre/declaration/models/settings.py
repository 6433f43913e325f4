"""Settings of a machine and of the IOC in it."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from linacre.declaration.models.part import Part
from linacre.declaration.models.values import Bytes, Line, MachinePath, Seconds
from linacre.documents.quoting import as_written, quoted

_SMALLEST_MEMORY = 32 << 20
_SMALLEST_DISK = 512 << 20
# Machines have these from their image or their kernel: covering one would break the machine.
_SYSTEM_FOLDERS = ("/dev", "/proc", "/sys", "/run", "/etc", "/usr", "/bin", "/sbin", "/lib")


def _cores(value: Any) -> float:
    text = as_written(value) or ""
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]+)?", text) or not 0.05 <= float(text) <= 1024:
        raise ValueError(
            f"{quoted(value)} is not a number of cores; write one from 0.05 up, such as 0.5 or 2"
        )
    return float(text)


def _memory(value: Bytes) -> Bytes:
    if value < _SMALLEST_MEMORY:
        raise ValueError(f"{value} is too little for a machine to start; write 32MiB or more")
    return value


def _disk(value: Bytes) -> Bytes:
    if value < _SMALLEST_DISK:
        raise ValueError(f"{value} is too little for a machine to start; write 512MiB or more")
    return value


def _count(value: Any, *, lowest: int, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= 1 << 22:
        raise ValueError(f"{quoted(value)} is not a number of {what}; write {lowest} or more")
    return value


def _processes(value: Any) -> int:
    # Init, sshd, procServ, the IOC and its threads: fewer than this and nothing starts.
    return _count(value, lowest=32, what="processes and threads that lets a machine start")


def _open_files(value: Any) -> int:
    return _count(value, lowest=256, what="open files that lets a machine start")


def _files(value: Any) -> int:
    return _count(value, lowest=1, what="files")


def _whole_seconds(value: Seconds) -> Seconds:
    # The unit of procServ's --holdoff.
    if value < 1 or value != int(value):
        raise ValueError(f"{value} is not a whole number of seconds from 1s up; write one like 15s")
    return value


HoldOff = Annotated[Seconds, AfterValidator(_whole_seconds)]
"""A time in whole seconds, one or more."""


_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _variable(value: str) -> str:
    if not _VARIABLE.fullmatch(value):
        raise ValueError(f"{quoted(value)} is no name of a variable; write one like IOC_DEBUG")
    return value


Environment = dict[
    Annotated[str, AfterValidator(_variable)],
    Line,
]
"""Environment variables by name."""


class LimitSettings(Part):
    """Ceilings on what one machine may use."""

    cpu: Annotated[float, BeforeValidator(_cores)] | None = Field(
        default=None,
        description="Processor time, in cores; without it, where all are busy, machines have equal "
        "parts of them.",
        examples=[0.5],
    )
    memory: Annotated[Bytes, AfterValidator(_memory)] | None = Field(
        default=None,
        description="Memory of all that runs in the machine; without it, a quarter of the host's.",
        examples=["256MiB"],
    )
    processes: Annotated[int, BeforeValidator(_processes)] | None = Field(
        default=None,
        description="Number of processes and threads in the machine, 32 or more; without it, 1000, "
        "and 10000 where it is a client of all IOCs, as archivers are.",
        examples=[200],
    )
    open_files: Annotated[int, BeforeValidator(_open_files)] | None = Field(
        default=None,
        description="Number of files and connections that each process may have open, 256 or more; "
        "without it, 8192.",
        examples=[20000],
    )
    disk: Annotated[Bytes, AfterValidator(_disk)] | None = Field(
        default=None,
        description="What the machine may write to its own disk, and as much again to its "
        "persistent folder; without it, an eighth of the storage pool each.",
        examples=["2GiB"],
    )


class LogSettings(Part):
    """The IOC's log: what procServ sees on the IOC's console, rotated."""

    size: Bytes = Field(
        default=Bytes(1 << 20),
        description="Size at which a new log file is begun.",
        examples=["1MiB"],
    )
    files: Annotated[int, BeforeValidator(_files)] = Field(
        default=5, description="Number of log files kept.", examples=[5]
    )


# A link may stand beside what the image has in these, but not in place of them.
_KEPT_FOLDERS = ("/srv/ioc", "/srv/persist", "/opt/linacre", "/var/lib", "/var/log", "/usr/local")
_PLAIN_FOLDERS = ("/home", "/root", "/tmp", "/mnt", "/media", "/boot", "/var/tmp")
_LOCAL_FOLDERS = ("bin", "etc", "games", "include", "lib", "man", "sbin", "share", "src")


def built_path(value: PurePosixPath) -> PurePosixPath:
    """Return the path at which an IOC was built; `ValueError` where no link may stand there."""
    taken = (*_KEPT_FOLDERS, *_PLAIN_FOLDERS)
    if any(PurePosixPath(folder).is_relative_to(value) for folder in taken):
        raise ValueError(f"{value} belongs to the machine's own system; no link may replace it")
    if value.is_relative_to("/usr/local") and value.parts[3] not in _LOCAL_FOLDERS:
        return value
    return _mount_path(value)


def _mount_path(value: PurePosixPath) -> PurePosixPath:
    if any(value.is_relative_to(folder) for folder in _SYSTEM_FOLDERS):
        raise ValueError(f"{value} belongs to the machine's own system")
    return value


class MountSettings(Part):
    """A folder of the host, seen read-only in the machine."""

    host: MachinePath = Field(
        description="The folder on the host, as a full path.", examples=["/srv/waveforms"]
    )
    path: Annotated[MachinePath, AfterValidator(_mount_path)] = Field(
        description="Where the IOC sees it, as a full path.", examples=["/data/waveforms"]
    )


def _device_path(value: PurePosixPath) -> PurePosixPath:
    if not value.is_relative_to("/dev") or value == PurePosixPath("/dev"):
        raise ValueError(f"{value} is not under /dev")
    return value


def _usb(value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(r"[0-9a-fA-F]{4}:[0-9a-fA-F]{4}", value):
        return value.lower()
    raise ValueError(
        f"{quoted(value)} is not a USB vendor and product; write them as lsusb does, '0403:6001'"
    )


class DeviceSettings(Part):
    """A device of the host given to the machine: exactly one of `path` and `usb`."""

    path: Annotated[MachinePath, AfterValidator(_device_path)] | None = Field(
        default=None,
        description="A character device of the host, such as a serial port.",
        examples=["/dev/ttyUSB0"],
    )
    usb: Annotated[str, BeforeValidator(_usb)] | None = Field(
        default=None,
        description="A USB device by its vendor and product, as `lsusb` shows them.",
        examples=["0403:6001"],
    )

    @model_validator(mode="after")
    def _one(self) -> DeviceSettings:
        if (self.path is None) == (self.usb is None):
            given = "neither path nor usb is" if self.path is None else "both path and usb are"
            raise ValueError(f"{given} given; write one, such as path: /dev/ttyUSB0")
        return self
