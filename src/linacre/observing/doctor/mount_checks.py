"""Mounts that are stale or hang."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from linacre.base.listing import counted, listed
from linacre.declaration.models import MountSettings
from linacre.kinds.checking.facts import Facts
from linacre.kinds.checking.model import Finding, Outcome, problem
from linacre.observing.doctor.probe import Probed, probe

PROBE_LIMIT_S = 1.5
MOUNTINFO = Path("/proc/self/mountinfo")

_FAR = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "9p", "afs", "lustre", "beegfs"),
        *("glusterfs", "ocfs2", "gfs2", "ncpfs", "coda", "virtiofs", "fuse", "fuseblk"),
    }
)
_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Mount:
    """A line of /proc/self/mountinfo (proc(5))."""

    path: Path
    kind: str
    source: str
    device: str
    """Major and minor number."""

    @property
    def is_fuse(self) -> bool:
        """Whether a program of this host serves it."""
        return self.kind.startswith("fuse")

    @property
    def is_far(self) -> bool:
        """Whether somebody else than the kernel must answer for it."""
        return self.kind in _FAR or self.is_fuse


def read_mounts(text: str) -> list[Mount]:
    """Return the mounts of a text of mountinfo; of those on one another, the uppermost."""
    found: dict[Path, Mount] = {}
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        fields, (kind, source, *_) = left.split(), right.split()
        path = Path(_plain(fields[4]))
        found[path] = Mount(path, kind, _plain(source), fields[2])
    return list(found.values())


def _plain(text: str) -> str:
    return _ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), text)


async def mounts_answer(facts: Facts) -> Outcome:
    """Look into each network and FUSE mount, each folder that an IOC mounts, and the state."""
    mounts = read_mounts(MOUNTINFO.read_text())
    used = _used(facts)
    looked_at = dict.fromkeys([*used, *(mount.path for mount in mounts if mount.is_far)])
    begun = time.monotonic()
    probed = await asyncio.gather(*(probe(path, limit_s=PROBE_LIMIT_S) for path in looked_at))
    took_s = time.monotonic() - begun
    findings = [
        finding
        for path, found in zip(looked_at, probed, strict=True)
        if (finding := _finding(path, found, mounts, used)) is not None
    ]
    there = sum(mount.is_far for mount in mounts)
    folders = counted(len(looked_at), "folder")
    return Outcome(
        f"{folders} answered within {took_s:.1f} s, {counted(there, 'network or FUSE mount')}",
        tuple(findings),
    )


def _used(facts: Facts) -> Mapping[Path, str]:
    """Return the folders of this host that the facility needs, and by whom."""
    folders: dict[Path, list[str]] = {}
    state = facts.session.state.root
    folders[existing(state)] = ["Linacre's state"]
    for name, each in facts.facility.programs.items():
        mounts: tuple[MountSettings, ...] = getattr(each, "mounts", ())
        for mount in mounts:
            folders.setdefault(Path(mount.host), []).append(name)
    return {path: listed(dict.fromkeys(users)) for path, users in folders.items()}


def existing(path: Path) -> Path:
    """Return the path, or the nearest folder above it that there is."""
    return next((each for each in (path, *path.parents) if os.path.lexists(each)), Path("/"))


def _finding(
    path: Path, found: Probed, mounts: list[Mount], used: Mapping[Path, str]
) -> Finding | None:
    on = [mount for mount in mounts if path.is_relative_to(mount.path)]
    mount = max(on, key=lambda each: len(each.path.parts), default=None)
    where = f" ({mount.kind} from {mount.source})" if mount is not None and mount.is_far else ""
    users = f"; used by {used[path]}" if path in used else ""
    if found.hangs:
        text = f"hangs: no answer within {PROBE_LIMIT_S} s{where}{users}"
    elif found.is_stale:
        text = f"stale: {os.strerror(found.error or 0)}{where}{users}"
    elif found.error == errno.ENOENT and path in used:
        return problem(str(path), f"is not there{users}", f"mkdir {path}, or mount what it is")
    elif found.error is not None and not (found.error == errno.EACCES and path not in used):
        text = f"{os.strerror(found.error)}{where}{users}"
    else:
        return None
    return problem(str(path), text, _remedy(path, mount))


def _remedy(path: Path, mount: Mount | None) -> str:
    if mount is None or not mount.is_far:
        return f"see what holds it: dmesg | tail; stat {path}"
    again = f"umount --lazy {mount.path}, then mount it again"
    if mount.is_fuse:
        number = mount.device.partition(":")[2]
        return f"echo 1 > /sys/fs/fuse/connections/{number}/abort; {again}"
    return f"see that {mount.source} answers; {again}"
