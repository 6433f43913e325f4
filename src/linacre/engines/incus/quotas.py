"""The quotas of a pool's btrfs.

Where the kernel has them (Linux 6.7) they are simple: an extent counts for the machine that wrote
it, for ever, and costs a number. Else each extent is counted for all that share it. Since Linux
6.1 the kernel then gives up when a subvolume is removed whose tree is three levels deep or more,
as that of each container is, and enforces no quota until all is counted anew.
See Documentation/ABI/testing/sysfs-fs-btrfs-qgroups: `drop_subtree_threshold`, `inconsistent`.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path

from linacre.base.kernel_files import kernel_text
from linacre.engines.base import Space

_SYSFS = Path("/sys/fs/btrfs")
_BLOCK = Path("/sys/block")
_DEEPEST = "8"
"""More levels than a tree has: removals are counted, which takes them some milliseconds more."""
# linux/btrfs.h
_RESCAN = 0x4040942C
"""BTRFS_IOC_QUOTA_RESCAN, with 64 bytes that are all zero."""
_CONTROL, _DISABLE, _ENABLE_SIMPLE = 0xC0109428, 2, 4
"""BTRFS_IOC_QUOTA_CTL and its commands, with two numbers of 64 bits."""
_LIMIT, _OF_DATA = 0x8030942B, 1
"""BTRFS_IOC_QGROUP_LIMIT, with six numbers of 64 bits, and the flag for the first of its limits."""
_LOOK_UP, _FIRST_OBJECT = 0xD0009412, 256
"""BTRFS_IOC_INO_LOOKUP, with 4096 bytes: the tree, the object, and room for a name."""

Read = Callable[[str], tuple[int, int] | None]


class Counting(StrEnum):
    """How quotas count, by the kernel's own words."""

    SIMPLE = "squota"
    OLDER = "qgroup"


class Quotas:
    """The quotas of the btrfs on a loop file, mounted at `mounted`.

    They are the kernel's, on this host. What may not be done is left.
    """

    def __init__(self, file: Path, mounted: Path) -> None:
        self._file = file
        self._mounted = mounted

    def begin(self) -> None:
        """Begin to count in the simple way, where the kernel can; for a pool with nothing in it.

        Where it cannot, the daemon begins in the other way with the first quota.
        """
        if self.could_be_simpler and self._counting is Counting.OLDER:
            self._control(_CONTROL, struct.pack("=QQ", _DISABLE, 0))
        if self._counting is None:
            self._control(_CONTROL, struct.pack("=QQ", _ENABLE_SIMPLE, 0))

    @property
    def could_be_simpler(self) -> bool:
        """Whether they do not count in the simple way on a kernel that can."""
        can = (_SYSFS / "features/simple_quota").exists() and self._mounted.is_mount()
        return can and self._counting is not Counting.SIMPLE

    @property
    def _counting(self) -> Counting | None:
        """How they count; None where there are none yet."""
        if (groups := self._groups()) is not None:
            with suppress(OSError, ValueError):
                return Counting(kernel_text(f"{groups}/mode").strip())
        return None

    def keep(self) -> None:
        """Let them hold from now on, where there are any.

        It holds until the pool is mounted anew, so this is done each time that the daemon is
        reached.
        """
        if (groups := self._groups()) is None:
            return
        with suppress(OSError):
            threshold = groups / "drop_subtree_threshold"
            if threshold.read_text().strip() != _DEEPEST:
                threshold.write_text(_DEEPEST)
            if (groups / "inconsistent").read_text().strip() == "1":
                # It goes on by itself; one that is under way is as good.
                self._control(_RESCAN, bytes(64))

    def reader(self) -> Read:
        """Return a function that tells what a folder of the pool has taken, and may, in bytes.

        It tells None for one that is no subvolume or has no quota.
        """
        groups = self._groups()

        def read(folder: str) -> tuple[int, int] | None:
            if groups is None:
                return None
            with suppress(OSError, ValueError):
                group = f"{groups}/0_{_subvolume(f'{self._mounted}/{folder}')}"
                most = int(kernel_text(f"{group}/max_referenced"))
                # All bits set is none at all.
                if 0 < most < 1 << 63:
                    return int(kernel_text(f"{group}/referenced")), most
            return None

        return read

    @contextmanager
    def lifted(self, folder: str, *, by_bytes: int) -> Generator[bool]:
        """Let a full folder take so many bytes more for the block, and give whether it may.

        False for one that is not full, or has no quota.
        """
        found = self.reader()(folder)
        if found is None or not Space(folder, *found).is_full:
            yield False
            return
        used, most = found
        self._limit(folder, max(used, most) + by_bytes)
        try:
            yield True
        finally:
            self._limit(folder, most)

    def _limit(self, folder: str, most: int) -> None:
        with suppress(OSError):
            group = _subvolume(f"{self._mounted}/{folder}")
            self._control(_LIMIT, struct.pack("=6Q", group, _OF_DATA, most, 0, 0, 0))

    def _groups(self) -> Path | None:
        """Return the kernel's folder of the quotas of the file system on the loop file."""
        for device in _SYSFS.glob("*/devices/*"):
            with suppress(OSError):
                backing = (_BLOCK / device.name / "loop/backing_file").read_text().strip()
                found = device.parents[1] / "qgroups"
                if Path(backing) == self._file.absolute() and found.is_dir():
                    return found
        return None

    def _control(self, request: int, argument: bytes) -> None:
        if not self._mounted.is_mount():
            return
        with suppress(OSError), _opened(str(self._mounted)) as descriptor:
            fcntl.ioctl(descriptor, request, argument)


def _subvolume(folder: str) -> int:
    """Return the number of the subvolume that a folder is in."""
    with _opened(folder) as descriptor:
        asked = bytearray(4096)
        struct.pack_into("=QQ", asked, 0, 0, _FIRST_OBJECT)
        fcntl.ioctl(descriptor, _LOOK_UP, asked)
        return int(struct.unpack_from("=Q", asked)[0])


@contextmanager
def _opened(folder: str) -> Generator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
