"""Room on disk and in memory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from linacre.base.sizes import readable
from linacre.engines.base import Capability
from linacre.kinds.checking.facts import Facts
from linacre.kinds.checking.model import (
    Finding,
    Outcome,
    not_applicable,
    problem,
    warning,
)
from linacre.observing import ceilings
from linacre.observing.doctor.mount_checks import existing
from linacre.observing.doctor.probe import Probed, probe

DISK_WARNING, DISK_PROBLEM = 0.10, 0.03
"""Of a disk, what is left when it is told."""
DISK_ENOUGH_BYTES = 20 << 30
"""So much is enough, however large the disk is."""
POOL_WARNING, POOL_PROBLEM = 0.20, 0.08
"""Of a pool, what is left when it is told; btrfs refuses to write before the very end."""
MEMORY_WARNING, MEMORY_PROBLEM = 0.08, 0.03
"""Of the host's memory, what is available when it is told."""
PRESSURE_WARNING, PRESSURE_PROBLEM = 10.0, 40.0
"""Percent of the last minute in which some process waited for memory."""

_PROBE_LIMIT_S = 1.5
_MADE_ANEW = (
    "it works on; a new one counts what each wrote alone: save what persistent folders hold, then "
    "linacre down --purge and linacre up"
)


async def room_left(facts: Facts) -> Outcome:
    """See how full the state folder's file system, the storage pool and machines' disks are."""
    folder = existing(facts.session.state.root)
    probed = await probe(folder, limit_s=_PROBE_LIMIT_S)
    said: list[str] = []
    findings: list[Finding] = []
    if probed.hangs or probed.error is not None:
        said.append(f"{folder} does not answer")  # told by the check of mounts
    else:
        said.append(f"{readable(probed.free_bytes)} free for {folder}")
        findings += disk_findings(folder, probed)
    for space in await facts.engine.space() if facts.silence is None else ():
        free_bytes = space.total_bytes - space.used_bytes
        if (writable := await _writable_bytes(facts)) is not None:
            free_bytes = min(free_bytes, writable)
        said.append(f"{readable(free_bytes)} of {readable(space.total_bytes)} free in {space.what}")
        findings += pool_findings(space.what, free_bytes, space.total_bytes)
        if space.fault is not None:
            findings.append(warning(space.what, space.fault, _MADE_ANEW))
    running = [name for name, machine in facts.machines.items() if machine.pid is not None]
    for name, spaces in (await facts.engine.used(running)).items():
        findings += near_findings(name, ceilings.near(spaces))
    return Outcome(", ".join(said), tuple(findings))


def disk_findings(folder: Path, probed: Probed) -> list[Finding]:
    """Return what is wrong with the room on a file system."""
    findings: list[Finding] = []
    left = probed.free_bytes / max(1, probed.total_bytes)
    look = f"make room: du -xh --max-depth=2 {folder} | sort -h"
    if left < DISK_WARNING and probed.free_bytes < DISK_ENOUGH_BYTES:
        make = problem if left < DISK_PROBLEM else warning
        text = f"{readable(probed.free_bytes)} of {readable(probed.total_bytes)} left"
        findings.append(make(str(folder), text, look))
    if probed.total_inodes:
        files = probed.free_inodes / probed.total_inodes
        if files < DISK_WARNING:
            make = problem if files < DISK_PROBLEM else warning
            text = f"{probed.free_inodes} of {probed.total_inodes} inodes left"
            findings.append(make(str(folder), text, f"du --inodes -x {folder} | sort -n"))
    return findings


async def _writable_bytes(facts: Facts) -> int | None:
    """Return what a machine may still write: btrfs keeps for itself what counts as free.

    None where no machine runs on this host with a file system of its own.
    """
    pids = [machine.pid for machine in facts.machines.values() if machine.pid is not None]
    if not pids or not facts.has(Capability.FILE_SYSTEM):
        return None
    probed = await probe(Path(f"/proc/{pids[0]}/root"), limit_s=_PROBE_LIMIT_S)
    return None if probed.hangs or probed.error is not None else probed.free_bytes


def pool_findings(what: str, free_bytes: int, total_bytes: int) -> list[Finding]:
    """Return what is wrong with the room in a pool."""
    left = free_bytes / max(1, total_bytes)
    if left >= POOL_WARNING:
        return []
    make = problem if left < POOL_PROBLEM else warning
    look = "see whose it is: linacre ioc shell NAME, then du -xh --max-depth=1 /srv/persist /var"
    return [make(what, f"{readable(free_bytes)} of {readable(total_bytes)} left", look)]


async def memory_left(facts: Facts) -> Outcome:
    """See what memory is left for the host, and for each machine below its own limit."""
    host = ceilings.read_host()
    if host is None:
        return not_applicable("/proc/meminfo cannot be read")
    left = host.available_bytes / max(1, host.total_bytes)
    said = f"{readable(host.available_bytes)} of {readable(host.total_bytes)} available"
    findings: list[Finding] = []
    look = "free memory, or move IOCs to another host: ps -eo rss,comm --sort=-rss | head"
    if left < MEMORY_WARNING:
        make = problem if left < MEMORY_PROBLEM else warning
        findings.append(make("this host", said, look))
    if host.pressure is None:
        said += ", the kernel tells no pressure"
    else:
        said += f", pressure {host.pressure:.0f}%"
        if host.pressure >= PRESSURE_WARNING:
            make = problem if host.pressure >= PRESSURE_PROBLEM else warning
            text = f"in {host.pressure:.0f}% of the last minute something waited for memory"
            findings.append(make("this host", text, look))
    for name, machine in facts.machines.items():
        group = ceilings.read_group(machine.pid) if machine.pid is not None else None
        if group is not None:
            findings += machine_findings(name, group)
    return Outcome(said, tuple(findings))


def machine_findings(name: str, group: ceilings.Group) -> list[Finding]:
    """Return what is wrong with the memory of a machine."""
    findings = near_findings(name, group.near)
    if group.killed:
        times = "once" if group.killed == 1 else f"{group.killed} times"
        text = f"the kernel has killed a process in it {times} for lack of memory since it started"
        findings.append(warning(name, text, _raise_limits(name)))
    return findings


def near_findings(name: str, near: Iterable[str]) -> list[Finding]:
    """Return what is wrong with a machine that is near some of its ceilings."""
    return [warning(name, f"is near its ceiling: {what}", _raise_limits(name)) for what in near]


def _raise_limits(name: str) -> str:
    return f"see what {name} does, or raise its limits in the facility file, then linacre up"
