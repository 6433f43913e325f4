"""The JSON Schema of a kind of file, with which editors complete and check what is typed."""

from __future__ import annotations

from typing import Any, cast

from pydantic import BaseModel

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(model: type[BaseModel], *, title: str, description: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of files that a model is for."""
    schema = _untitled(model.model_json_schema(mode="validation"))
    described: dict[str, Any] = {"$schema": DIALECT, "title": title, "description": description}
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
