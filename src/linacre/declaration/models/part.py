"""What every model of the facility file has in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, model_validator


class Part(BaseModel):
    """A mapping in the facility file: its keys are fixed, and it does not change once read."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, data: Any) -> Any:
        """Take a known key without a value (`address:`) as one that is not written."""
        if not isinstance(data, Mapping):
            return data
        given = cast("Mapping[str, object]", data)
        return {k: v for k, v in given.items() if v is not None or k not in cls.model_fields}


def empty_as_mapping(value: Any) -> Any:
    """Take an entry with nothing under it (`srv1:`) as one with no settings."""
    return {} if value is None else value
