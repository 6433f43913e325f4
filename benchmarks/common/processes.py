"""The processes of a facility's machines, as the host sees them: memory, CPU, start times."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_CPU_ROOTS = (Path("/sys/fs/cgroup/cpuacct"), Path("/sys/fs/cgroup/cpu,cpuacct"))
_CGROUP = re.compile(r"lxc\.(payload|monitor)\.(?:linacre-)?([^/\n]+)")


@dataclass(frozen=True)
class Process:
    """One process of a machine, or its monitor."""

    pid: int
    machine: str
    """As its control group names it: PROJECT_MACHINE."""
    name: str
    is_monitor: bool
    is_init: bool
    pss: int
    """Bytes: what is its own, and its share of what it has in common with others."""
    pss_file: int
    """Bytes of that which are pages of files."""
    started_at: float
    """Seconds since the Unix epoch, to 10 ms."""


def machine_processes(facility: str, *, machine: str | None = None) -> list[Process]:
    """Return the processes of a facility's machines, or of one, monitors included."""
    found = (_process(pid, facility, machine) for pid in _pids())
    return [process for process in found if process is not None]


def named_pids(facility: str, machine: str, name: str) -> Iterator[int]:
    """Yield the processes in a machine whose names begin so; nothing else of them is read."""
    group = f"lxc.payload.linacre-{facility}_{machine}"
    for pid in _pids():
        folder = Path("/proc", str(pid))
        try:
            match = _CGROUP.search((folder / "cgroup").read_text())
            if match and match[0] == group and (folder / "comm").read_text().startswith(name):
                yield pid
        except (FileNotFoundError, ProcessLookupError):
            continue


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _process(pid: int, facility: str, machine: str | None) -> Process | None:
    folder = Path("/proc", str(pid))
    try:
        match = _CGROUP.search((folder / "cgroup").read_text())
        if match is None or not match[2].startswith(f"{facility}_"):
            return None
        if machine is not None and match[2] != f"{facility}_{machine}":
            return None
        pss, pss_file = _pss(folder)
        stat = _stat(folder)
        inside = _inner_pid(folder)
    except (FileNotFoundError, ProcessLookupError):
        return None
    return Process(
        pid=pid,
        machine=match[2].removeprefix(f"{facility}_"),
        name=(folder / "comm").read_text().strip(),
        is_monitor=match[1] == "monitor",
        is_init=match[1] == "payload" and inside == 1,
        pss=pss,
        pss_file=pss_file,
        started_at=time.time() - _uptime() + int(stat[19]) / _TICKS,
    )


def _pss(folder: Path) -> tuple[int, int]:
    values = dict(re.findall(r"^(\w+):\s+(\d+) kB", (folder / "smaps_rollup").read_text(), re.M))
    return int(values.get("Pss", 0)) * 1024, int(values.get("Pss_File", 0)) * 1024


def _stat(folder: Path) -> list[str]:
    return (folder / "stat").read_text().rpartition(")")[2].split()


def _inner_pid(folder: Path) -> int:
    found = re.search(r"^NSpid:.*\t(\d+)$", (folder / "status").read_text(), re.M)
    return int(found[1]) if found else 0


def _uptime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def pss_by_pid() -> dict[int, int]:
    """Return the PSS in bytes of every process of the host that has one."""
    found: dict[int, int] = {}
    for pid in _pids():
        try:
            found[pid] = _pss(Path("/proc", str(pid)))[0]
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def daemons(directory: Path) -> list[int]:
    """Return the pids of the Incus daemon of this directory, or of the system's without one."""
    # A machine's monitor bears the daemon's name too.
    found = {
        pid: _environment(pid)
        for pid in _pids()
        if _comm(pid) == "incusd" and not _CGROUP.search(_cgroup(pid))
    }
    ours = [
        pid for pid, has in found.items() if has.get("INCUS_DIR", "").startswith(f"{directory}")
    ]
    # One that has ended, and that its parent has not asked after, has no environment.
    return ours or [pid for pid, has in found.items() if has and "INCUS_DIR" not in has]


def _comm(pid: int) -> str:
    return _read(pid, "comm").strip()


def _cgroup(pid: int) -> str:
    return _read(pid, "cgroup")


def _read(pid: int, file: str) -> str:
    try:
        return Path("/proc", str(pid), file).read_bytes().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _environment(pid: int) -> dict[str, str]:
    pairs = _read(pid, "environ").split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def cpu_of(pids: list[int]) -> float:
    """Return the CPU seconds of processes and of their children that have ended."""
    total = 0
    for pid in pids:
        try:
            stat = _stat(Path("/proc", str(pid)))
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(ticks) for ticks in stat[11:15])
    return total / _TICKS


def rss_of(pids: list[int]) -> int:
    """Return the bytes of memory that processes have, pages of files too."""
    texts = (_read(pid, "status") for pid in pids)
    found = (re.search(r"^VmRSS:\s+(\d+) kB", text, re.M) for text in texts)
    return sum(int(match[1]) * 1024 for match in found if match)


def cpu_of_machines(facility: str) -> float:
    """Return the CPU seconds used inside a facility's machines since they started."""
    for root in _CPU_ROOTS:
        files = list(root.glob(f"lxc.payload.*{facility}_*/cpuacct.usage"))
        if files:
            return sum(int(file.read_text()) for file in files) / 1e9
    files = list(Path("/sys/fs/cgroup").rglob(f"lxc.payload.*{facility}_*/cpu.stat"))
    return sum(int(file.read_text().split()[1]) for file in files) / 1e6


def cpu_busy() -> float:
    """Return the CPU seconds that all of the host has worked since its boot."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    ticks = [int(word) for word in words[:8]]
    return (sum(ticks) - ticks[3] - ticks[4]) / _TICKS
