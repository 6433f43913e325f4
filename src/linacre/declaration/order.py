"""The order in which IOCs and services start, from what each of them starts `after`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from linacre.declaration.models import Facility


def dependency_order(facility: Facility) -> list[list[str]]:
    """Return IOCs and services in batches: each batch may start when those before it run.

    Raises `graphlib.CycleError` for a cycle, which `load` has reported before.
    """
    sorter = TopologicalSorter({name: ioc.after for name, ioc in facility.programs.items()})
    sorter.prepare()
    batches: list[list[str]] = []
    while sorter.is_active():
        batch = sorted(sorter.get_ready())
        batches.append(batch)
        sorter.done(*batch)
    return batches


def cycles(after: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Return cycles of `after` as [a, b, a], each closed by one edge that no other is closed by."""
    remaining = {name: list(earlier) for name, earlier in after.items()}
    found: list[list[str]] = []
    while True:
        try:
            TopologicalSorter(remaining).prepare()
        except CycleError as error:
            # graphlib lists each before the one that waits for it; turned round, a -> b reads
            # "a starts after b".
            ring: list[str] = list(reversed(error.args[1]))[:-1]
            start = min(range(len(ring)), key=ring.__getitem__)
            ring = ring[start:] + ring[:start]
            found.append([*ring, ring[0]])
            remaining[ring[-1]].remove(ring[0])
        else:
            return found
