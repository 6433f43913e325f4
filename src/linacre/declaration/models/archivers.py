"""An archiver in the facility file: it keeps the history of some PVs, in a machine of its own."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from linacre.declaration.models import fields
from linacre.declaration.models.archiver_values import Age, PvText, Until
from linacre.declaration.models.part import Part
from linacre.declaration.models.settings import HoldOff, LimitSettings, LogSettings
from linacre.declaration.models.values import Address, Bytes, Line, Name, NetworkName

ARCHIVER_PORT = 17665
"""Where an archiver answers over HTTP, at the address of its machine."""


class RetentionSettings(Part):
    """For how long an archiver keeps what it took; its disk is a limit all the same."""

    max_age: Age | None = Field(
        default=None,
        description="Samples that are older are removed; without it, they are kept while there "
        "is room.",
        examples=["90d"],
    )


class Archiver(Part):
    """A machine that archives some PVs, until a time or for good."""

    address: Address = fields.address("10.61.2.71")
    network: NetworkName | None = fields.network(", whose PVs it takes")
    host: Name | None = fields.host()
    description: Line = fields.text("What it is for, in a line.", "Drift of the S02 dipoles")
    owner: Line = fields.text("Whose study it is.", "physics")
    area: Line = fields.area("The part of the machine it is of.")
    pvs: tuple[PvText, ...] = Field(
        default=(),
        description="What it archives: names of PVs, and patterns with `*`, `?` and `[]`, which "
        "stand for the PVs of the facility's IOCs by the catalogue. Behind a name may stand "
        "`scan 10`: it is read each 10 s then, and not at each change.",
        examples=[["CLA-S02-*:READI"]],
    )
    pvs_file: Line | None = Field(
        default=None,
        description="A file with more of them, one a line, relative to the facility file; `#` "
        "begins a comment.",
        examples=["archivers/drift.txt"],
        min_length=1,
    )
    protocol: Literal["ca", "pva"] = Field(
        default="ca",
        description="How PVs are reached that do not say it themselves (`pva://NAME`): by "
        "Channel Access or pvAccess.",
        examples=["pva"],
    )
    until: Until = Field(
        default=None,
        description="When it takes its last sample; afterwards it serves what it has. Without "
        "it, or with `none`, it has no end.",
        examples=["2026-12-24T08:00:00Z"],
    )
    retention: RetentionSettings = Field(
        default_factory=RetentionSettings,
        description="For how long samples are kept.",
        examples=[{"max_age": "90d"}],
    )
    disk: Bytes = Field(
        default=Bytes(20 << 30),
        description="The size of its data volume. The oldest samples go when nine tenths are full.",
        examples=["20GiB"],
    )
    limits: LimitSettings = fields.limits({"memory": "512MiB", "cpu": 1})
    after: tuple[str, ...] = fields.after(
        "IOCs, services and archivers that must run before this one starts. Not needed for its "
        "PVs: it finds them whenever they come."
    )
    hold_off: HoldOff = fields.hold_off("its program", 5)
    log: LogSettings = fields.log("what its program prints")

    @property
    def ports(self) -> tuple[str, ...]:
        """The ports on which it answers."""
        return (f"{ARCHIVER_PORT}/tcp",)
