"""A service in the facility file: any program that is no IOC, one to a machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from linacre.declaration.models.part import Part
from linacre.declaration.models.quoting import quoted
from linacre.declaration.models.service_values import (
    SERVICE_TREE,
    Command,
    Content,
    LaidPath,
    Mode,
    Package,
    Port,
    User,
    Volume,
)
from linacre.declaration.models.settings import (
    DeviceSettings,
    Environment,
    HoldOff,
    LimitSettings,
    LogSettings,
    MountSettings,
)
from linacre.declaration.models.sources import Source
from linacre.declaration.models.values import Address, Line, Name, NetworkName, Seconds


class FileSettings(Part):
    """A file laid into the machine: exactly one of `source` and `content`."""

    source: Line | None = Field(
        default=None,
        description="The file, relative to the facility file.",
        examples=["services/dnsmasq.conf"],
        min_length=1,
    )
    content: Content | None = Field(
        default=None,
        description="Its text. Put a secret into a file and name that as `source`: the text of "
        "the facility file is kept with the facility.",
        examples=["interface=eth0"],
    )
    mode: Mode = Field(default="0644", description="Its mode, in octal digits.", examples=["0644"])

    @model_validator(mode="after")
    def _one(self) -> FileSettings:
        if (self.source is None) == (self.content is None):
            given = "neither source nor content is" if self.source is None else "both are"
            raise ValueError(f"{given} given; write one, such as source: services/x.conf")
        return self


def _file(value: Any) -> Any:
    if isinstance(value, str) and value:
        return {"source": value}
    if isinstance(value, Mapping | FileSettings):
        return value  # pyright: ignore[reportUnknownVariableType]  # pydantic checks it next
    raise ValueError(f"{quoted(value)} is not a file; write one, such as services/x.conf")


LaidFile = Annotated[
    FileSettings, BeforeValidator(_file, json_schema_input_type=str | FileSettings)
]
"""A file beside the facility file by its path, or with its text or mode."""


class Service(Part):
    """A machine that runs any program of Debian's, or one of the facility's own."""

    address: Address = Field(
        description="The IPv4 address of its machine, free in its network's subnet.",
        examples=["10.61.2.51"],
    )
    network: NetworkName | None = Field(
        default=None,
        description="The network its machine is on; not needed where the facility has one.",
        examples=["controls"],
    )
    host: Name | None = Field(
        default=None,
        description="The host its machine runs on; without it, the engine chooses.",
        examples=["srv1"],
    )
    description: Line = Field(
        default="", description="What the service does, in a line.", examples=["Log book"]
    )
    owner: Line = Field(
        default="", description="Who answers for the service.", examples=["computing"]
    )
    area: Line = Field(
        default="", description="The part of the machine it serves.", examples=["S02"]
    )
    optional: bool = Field(
        default=False,
        strict=True,
        description="Whether it is left out, and said to be, where the engine runs no services "
        "(`process`). Otherwise such an engine refuses the facility.",
        examples=[True],
    )
    packages: tuple[Package, ...] = Field(
        default=(),
        description="Debian packages that its image has beside those of an IOC's, with all that "
        "they depend on.",
        examples=[["dnsmasq"]],
    )
    source: Source | None = Field(
        default=None,
        description=f"A tree of files laid at {SERVICE_TREE}: a folder, or a git repository.",
        examples=["services/wiki"],
    )
    files: dict[LaidPath, LaidFile] = Field(
        default_factory=dict[PurePosixPath, FileSettings],
        description="Single files laid into the machine, by their full path there.",
        examples=[{"/etc/dnsmasq.conf": "services/dnsmasq.conf"}],
    )
    environment: Environment = Field(
        default_factory=dict,
        description="Environment variables for the command.",
        examples=[{"TZ": "Europe/London"}],
    )
    command: Command = Field(
        description="What is run, in the foreground, under procServ: a list of words, or a line "
        f"for the shell. It starts in {SERVICE_TREE}.",
        examples=[["dnsmasq", "--keep-in-foreground"]],
    )
    user: User = Field(
        default="root",
        description="The user that the command runs as: one that a package makes, or root (of "
        "the machine, which is nobody on the host).",
        examples=["www-data"],
    )
    ports: tuple[Port, ...] = Field(
        default=(),
        description="Ports that the service listens on, beyond the machine itself. It is up when "
        "all of them are open; without any, when its command has stayed up for a while.",
        examples=[["67/udp", "3306/tcp"]],
    )
    volumes: tuple[Volume, ...] = Field(
        default=(),
        description="Folders of the machine that survive its rebuild. What the image has there "
        "is the beginning.",
        examples=[["/var/lib/mysql"]],
    )
    after: tuple[str, ...] = Field(
        default=(),
        description="IOCs and services that must run before this one starts.",
        examples=[["s02-mag"]],
    )
    limits: LimitSettings = Field(
        default_factory=LimitSettings,
        description="Ceilings on what the machine may use.",
        examples=[{"memory": "512MiB"}],
    )
    hold_off: HoldOff = Field(
        default=Seconds(15),
        description="Shortest time from one start of the command to the next when it keeps ending.",
        examples=["15s"],
    )
    log: LogSettings = Field(
        default_factory=LogSettings,
        description="The rotated log of what the command prints.",
        examples=[{"size": "1MiB", "files": 5}],
    )
    mounts: tuple[MountSettings, ...] = Field(
        default=(),
        description="Folders of the host that the machine sees read-only.",
        examples=[[{"host": "/srv/boot", "path": "/srv/tftp"}]],
    )
    devices: tuple[DeviceSettings, ...] = Field(
        default=(),
        description="Devices of the host given to the machine.",
        examples=[[{"path": "/dev/ttyUSB0"}]],
    )

    @model_validator(mode="after")
    def _separate(self) -> Service:
        kept = [("volume", path) for path in self.volumes]
        kept += [("mount", mount.path) for mount in self.mounts]
        for n, (what, one) in enumerate(kept):
            for other_what, other in kept[n + 1 :]:
                if one.is_relative_to(other) or other.is_relative_to(one):
                    raise ValueError(
                        f"the {what} {one} and the {other_what} {other} lie in one another; "
                        "keep one of them"
                    )
        for file in self.files:
            for what, folder in kept:
                if file.is_relative_to(folder):
                    raise ValueError(
                        f"the file {file} lies in the {what} {folder}; lay it elsewhere, or let "
                        "the command put it there"
                    )
        if twice := {port for port in self.ports if self.ports.count(port) > 1}:
            raise ValueError(f"{min(twice)} is given twice; remove one")
        return self
