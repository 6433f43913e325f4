"""The JSON Schema of the lattice file."""

from __future__ import annotations

from typing import Any

from linacre.accelerator.lattice.file import LatticeFile
from linacre.documents.schema import schema_of


def lattice_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the lattice file."""
    return schema_of(
        LatticeFile,
        title="Linacre lattice file",
        description="A beam line with its branches, from the gun on.",
    )
