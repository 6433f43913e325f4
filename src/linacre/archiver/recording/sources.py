"""The sources of a real archiver: made when the first PV of their protocol is archived."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from linacre.archiver.model import Provider, SeriesIds, Source
from linacre.archiver.recording.recorder import MakeSource
from linacre.archiver.settings import Settings

_PVACCESS = "linacre.archiver.channels.pva"
_EVENT_BYTES = 64
"""What an event takes in the buffer of a source, both of its halves together."""


def makers(settings: Settings) -> Mapping[Provider, MakeSource]:
    """Return what makes the sources; their buffers are a part of the memory."""

    def channel_access(ids: SeriesIds) -> Source:
        from linacre.archiver.channels.ca import CaSource

        return CaSource(
            ids,
            max_events=settings.memory // 8 // _EVENT_BYTES,
            max_blob_bytes=settings.memory // 4,
        )

    def pvaccess(ids: SeriesIds) -> Source:
        source: Any = import_module(_PVACCESS)
        return source.PvaSource(ids, clock=time.time_ns)

    found: dict[Provider, MakeSource] = {Provider.CA: channel_access}
    if find_spec(_PVACCESS) is not None and find_spec("p4p") is not None:
        found[Provider.PVA] = pvaccess
    return found


def load(providers: Iterable[Provider]) -> None:
    """Import what these providers need, before there are threads.

    Two threads that import large packages at once may wait for each other for ever (CPython 3.11).
    """
    import_module("linacre.archiver.channels.ca")
    if Provider.PVA in set(providers) and find_spec("p4p") is not None:
        pvaccess: Any = import_module(_PVACCESS)
        pvaccess.load()
