"""An IOC in the facility file: one to a machine, of one of three kinds."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from linacre.declaration.models import fields
from linacre.declaration.models.part import Part, empty_as_mapping
from linacre.declaration.models.settings import (
    DeviceSettings,
    Environment,
    HoldOff,
    LimitSettings,
    LogSettings,
    MountSettings,
    built_path,
)
from linacre.declaration.models.sources import Source
from linacre.declaration.models.values import (
    Address,
    Line,
    MachinePath,
    Name,
    NetworkName,
    TreePath,
)
from linacre.documents.quoting import quoted


class IocDefaults(Part):
    """What an IOC may say itself, and `defaults.ioc` may say for all of them."""

    owner: Line = fields.text("Who answers for the IOC.", "magnets")
    area: Line = fields.area()
    device_type: Line = fields.text(
        "What sort of device it serves, for people and searches.", "magnets"
    )
    network: NetworkName | None = fields.network()
    host: Name | None = fields.host()
    environment: Environment = Field(
        default_factory=dict,
        description="Environment variables for the IOC. An IOC's own are added to the defaults'.",
        examples=[{"EPICS_CA_MAX_ARRAY_BYTES": 1000000}],
    )
    access_security: Line | None = Field(
        default=None,
        description="An access security file (.acf), relative to the facility file or, if it is "
        "not there, to the IOC's own files; loaded without editing st.cmd.",
        examples=["access/controls.acf"],
    )
    limits: LimitSettings = fields.limits(
        {"memory": "256MiB"}, "; an IOC's own are added to the defaults'"
    )
    hold_off: HoldOff = fields.hold_off("the IOC")
    log: LogSettings = fields.log("the IOC's console")
    mounts: tuple[MountSettings, ...] = fields.mounts("/srv/waveforms", "/data/waveforms")


class IocCommon(IocDefaults):
    """What IOCs of every kind have."""

    address: Address = fields.address("10.61.2.11")
    description: Line = fields.text("What the IOC does, in a line.", "S02 magnets")
    after: tuple[str, ...] = fields.after()
    persistent: tuple[TreePath, ...] = Field(
        default=(),
        description="Folders of the IOC's own files that it writes to, such as autosave's; they "
        "survive a rebuild of the machine.",
        examples=[["autosave"]],
    )
    devices: tuple[DeviceSettings, ...] = fields.devices()
    start_errors: Literal["accepted"] | None = Field(
        default=None,
        description="An IOC whose start script prints errors is not as it should be; `accepted` "
        "where they are known and do no harm.",
        examples=["accepted"],
    )

    @model_validator(mode="after")
    def _separate_folders(self) -> IocCommon:
        for n, one in enumerate(self.persistent):
            for other in self.persistent[n + 1 :]:
                if one.is_relative_to(other) or other.is_relative_to(one):
                    raise ValueError(
                        f"persistent folders {one} and {other} lie in one another; keep the outer"
                    )
        paths = [str(m.path) for m in self.mounts]
        if twice := {p for p in paths if paths.count(p) > 1}:
            raise ValueError(f"{min(twice)} is the path of two mounts; give each its own")
        return self


class BuiltIoc(IocCommon):
    """An IOC whose files may name their own place on the server that they come from."""

    built_at: Annotated[MachinePath, AfterValidator(built_path)] | None = Field(
        default=None,
        description="The full path at which the files stood when they were built. The machine "
        "has them there too, so that what names it (envPaths, st.cmd, the program's own list of "
        "library folders) holds.",
        examples=["/home/epics/s02-scr"],
    )

    @model_validator(mode="after")
    def _place_of_its_own(self) -> BuiltIoc:
        for mount in self.mounts:
            if self.built_at is None:
                break
            if mount.path.is_relative_to(self.built_at) or self.built_at.is_relative_to(mount.path):
                raise ValueError(
                    f"built_at {self.built_at} and the mount at {mount.path} lie in one another; "
                    "take the mount out, or mount it elsewhere"
                )
        return self


class SoftIoc(BuiltIoc):
    """An IOC of databases and a start script, run by Linacre's softIoc program."""

    kind: Literal["softioc"] = Field(
        description="Databases and a start script, run by Linacre's softIoc program.",
        examples=["softioc"],
    )
    source: Source = Field(
        description="The IOC's own files: a folder, or a git repository.", examples=["iocs/s02-mag"]
    )
    start: TreePath = Field(
        default=PurePosixPath("st.cmd"),
        description="The start script, in the IOC's own files.",
        examples=["st.cmd"],
    )


def _module(value: str) -> str:
    if not all(part.isidentifier() for part in value.split(".")):
        raise ValueError(
            f"{quoted(value)} is not a Python module; write one like caproto.ioc_examples.simple"
        )
    return value


class PythonIoc(IocCommon):
    """An IOC that is a Python program: exactly one of `script` and `module`."""

    kind: Literal["python"] = Field(
        description="A Python program (softioc, p4p, caproto).", examples=["python"]
    )
    source: Source | None = Field(
        default=None,
        description="The IOC's own files: a folder, or a git repository. Needed for a script.",
        examples=["iocs/s02-bpm"],
    )
    script: TreePath | None = Field(
        default=None, description="The program, in the IOC's own files.", examples=["ioc.py"]
    )
    module: Annotated[str, AfterValidator(_module)] | None = Field(
        default=None,
        description="An installed Python module, run as `python -m` does.",
        examples=["caproto.ioc_examples.simple"],
    )
    args: tuple[Line, ...] = Field(
        default=(),
        description="Arguments of the script or module.",
        examples=[["--prefix", "CLA-S02"]],
    )

    @model_validator(mode="after")
    def _one_program(self) -> PythonIoc:
        if (self.script is None) == (self.module is None):
            given = "neither script nor module is"
            if self.script is not None:
                given = "both script and module are"
            raise ValueError(f"{given} given; write one of them, such as script: ioc.py")
        if self.script is not None and self.source is None:
            raise ValueError(
                f"source is missing; write the folder that holds {quoted(str(self.script))}"
            )
        return self


class BinaryIoc(BuiltIoc):
    """A built IOC tree (bin, db, dbd, iocBoot), started by its start script's first line."""

    kind: Literal["binary"] = Field(
        description="A built tree: bin, db, dbd and iocBoot.", examples=["binary"]
    )
    source: Source = Field(
        description="The built tree: a folder, or a git repository.", examples=["iocs/s02-scr"]
    )
    start: TreePath = Field(
        description="The start script in the tree; its first line names the IOC's own program.",
        examples=["iocBoot/iocs02-scr/st.cmd"],
    )


Ioc = Annotated[
    Annotated[SoftIoc | PythonIoc | BinaryIoc, Field(discriminator="kind")],
    BeforeValidator(empty_as_mapping, json_schema_input_type=SoftIoc | PythonIoc | BinaryIoc),
]
"""An IOC of any kind, told apart by `kind`."""


def with_defaults(ioc: Any, defaults: IocDefaults) -> Any:
    """Return the IOC with the defaults for what it does not say itself.

    Limits, log and environment are merged key by key; everything else is taken whole.
    """
    given: dict[str, Any] = {
        name: getattr(defaults, name) for name in defaults.model_fields_set - ioc.model_fields_set
    }
    if "environment" in defaults.model_fields_set:
        given["environment"] = {**defaults.environment, **ioc.environment}
    for name in ("limits", "log"):
        if name in defaults.model_fields_set and name in ioc.model_fields_set:
            own, base = getattr(ioc, name), getattr(defaults, name)
            said = {key: getattr(own, key) for key in own.model_fields_set}
            given[name] = base.model_copy(update=said)
    return ioc.model_copy(update=given)
