"""`linacre schema`: the JSON Schemas of the files that people write, for editors."""

from __future__ import annotations

import json
from enum import StrEnum

from linacre.cli.context import put


class SchemaOf(StrEnum):
    """A kind of file that people write."""

    FACILITY = "facility"
    LATTICE = "lattice"


def print_schema(of: SchemaOf = SchemaOf.FACILITY) -> None:
    """Print a JSON Schema on the standard output."""
    if of is SchemaOf.LATTICE:
        from linacre.accelerator.lattice.schema import lattice_schema

        schema = lattice_schema()
    else:
        from linacre.declaration.schema import facility_schema
        from linacre.kinds import registry

        schema = facility_schema(registry.KINDS.sections)
    put(json.dumps(schema, indent=2))
