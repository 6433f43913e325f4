"""A service in the facility file: any program that is no IOC, one to a machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from linacre.declaration.models import fields
from linacre.declaration.models.part import Part
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
from linacre.declaration.models.values import Address, Line, Name, NetworkName
from linacre.documents.quoting import quoted


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

    address: Address = fields.address("10.61.2.51")
    network: NetworkName | None = fields.network()
    host: Name | None = fields.host()
    description: Line = fields.text("What the service does, in a line.", "Log book")
    owner: Line = fields.text("Who answers for the service.", "computing")
    area: Line = fields.area()
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
    after: tuple[str, ...] = fields.after()
    limits: LimitSettings = fields.limits({"memory": "512MiB"})
    hold_off: HoldOff = fields.hold_off("the command")
    log: LogSettings = fields.log("what the command prints")
    mounts: tuple[MountSettings, ...] = fields.mounts("/srv/boot", "/srv/tftp")
    devices: tuple[DeviceSettings, ...] = fields.devices()

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
