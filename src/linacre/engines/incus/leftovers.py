"""What a daemon killed without a shutdown leaves on the host, and how it is cleared."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from linacre.base.clock import SystemClock
from linacre.base.ending import end_by_force
from linacre.base.processes import ProcessId, all_processes, children_of, run_tool

_END_LIMIT_S = 10.0


def mounts_below(folder: Path) -> list[Path]:
    """Return the mount points at or below a folder, deepest first (proc(5), mountinfo)."""
    found: list[Path] = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = Path(line.split()[4].replace("\\040", " "))
        if point == folder or folder in point.parents:
            found.append(point)
    return sorted(found, key=lambda path: len(path.parts), reverse=True)


def loops_below(folder: Path) -> list[Path]:
    """Return the loop devices whose backing file is below a folder."""
    found: list[Path] = []
    for entry in Path("/sys/block").glob("loop*/loop/backing_file"):
        backing = Path(entry.read_text().strip().removesuffix(" (deleted)"))
        if folder in backing.parents:
            found.append(Path("/dev") / entry.parts[3])
    return found


def daemon_of(folder: Path) -> ProcessId | None:
    """Return the daemon whose directory this is, or None where none runs."""
    return next(
        (
            identity
            for identity, line in all_processes()
            if line.endswith("incusd") and serves(identity, folder)
        ),
        None,
    )


def serves(process: ProcessId, folder: Path) -> bool:
    """Tell whether a process was started with this folder as Incus' directory."""
    try:
        environment = Path(f"/proc/{process.pid}/environ").read_bytes()
    except OSError:
        return False
    return b"INCUS_DIR=" + os.fsencode(folder) in environment.split(b"\0")


def processes_of(folder: Path) -> Iterator[ProcessId]:
    """Yield the monitors and helpers of containers that belong to a daemon's folder."""
    for identity, line in all_processes():
        is_helper = "incusd fork" in line or "incus-fork fork" in line
        if (line.startswith("[lxc monitor]") or is_helper) and f"{folder}/" in line:
            yield identity


def _control_groups(kind: str, project: str) -> list[Path]:
    root, name = Path("/sys/fs/cgroup"), f"lxc.{kind}.{project}_*"
    # One tree for all controllers (cgroup v2), or one for each below the root.
    return [*root.glob(name), *root.glob(f"*/{name}")]


def _inside(folder: Path, project: str) -> list[set[ProcessId]]:
    """Return the processes inside the containers of a daemon's folder, a set for each."""
    found: dict[str, set[ProcessId]] = {}
    for group in _control_groups("payload", project):
        for below, _, _ in os.walk(group):
            with contextlib.suppress(OSError):
                for pid in Path(below, "cgroup.procs").read_text().split():
                    if (identity := ProcessId.of(int(pid))) is not None:
                        found.setdefault(group.name, set()).add(identity)
    devices = {str(device) for device in loops_below(folder)}
    # Another daemon of this host may have a facility of the same name.
    return [each for each in found.values() if _roots(each) <= devices]


def _roots(processes: Collection[ProcessId]) -> set[str]:
    """Return the devices that processes have their root on; those that are ending have none."""
    found: set[str] = set()
    for process in processes:
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{process.pid}/mountinfo").read_text().splitlines()
            roots = [line for line in lines if line.split()[4] == "/"]
            found |= {line.partition(" - ")[2].split()[1] for line in roots}
    return found


def anything_runs(folder: Path, project: str) -> bool:
    """Tell whether a container of a daemon's folder runs, with or without its monitor."""
    return any(processes_of(folder)) or bool(_inside(folder, project))


async def end_orphans(folder: Path, project: str) -> None:
    """End the processes of containers whose monitor was killed: no daemon finds them again.

    They hold the container's file system and its cable, and two IOCs would write one folder.
    """
    # The containers first: one that starts meanwhile has its monitor by the time we look.
    containers = _inside(folder, project)
    below = {child for monitor in processes_of(folder) for child in children_of(monitor.pid)}
    await _end({each for inside in containers if not inside & below for each in inside})


async def end_half_dead(folder: Path, project: str) -> None:
    """End what is left of containers that lost their init or their monitor with the daemon."""
    await end_orphans(folder, project)
    inside = {process for each in _inside(folder, project) for process in each}
    await _end({each for each in processes_of(folder) if inside.isdisjoint(children_of(each.pid))})


async def end_containers(folder: Path, project: str) -> None:
    """End by force every container of a daemon's folder."""
    monitors = set(processes_of(folder))
    inside = {process for each in _inside(folder, project) for process in each}
    children = {child for monitor in monitors for child in children_of(monitor.pid)}
    await _end(monitors | inside | children)


async def _end(processes: Collection[ProcessId]) -> None:
    await end_by_force(processes, clock=SystemClock(), timeout_s=_END_LIMIT_S)


def clear_control_groups(project: str) -> None:
    """Remove the empty control groups of a project's containers whose monitors were killed."""
    for kind in ("payload", "monitor"):
        for group in _control_groups(kind, project):
            inside = [Path(folder) for folder, _, _ in os.walk(group, topdown=False)]
            with contextlib.suppress(OSError):
                # The kernel keeps those that have a process.
                for each in inside:
                    each.rmdir()


async def clear(folder: Path) -> None:
    """Unmount and detach what lies below a folder whose daemon and containers are gone."""
    for point in mounts_below(folder):
        await run_tool("umount", str(point), check=False)
    for point in mounts_below(folder):
        await run_tool("umount", "--lazy", str(point), check=False)
    for device in loops_below(folder):
        await run_tool("losetup", "--detach", str(device), check=False)
