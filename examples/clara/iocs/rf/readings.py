"""Records that are read only: published when they have changed, for most seldom do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Readings:
    """The readings of an IOC, and where each comes from."""

    def __init__(self) -> None:
        self._readings: list[tuple[Any, Callable[[], Any]]] = []
        self._last: dict[int, Any] = {}

    def add(
        self, make: Any, name: str, *texts: Any, read: Callable[[], Any], **fields: Any
    ) -> None:
        """Make a record, by one of softioc's builders, that shows what `read` returns."""
        self._readings.append((make(name, *texts, **fields), read))

    def publish(self) -> None:
        """Let the records show what is now."""
        for record, read in self._readings:
            value = read()
            if self._last.get(id(record)) != value:
                self._last[id(record)] = value
                record.set(value)
