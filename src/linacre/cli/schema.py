"""`linacre schema`: the JSON Schema of the facility file, for editors."""

from __future__ import annotations

import json

from linacre.cli.context import put
from linacre.declaration.schema import facility_schema
from linacre.kinds import registry


def print_schema() -> None:
    """Print the JSON Schema of the facility file on the standard output."""
    put(json.dumps(facility_schema(registry.KINDS.sections), indent=2))
