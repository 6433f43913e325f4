"""What a daemon killed without a shutdown leaves on the host, and how it is cleared."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from linacre.base.processes import ProcessId, all_processes, run_tool


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


def processes_of(folder: Path) -> Iterator[ProcessId]:
    """Yield the monitors and helpers of containers that belong to a daemon's folder."""
    for identity, line in all_processes():
        if (line.startswith("[lxc monitor]") and str(folder) in line) or (
            "incusd fork" in line and str(folder) in line
        ):
            yield identity


def _children(parent: int) -> list[ProcessId]:
    try:
        text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    except OSError:
        return []
    return [found for pid in text.split() if (found := ProcessId.of(int(pid))) is not None]


async def end_containers(folder: Path) -> None:
    """End by force every container of a daemon's folder."""
    monitors = list(processes_of(folder))
    # The end of a container's init takes all of its processes with it.
    ending = [child for monitor in monitors for child in _children(monitor.pid)] + monitors
    for process in ending:
        process.kill(signal.SIGKILL)
    async with asyncio.timeout(10):
        while any(process.is_alive for process in ending):
            await asyncio.sleep(0.02)


def clear_control_groups(project: str) -> None:
    """Remove the empty control groups of a project's containers whose monitors were killed."""
    root = Path("/sys/fs/cgroup")
    for kind in ("payload", "monitor"):
        name = f"lxc.{kind}.{project}_*"
        # One tree for all controllers (cgroup v2), or one for each below the root.
        for group in [*root.glob(name), *root.glob(f"*/{name}")]:
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
