"""The JSON Schema of the facility file, with which editors complete and check it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from linacre.declaration.models import Section, facility_model
from linacre.documents.schema import schema_of


def facility_schema(sections: Iterable[Section] = ()) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the facility file, with sections of more kinds."""
    return schema_of(
        facility_model(tuple(sections)),
        title="Linacre facility file",
        description="Everything of a facility that comes up and goes down together.",
    )
