"""Query parameters that a route does not have: told, since what they ask for would not be done."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, get_type_hints

from fastapi import HTTPException
from fastapi.params import Query
from fastapi.requests import HTTPConnection

_MOST_TOLD, _LONGEST = 5, 100


def known_only(connection: HTTPConnection) -> None:
    """Refuse a request with a parameter that its route does not have."""
    if (wrong := unknown(connection)) is not None:
        raise HTTPException(422, wrong)


def unknown(connection: HTTPConnection) -> str | None:
    """Return what to say of the parameters that a request's route does not have, if there are."""
    there = _parameters(connection.scope["endpoint"])
    if not (wrong := [name for name in connection.query_params if name not in there]):
        return None
    said = ", ".join(" ".join(name[:_LONGEST].split()) for name in wrong[:_MOST_TOLD])
    what = f"there are: {', '.join(there)}" if there else "it takes none"
    return f"{said}: there is no such parameter here; {what}"


@cache
def _parameters(endpoint: Callable[..., Any]) -> tuple[str, ...]:
    """Return the query parameters of a route by the function that serves it."""
    hints = get_type_hints(endpoint, include_extras=True)
    return tuple(
        name
        for name, hint in hints.items()
        if any(isinstance(each, Query) for each in getattr(hint, "__metadata__", ()))
    )
