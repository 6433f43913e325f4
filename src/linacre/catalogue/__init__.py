"""The catalogue: the database of record, for history and search.

`Catalogue` and `Inventory` import SQLAlchemy (0.2 s) when they are first asked for; the plain data
of `linacre.catalogue.model` does not.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linacre.catalogue.catalogue import Catalogue, TaskHandle
    from linacre.catalogue.inventory import Inventory

__all__ = ["Catalogue", "Inventory", "TaskHandle"]

_PLACES = {
    "Catalogue": "linacre.catalogue.catalogue",
    "Inventory": "linacre.catalogue.inventory",
    "TaskHandle": "linacre.catalogue.catalogue",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
