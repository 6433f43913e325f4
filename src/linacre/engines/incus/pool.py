"""The storage pool of a facility: btrfs on a loop file."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable, Collection, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from linacre.base.errors import EngineError, UserError
from linacre.base.sizes import readable
from linacre.engines.base import Space
from linacre.engines.incus import names
from linacre.engines.incus.client import IncusClient
from linacre.engines.incus.connection import Connection
from linacre.engines.incus.quotas import Quotas

_SPARE_BYTES = 1 << 30
# A loop file that gives freed blocks back to the host is no longer preallocated.
_MOUNT_OPTIONS = "user_subvol_rm_allowed,nodiscard"
_COUNTS_IMAGES = "counts the image for the disk of each machine too: its quotas are not simple ones"
_ROOM_BYTES = 16 << 20
"""For a start: what the daemon and the machine write at it is some KiB."""
_SHARE, _LEAST_BYTES = 8, 512 << 20
"""What each disk may have of the pool where nothing is declared, and never less: an image fits."""


@dataclass(frozen=True)
class Ceiling:
    """How much a disk may hold; nothing is taken from the pool before it is written."""

    most_bytes: int
    is_declared: bool

    def beside(self, found: str | None) -> int | None:
        """Return the ceiling of a disk that is there, and has this one or none.

        One that was made without may hold more than the ceiling that nobody has chosen for it.
        """
        return self.most_bytes if self.is_declared or found else None


class Pool:
    """The pool of one facility, which has the facility's name in the daemon.

    Of a daemon that is not on this host nothing can be preallocated, and what machines use is not
    seen.
    """

    def __init__(self, connection: Connection, *, size_bytes: int) -> None:
        self.name = connection.project
        self._connection = connection
        self._size_bytes = size_bytes
        self._path = f"/1.0/storage-pools/{self.name}"
        self._share_bytes: int | None = None

    @property
    def _client(self) -> IncusClient:
        return self._connection.client

    @property
    def _disks(self) -> Path | None:
        """The daemon's folder of loop files, where it is on this host."""
        return self._connection.disks

    async def ceiling(self, declared_bytes: int | None) -> Ceiling:
        """Return what a machine may write to one of its disks."""
        if declared_bytes is not None:
            return Ceiling(declared_bytes, is_declared=True)
        if self._share_bytes is None:
            # As it was made: the facility file may say another size by now.
            found = await self._client.request("GET", self._path, project=False)
            whole = str(found["config"].get("size", ""))
            size_bytes = int(whole) if whole.isdecimal() else self._size_bytes
            self._share_bytes = max(size_bytes // _SHARE, _LEAST_BYTES)
        return Ceiling(self._share_bytes, is_declared=False)

    @property
    def quotas(self) -> Quotas | None:
        """Its quotas, where it is on this host."""
        if self._disks is None:
            return None
        file = self._disks / f"{self.name}.img"
        return Quotas(file, self._disks.parent / "storage-pools" / self.name)

    async def ensure(self) -> None:
        """Make it on a loop file, all of its blocks taken from the start.

        A sparse file under a full host would break machines from below. Raises `UserError` where
        the host has no room.
        """
        if not await self._client.exists(self._path, project=False):
            if self._disks is not None:
                _check_room(self._disks, self._size_bytes, self.name)
            body: dict[str, Any] = {
                "name": self.name,
                "driver": "btrfs",
                "description": "made by Linacre",
                "config": {
                    "size": str(self._size_bytes),
                    "btrfs.mount_options": _MOUNT_OPTIONS,
                },
            }
            await self._client.request("POST", "/1.0/storage-pools", body=body, project=False)
        # Also of one that is there: whoever made it may have been killed before this.
        if self.quotas is not None and await self._is_empty():
            self.quotas.begin()
        if self._disks is not None and (file := self._disks / f"{self.name}.img").exists():
            await _preallocate(file, self.name)

    async def _is_empty(self) -> bool:
        found = await self._client.request("GET", self._path, project=False)
        return not found.get("used_by")

    def keep_quotas(self) -> None:
        """Let the quotas hold from now on, where there are any."""
        if self.quotas is not None:
            self.quotas.keep()

    async def space(self) -> Space:
        """Return how full it is."""
        path = f"{self._path}/resources"
        space = (await self._client.request("GET", path, project=False))["space"]
        fault = _COUNTS_IMAGES if self.quotas is not None and self.quotas.could_be_simpler else None
        return Space(f"the pool {self.name}", int(space["used"]), int(space["total"]), fault)

    def used(self, machines: Collection[str]) -> dict[str, tuple[Space, ...]]:
        """Return what each of these machines has written of what it may, disk by disk."""
        if (quotas := self.quotas) is None:
            return {}
        read = quotas.reader()
        found: dict[str, tuple[Space, ...]] = {}
        for machine in machines:
            folders = {
                "disk": self._root(machine),
                "persistent folder": f"custom/{self.name}_{names.volume(machine)}",
            }
            spaces = ((what, read(folder)) for what, folder in folders.items())
            found[machine] = tuple(Space(what, *each) for what, each in spaces if each)
        return found

    def _root(self, machine: str) -> str:
        return f"containers/{self.name}_{machine}"

    async def start(self, machine: str, start: Callable[[], Awaitable[None]]) -> None:
        """Start a machine, and say which disk is full where that is why it cannot be.

        The daemon writes to the machine's own disk at each start: where that is full, it may take
        a little more for so long.
        """
        with self.telling_of_full_disks(machine):
            try:
                await start()
            except EngineError:
                if self.quotas is None:
                    raise
                with self.quotas.lifted(self._root(machine), by_bytes=_ROOM_BYTES) as lifted:
                    if not lifted:
                        raise
                    await start()

    @contextmanager
    def telling_of_full_disks(self, machine: str) -> Generator[None]:
        """Say which disk of a machine is full where what the block does to the machine fails."""
        try:
            yield
        except EngineError as error:
            for space in self.used([machine]).get(machine, ()):
                if space.is_full:
                    raise EngineError(_full(machine, space, error)) from error
            raise

    async def remove(self) -> None:
        """Remove every volume and image of the project, then the pool."""
        volumes = f"{self._path}/volumes/custom"
        for url in cast(list[str], await self._client.get_or_none(volumes) or []):
            await self._client.remove(url.partition("?")[0])
        for url in cast(list[str], await self._client.get_or_none("/1.0/images") or []):
            await self._client.remove(url.partition("?")[0])
        await self._client.remove(self._path, project=False)


def _full(machine: str, space: Space, error: EngineError) -> str:
    sizes = f"{readable(space.used_bytes)} of {readable(space.total_bytes)}"
    advice = f"remove files in {machine}, or raise its limits in the facility file; then linacre up"
    said = f"the {space.what} of {machine} is full ({sizes}): {advice}"
    # The daemon names a file of its own, which is of no use to anybody.
    return said if "quota exceeded" in str(error) else f"{error}; {said}"


def _check_room(disks: Path, size_bytes: int, name: str) -> None:
    folder = next(path for path in (disks, *disks.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if free < size_bytes + _SPARE_BYTES:
        raise UserError(
            f"the pool {name} wants {size_bytes >> 20} MiB and {folder} has {free >> 20} MiB "
            "free: write a smaller engine.pool_size, or set LINACRE_STATE to a larger disk"
        )


async def _preallocate(file: Path, name: str) -> None:
    about = file.stat()
    if about.st_blocks * 512 >= about.st_size:
        return
    try:
        descriptor = os.open(file, os.O_RDWR)
        try:
            await asyncio.to_thread(os.posix_fallocate, descriptor, 0, about.st_size)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise UserError(
            f"the pool {name} cannot have its {about.st_size >> 20} MiB: {error}"
        ) from error
