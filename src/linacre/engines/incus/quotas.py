"""The quotas of a pool's btrfs, kept in force.

Since Linux 6.1 the kernel gives up counting when a subvolume is removed whose tree is three levels
deep or more, as that of each container is, and then enforces no quota until all is counted anew.
See Documentation/ABI/testing/sysfs-fs-btrfs-qgroups: `drop_subtree_threshold`, `inconsistent`.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

_SYSFS = Path("/sys/fs/btrfs")
_BLOCK = Path("/sys/block")
_DEEPEST = "8"
"""More levels than a tree has: removals are counted, which takes them some milliseconds more."""
_RESCAN = 0x4040942C
"""BTRFS_IOC_QUOTA_RESCAN of linux/btrfs.h, with 64 bytes that are all zero."""


def keep_quotas(disks: Path | None, pool: str) -> None:
    """Let quotas of a pool hold from now on, where it is on this host and has any.

    `disks` is the daemon's folder of loop files. It holds until the pool is mounted anew, so this
    is done each time that the daemon is reached. What may not be done is left.
    """
    groups = None if disks is None else _groups(disks / f"{pool}.img")
    if disks is None or groups is None:
        return
    with suppress(OSError):
        threshold = groups / "drop_subtree_threshold"
        if threshold.read_text().strip() != _DEEPEST:
            threshold.write_text(_DEEPEST)
        if (groups / "inconsistent").read_text().strip() == "1":
            _count_anew(disks.parent / "storage-pools" / pool)


def _groups(file: Path) -> Path | None:
    """Return the kernel's folder of the quotas of the file system on a loop file."""
    for device in _SYSFS.glob("*/devices/*"):
        with suppress(OSError):
            backing = (_BLOCK / device.name / "loop/backing_file").read_text().strip()
            found = device.parents[1] / "qgroups"
            if Path(backing) == file.absolute() and found.is_dir():
                return found
    return None


def _count_anew(mounted: Path) -> None:
    if not mounted.is_mount():
        return
    descriptor = os.open(mounted, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # It goes on by itself; one that is under way is as good.
        fcntl.ioctl(descriptor, _RESCAN, bytes(64))
    finally:
        os.close(descriptor)
