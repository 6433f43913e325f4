"""What a host still has of a facility outside the facility's own files."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from linacre.engines.incus.cable import bridge_name, veth_name
from linacre.engines.incus.uplink import joint_names
from linacre.engines.incus.walls_rules import table_name


def pids() -> Iterator[int]:
    """Give the ids of all processes."""
    yield from (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def leftovers(
    facility: str, state_root: Path, machines: Iterable[str], networks: Iterable[str]
) -> list[str]:
    """Return a line for each process, mount, device, interface, group and file of a facility."""
    state, project = str(state_root), f"linacre-{facility}"
    found = [f"process {pid}: {line}" for pid, line in _processes(state, project)]
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if f"{state}/facilities" in line or project in line:
            found.append(f"mount {line.split()[4]}")
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        if f"{state}/facilities" in backing.read_text():
            found.append(f"loop device {backing.parts[3]}")
    links = [veth_name(facility, machine) for machine in machines]
    for network in networks:
        bridge = bridge_name(facility, network)
        links += [bridge, *joint_names(bridge)]
    for link in links:
        if Path(f"/sys/class/net/{link}").exists():
            found.append(f"network interface {link}")
    found += _walls(facility)
    # One tree for all controllers (cgroup v2), or one for each below the root.
    groups = Path("/sys/fs/cgroup")
    for folder in (groups, *(each for each in groups.iterdir() if each.is_dir())):
        left = [each for each in folder.iterdir() if f".{project}_" in each.name]
        found += [f"control group {each}" for each in left]
    for folder in (Path("/run/netns"), Path("/dev/shm"), Path("/run/lxc")):
        found += [str(path) for path in folder.glob(f"*{facility}*")]
    return found


def _walls(facility: str) -> list[str]:
    said = subprocess.run(["nft", "list", "tables"], check=False, capture_output=True, text=True)
    there = [line.split()[1:] for line in said.stdout.splitlines()]
    return [f"walls {' '.join(each)}" for each in there if each[1] == table_name(facility)]


def force_away(look: Callable[[], list[str]], state_root: Path) -> None:
    """End, unmount, detach and delete what `look`, a facility's `leftovers`, tells of."""
    for each in look():
        if each.startswith("process "):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(each.split()[1].rstrip(":")), signal.SIGKILL)
    for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
        if f"{state_root}/facilities" in line:
            subprocess.run(["umount", "--lazy", line.split()[4]], check=False)
    for each in look():
        if each.startswith("loop "):
            device = f"/dev/{each.split()[-1]}"
            subprocess.run(["losetup", "--detach", device], check=False)
        elif each.startswith("network "):
            subprocess.run(["ip", "link", "delete", each.split()[-1]], check=False)
        elif each.startswith("walls "):
            subprocess.run(["nft", "delete", "table", *each.split()[1:]], check=False)


def _processes(state: str, project: str) -> Iterator[tuple[int, str]]:
    for pid in pids():
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            groups = Path(f"/proc/{pid}/cgroup").read_text()
            folder = [str(Path(f"/proc/{pid}/{link}").readlink()) for link in ("exe", "cwd")]
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            continue
        in_daemon = f"INCUS_DIR={state}/".encode() in environment
        in_folder = any(each.startswith(state) for each in folder)
        if state in line or project in groups or in_daemon or in_folder:
            yield pid, line
