"""Reading the archive in a folder, whether or not an archiver runs on it."""

from __future__ import annotations

from pathlib import Path

from linacre.archiver.reading.query import Query
from linacre.archiver.registry.registry import Registry
from linacre.archiver.settings import Settings
from linacre.archiver.store.folder import FolderStore
from linacre.archiver.store.shelf import tiers_of


def open_reader(folder: Path) -> Query:
    """Read the archive in a folder, a `Reader`, whether or not an archiver runs on it.

    Raises `LinacreError` where there is none.
    """
    settings = Settings(data=folder)
    store = FolderStore(folder / "short" / "journal", tiers_of(settings))
    return Query(store.snapshot, Registry.open_reader(folder))
