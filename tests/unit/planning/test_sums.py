"""What ceilings add up to is told where there is less."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Interface

from linacre.engines.base import Limits, MachineSpec, Payload
from linacre.planning.sums import beyond_the_host, beyond_the_pool

GIB = 1 << 30
MAG = MachineSpec(
    name="mag",
    kind="ioc",
    network="controls",
    address=IPv4Interface("10.77.0.11/24"),
    gateway=None,
    mac="",
    image=None,
    payload=Payload(),
)


def test_memory_that_is_given_twice() -> None:
    machines = [replace(MAG, limits=Limits(memory_bytes=GIB)), MAG, MAG]
    assert list(beyond_the_host(machines, GIB)) == []
    assert list(beyond_the_host([*machines, machines[0]], GIB)) == [
        "limits.memory of all machines add up to 2 GiB, and this host has 1 GiB"
    ]


def test_a_disk_counts_twice_and_an_archiver_has_its_own() -> None:
    own = replace(MAG, limits=Limits(disk_bytes=GIB))
    archiver = replace(MAG, volume_bytes=3 * GIB)
    assert list(beyond_the_pool([own, MAG, archiver], 5 * GIB)) == []
    assert list(beyond_the_pool([own, own, archiver], 5 * GIB)) == [
        "the disks of all machines add up to 7 GiB, and engine.pool_size is 5 GiB"
    ]
    both = replace(own, volume_bytes=3 * GIB)
    assert list(beyond_the_pool([both], 3 * GIB)) == [
        "the disks of all machines add up to 4 GiB, and engine.pool_size is 3 GiB"
    ]
