"""What the host has and machines use of it, as the kernel tells (control groups v1 and v2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path, PurePosixPath

from linacre.base.kernel_files import kernel_text
from linacre.base.sizes import readable
from linacre.engines.base import Space

NEAR = 0.9
"""Above this share of a ceiling it is told."""
_PROC = Path("/proc")
_CONTROLLERS = ("memory", "pids")
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
    """What all that runs in a machine uses, and its ceilings; None is none."""

    used_bytes: int
    """Without the files that are cached and can be dropped."""
    limit_bytes: int | None
    killed: int
    """Processes killed for lack of memory."""
    processes: int = 0
    """With their threads."""
    most_processes: int | None = None

    @property
    def near(self) -> tuple[str, ...]:
        """What is near its ceiling, in words."""
        found: list[str] = []
        if self.limit_bytes is not None and self.used_bytes > NEAR * self.limit_bytes:
            found.append(_told("memory", self.used_bytes, self.limit_bytes))
        if self.most_processes is not None and self.processes > NEAR * self.most_processes:
            found.append(f"processes {self.processes} of {self.most_processes}")
        return tuple(found)


def near(disks: Iterable[Space]) -> list[str]:
    """Return which of these are near their ceilings, in words."""
    return [
        _told(each.what, each.used_bytes, each.total_bytes) + (": full" if each.is_full else "")
        for each in disks
        if each.used_bytes > NEAR * each.total_bytes
    ]


def _told(what: str, used_bytes: int, most_bytes: int) -> str:
    return f"{what} {readable(used_bytes)} of {readable(most_bytes)}"


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
    """Return what the control groups of a process use, or None where it is not told."""
    try:
        text = kernel_text(f"{proc}/{pid}/cgroup")
    except OSError:
        return None
    groups = [line.split(":", 2) for line in text.splitlines()]
    of = {name: path for _, controllers, path in groups for name in controllers.split(",")}
    mounted = _hierarchies(proc)
    folders: dict[str, str] = {}
    for name in _CONTROLLERS:
        if (root := mounted.get(name) or mounted.get("")) is not None:
            folders[name] = f"{root}/{of.get(name, of.get('', '')).lstrip('/')}"
    if len(folders) < len(_CONTROLLERS):
        return None
    memory = _version_1(folders["memory"]) if "memory" in mounted else _version_2(folders["memory"])
    if memory is None:
        return None
    pids = folders["pids"]
    count, most = _number(f"{pids}/pids.current"), _number(f"{pids}/pids.max")
    return replace(memory, processes=count or 0, most_processes=most)


@cache
def _hierarchies(proc: Path) -> Mapping[str, Path]:
    """Return where controllers are mounted, those of version 2 under an empty name (cgroups(7))."""
    found: dict[str, Path] = {}
    try:
        lines = (proc / "self/mountinfo").read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        left, _, right = line.partition(" - ")
        kind, *_, options = right.split()
        root = Path(PurePosixPath(left.split()[4]))
        if kind == "cgroup2":
            found.setdefault("", root)
        elif kind == "cgroup":
            found |= {name: root for name in _CONTROLLERS if name in options.split(",")}
    return found


def _version_1(group: str) -> Group | None:
    used = _number(f"{group}/memory.usage_in_bytes")
    limit = _number(f"{group}/memory.limit_in_bytes")
    if used is None:
        return None
    cached = _entry(f"{group}/memory.stat", "total_inactive_file")
    return Group(
        used_bytes=max(0, used - cached),
        limit_bytes=None if limit is None or limit >= _UNLIMITED_BYTES else limit,
        killed=_entry(f"{group}/memory.oom_control", "oom_kill"),
    )


def _version_2(group: str) -> Group | None:
    used = _number(f"{group}/memory.current")
    if used is None:
        return None
    return Group(
        used_bytes=max(0, used - _entry(f"{group}/memory.stat", "inactive_file")),
        limit_bytes=_number(f"{group}/memory.max"),
        killed=_entry(f"{group}/memory.events", "oom_kill"),
    )


def _number(file: str) -> int | None:
    try:
        return int(kernel_text(file))
    except (OSError, ValueError):  # "max" is no limit
        return None


def _entry(file: str, key: str) -> int:
    try:
        lines = [line.split() for line in kernel_text(file).splitlines()]
    except OSError:
        return 0
    return next((int(line[1]) for line in lines if line[0] == key), 0)
