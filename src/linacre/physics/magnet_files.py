"""Files of magnets: YAML with the excitation curve of each, and those of CLARA."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from linacre.base.errors import UserError
from linacre.documents.models import ModelFile
from linacre.physics.curves import Part
from linacre.physics.magnets import Magnet, MagnetData

_DATA = Path(__file__).parent / "data"

CLARA = _DATA / "clara-magnet-table.yaml"
"""The magnet table of 2024: every magnet from the gun to SP3."""

CLARA_PHASE_1 = _DATA / "clara-phase-1.yaml"
"""The fits of 2021, to C2V: polynomials, and solenoids with their Larmor angles."""


class _File(Part):
    magnets: dict[str, MagnetData] = Field(min_length=1)


@dataclass(frozen=True)
class MagnetTable:
    """The magnets of a file by their names, in its order: `table["CLA-S02-MAG-QUAD-01"]`."""

    file: Path
    by_name: Mapping[str, Magnet]

    def __getitem__(self, name: str) -> Magnet:
        """Return a magnet; raises `UserError` for a name that the file has not."""
        if name in self.by_name:
            return self.by_name[name]
        near = difflib.get_close_matches(name, self.by_name, n=1)
        advice = f"; the nearest is {near[0]}" if near else ""
        raise UserError(f"{self.file.name} has no magnet {name}{advice}")

    def __contains__(self, name: object) -> bool:
        return name in self.by_name

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_name)

    def __len__(self) -> int:
        return len(self.by_name)


_MAGNETS = ModelFile(
    model=_File,
    kind="a file of magnets",
    usual="magnets.yaml",
    tag="form",
    tags=("linear", "saturating", "polynomial", "solenoid"),
    tag_of="form of curve",
)


def load_magnets(file: Path) -> MagnetTable:
    """Read a file of magnets; raises `LoadError` with a line for every problem found."""
    found, _ = _MAGNETS.read(file)
    by_name = {name: Magnet(name, data) for name, data in found.magnets.items()}
    return MagnetTable(file, by_name)
