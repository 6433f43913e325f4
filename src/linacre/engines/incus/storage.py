"""The image, the storage pool and the persistent volumes of a facility."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from pathlib import Path
from typing import Any, cast

from linacre.base.errors import UserError
from linacre.engines.base import Space
from linacre.engines.incus.client import IncusClient, IncusError
from linacre.engines.incus.names import volume

# In capitals, which no name of a machine has.
_TRIAL = "IMAGE-TRIAL"
_SPARE_BYTES = 1 << 30
# A loop file that gives freed blocks back to the host is no longer preallocated.
_MOUNT_OPTIONS = "user_subvol_rm_allowed,nodiscard"


async def ensure_pool(
    client: IncusClient, *, name: str, size_bytes: int, disks: Path | None
) -> None:
    """Make the facility's btrfs pool on a loop file, all of its blocks taken from the start.

    `disks` is the daemon's folder of loop files; None where it is not on this host, and then
    nothing can be preallocated. A sparse file under a full host would break machines from
    below. Raises `UserError` where the host has no room.
    """
    if not await client.exists(f"/1.0/storage-pools/{name}", project=False):
        if disks is not None:
            _check_room(disks, size_bytes, name)
        body: dict[str, Any] = {
            "name": name,
            "driver": "btrfs",
            "description": "made by Linacre",
            "config": {"size": str(size_bytes), "btrfs.mount_options": _MOUNT_OPTIONS},
        }
        await client.request("POST", "/1.0/storage-pools", body=body, project=False)
    if disks is not None and (file := disks / f"{name}.img").exists():
        await _preallocate(file, name)


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


def _fingerprint(*files: Path) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


async def ensure_image(
    client: IncusClient, *, pool: str, digest: str, metadata: Path, root: Path
) -> None:
    """Make an image known to the daemon under its digest, and unpacked in the pool.

    The digest is the image's alias and given last. One without is not whole: a daemon that is
    killed while it unpacks takes what it has for the image, and all machines would be copies.
    """
    if await client.exists(f"/1.0/images/aliases/{digest}"):
        return
    fingerprint = await asyncio.to_thread(_fingerprint, metadata, root)
    image = f"/1.0/images/{fingerprint}"
    found = await client.get_or_none(image)
    if found is None or not found.get("aliases"):
        await client.remove(f"/1.0/instances/{_TRIAL}")
        await client.remove(image)
        from linacre.engines.incus.http import aiohttp

        with metadata.open("rb") as first, root.open("rb") as second:
            form = aiohttp.FormData()
            form.add_field("metadata", first, filename=metadata.name)
            form.add_field("rootfs", second, filename=root.name)
            await client.request("POST", "/1.0/images", data=form)
        await _unpack(client, pool=pool, fingerprint=fingerprint)
    body = {"name": digest, "target": fingerprint, "description": "made by Linacre"}
    try:
        await client.request("POST", "/1.0/images/aliases", body=body)
    except IncusError:
        if not await client.exists(f"/1.0/images/aliases/{digest}"):
            raise


async def _unpack(client: IncusClient, *, pool: str, fingerprint: str) -> None:
    """Unpack an image into the pool, which the daemon does for the first instance of it."""
    body: dict[str, Any] = {
        "name": _TRIAL,
        "type": "container",
        "profiles": [],
        "devices": {"root": {"type": "disk", "path": "/", "pool": pool}},
        "source": {"type": "image", "fingerprint": fingerprint},
    }
    await client.request("POST", "/1.0/instances", body=body)
    await client.remove(f"/1.0/instances/{_TRIAL}")


async def ensure_volume(
    client: IncusClient,
    *,
    pool: str,
    machine: str,
    copy_of: str | None = None,
    size_bytes: int | None = None,
) -> None:
    """Make the persistent volume of a machine, empty or as a copy of another machine's.

    One that is there keeps what is in it, and has this size afterwards: a quota, so that nothing
    is taken from the pool before it is written.
    """
    path = f"/1.0/storage-pools/{pool}/volumes/custom"
    if await client.exists(f"{path}/{volume(machine)}"):
        await size_volume(client, pool=pool, machine=machine, size_bytes=size_bytes)
        return
    body: dict[str, Any] = {"name": volume(machine), "content_type": "filesystem"}
    if size_bytes is not None:
        body["config"] = {"size": str(size_bytes)}
    if copy_of is not None:
        body["source"] = {"type": "copy", "name": volume(copy_of), "pool": pool}
    await client.request("POST", path, body=body)


async def size_volume(
    client: IncusClient, *, pool: str, machine: str, size_bytes: int | None
) -> None:
    """Give the persistent volume of a machine another size, where it has one."""
    if size_bytes is None:
        return
    path = f"/1.0/storage-pools/{pool}/volumes/custom/{volume(machine)}"
    found = await client.request("GET", path)
    if found["config"].get("size") != str(size_bytes):
        body = {"config": {**found["config"], "size": str(size_bytes)}}
        await client.request("PATCH", path, body=body)


async def remove_volume(client: IncusClient, *, pool: str, machine: str) -> None:
    """Remove the persistent volume of a machine; none there is no error."""
    await client.remove(f"/1.0/storage-pools/{pool}/volumes/custom/{volume(machine)}")


async def remove_all(client: IncusClient, *, pool: str) -> None:
    """Remove every volume and image of the project, then the pool."""
    volumes = f"/1.0/storage-pools/{pool}/volumes/custom"
    for url in cast(list[str], await client.get_or_none(volumes) or []):
        await client.remove(url.partition("?")[0])
    for url in cast(list[str], await client.get_or_none("/1.0/images") or []):
        await client.remove(url.partition("?")[0])
    await client.remove(f"/1.0/storage-pools/{pool}", project=False)


async def pool_space(client: IncusClient, *, pool: str) -> Space:
    """Return how full the pool is."""
    path = f"/1.0/storage-pools/{pool}/resources"
    space = (await client.request("GET", path, project=False))["space"]
    return Space(f"the pool {pool}", int(space["used"]), int(space["total"]))
