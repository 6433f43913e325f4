"""Memory as the kernel tells of it: the host's, and that of a control group (v1 and v2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_PROC = Path("/proc")
_UNLIMITED_BYTES = 1 << 60
"""A v1 group without a limit has one near 2**63."""


@dataclass(frozen=True)
class Host:
    """The memory of this host."""

    available_bytes: int
    total_bytes: int
    pressure: float | None
    """Percent of the last minute in which some process waited for memory; None if not told."""


@dataclass(frozen=True)
class Group:
    """The memory of a control group."""

    used_bytes: int
    """Without the files that are cached and can be dropped."""
    limit_bytes: int | None
    killed: int
    """Processes killed for lack of memory."""


def read_host(proc: Path = _PROC) -> Host | None:
    """Return the memory of this host, or None where it is not told."""
    try:
        lines = (proc / "meminfo").read_text().splitlines()
    except OSError:
        return None
    sizes = {line.partition(":")[0]: int(line.split()[1]) << 10 for line in lines}
    if "MemAvailable" not in sizes:
        return None
    return Host(sizes["MemAvailable"], sizes["MemTotal"], _pressure(proc))


def _pressure(proc: Path) -> float | None:
    try:
        text = (proc / "pressure/memory").read_text()
    except OSError:
        return None
    found = re.search(r"^some .*avg60=([0-9.]+)", text, re.MULTILINE)
    return float(found[1]) if found else None


def read_group(pid: int, proc: Path = _PROC) -> Group | None:
    """Return the memory of the control group of a process, or None where it is not told."""
    try:
        groups = (proc / str(pid) / "cgroup").read_text()
        mounts = (proc / "self/mountinfo").read_text()
    except OSError:
        return None
    hierarchies = [line.split(":", 2) for line in groups.splitlines()]
    by_controllers = {controllers: path for _, controllers, path in hierarchies}
    for controllers, path in by_controllers.items():
        if "memory" in controllers.split(","):
            root = _mounted(mounts, kind="cgroup", option="memory")
            return None if root is None else _version_1(root / path.lstrip("/"))
    root = _mounted(mounts, kind="cgroup2", option="")
    path = by_controllers.get("")
    return None if root is None or path is None else _version_2(root / path.lstrip("/"))


def _mounted(mounts: str, *, kind: str, option: str) -> Path | None:
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        words = right.split()
        if words[0] == kind and (not option or option in words[-1].split(",")):
            return Path(PurePosixPath(left.split()[4]))
    return None


def _version_1(group: Path) -> Group | None:
    used, limit = _number(group / "memory.usage_in_bytes"), _number(group / "memory.limit_in_bytes")
    if used is None:
        return None
    cached = _entry(group / "memory.stat", "total_inactive_file")
    return Group(
        used_bytes=max(0, used - cached),
        limit_bytes=None if limit is None or limit >= _UNLIMITED_BYTES else limit,
        killed=_entry(group / "memory.oom_control", "oom_kill"),
    )


def _version_2(group: Path) -> Group | None:
    used = _number(group / "memory.current")
    if used is None:
        return None
    return Group(
        used_bytes=max(0, used - _entry(group / "memory.stat", "inactive_file")),
        limit_bytes=_number(group / "memory.max"),
        killed=_entry(group / "memory.events", "oom_kill"),
    )


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # "max" is no limit
        return None


def _entry(file: Path, key: str) -> int:
    try:
        lines = [line.split() for line in file.read_text().splitlines()]
    except OSError:
        return 0
    return next((int(line[1]) for line in lines if line[0] == key), 0)
