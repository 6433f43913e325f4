"""The JSON Schema of the facility file, with which editors complete and check it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from linacre.declaration.models import Section, facility_model

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def facility_schema(sections: Iterable[Section] = ()) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the facility file, with sections of more kinds."""
    schema = _untitled(facility_model(tuple(sections)).model_json_schema(mode="validation"))
    described: dict[str, Any] = {
        "$schema": DIALECT,
        "title": "Linacre facility file",
        "description": "Everything of a facility that comes up and goes down together.",
    }
    return described | {key: value for key, value in schema.items() if key not in described}


def _untitled(part: Any) -> Any:
    """Leave out the titles that pydantic makes of names: editors show them above the words."""
    if isinstance(part, list):
        return [_untitled(item) for item in cast("list[Any]", part)]
    if not isinstance(part, dict):
        return part
    mapping = cast("dict[str, Any]", part)
    return {
        key: _untitled(value)
        for key, value in mapping.items()
        if key != "title" or not isinstance(value, str)
    }
