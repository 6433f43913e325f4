"""Puts samples of several kinds into the order of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from linacre.archiver.store.part import Columns
from linacre.archiver.store.segments.writer import part

_LATEST = 2**63 - 1


def in_time(pieces: Sequence[Iterator[Columns]]) -> Iterator[Columns]:
    """Give samples of several kinds in the order of time: a PV's type may change and return."""
    heads: list[tuple[Columns, Iterator[Columns]]] = []
    for iterator in pieces:
        heads += [(columns, iterator) for columns in [next(iterator, None)] if columns is not None]
    while heads:
        heads.sort(key=lambda head: head[0].time[0])
        columns, iterator = heads[0]
        bound = heads[1][0].time[0] if len(heads) > 1 else _LATEST
        end = max(1, int(np.searchsorted(columns.time, bound))) if len(heads) > 1 else len(columns)
        yield part(columns, 0, end)
        rest = part(columns, end, len(columns)) if end < len(columns) else next(iterator, None)
        heads[0:1] = [] if rest is None else [(rest, iterator)]
