"""What the ceilings of all machines add up to, beside what there is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from linacre.base.sizes import readable
from linacre.engines.base import MachineSpec


def host_bytes() -> int:
    """Return the memory of this host."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def beyond_the_host(machines: Iterable[MachineSpec], host: int) -> Iterator[str]:
    """Yield what the memory that is declared adds up to, where the host has less."""
    memory = sum(spec.limits.memory_bytes or 0 for spec in machines)
    if memory > host:
        total, there = readable(memory), readable(host)
        yield f"limits.memory of all machines add up to {total}, and this host has {there}"


def beyond_the_pool(machines: Iterable[MachineSpec], pool: int) -> Iterator[str]:
    """Yield what the disks that are declared add up to, where the pool is smaller."""
    disks = 0
    for spec in machines:
        own = spec.limits.disk_bytes or 0
        disks += own + (own if spec.volume_bytes is None else spec.volume_bytes)
    if disks > pool:
        total, there = readable(disks), readable(pool)
        yield f"the disks of all machines add up to {total}, and engine.pool_size is {there}"
