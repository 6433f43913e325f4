"""Archiving PVs, and reading what was archived: `from linacre.archiver import Archive`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linacre.archiver.analysis.client import Archive, Bins, Samples

__all__ = ["Archive", "Bins", "Samples"]


def __getattr__(name: str) -> Any:
    # The archiver itself starts without what its readers need.
    if name in __all__:
        from linacre.archiver.analysis import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
