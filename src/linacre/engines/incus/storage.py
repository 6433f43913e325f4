"""The image and the persistent volumes of a facility, in its pool."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

from linacre.engines.incus.client import IncusClient, IncusError
from linacre.engines.incus.names import volume
from linacre.engines.incus.pool import Ceiling

# In capitals, which no name of a machine has.
_TRIAL = "IMAGE-TRIAL"


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
    ceiling: Ceiling,
) -> None:
    """Make the persistent volume of a machine, empty or as a copy of another machine's.

    One that is there keeps what is in it.
    """
    path = f"/1.0/storage-pools/{pool}/volumes/custom"
    if await client.exists(f"{path}/{volume(machine)}"):
        await size_volume(client, pool=pool, machine=machine, ceiling=ceiling)
        return
    body: dict[str, Any] = {
        "name": volume(machine),
        "content_type": "filesystem",
        "config": {"size": str(ceiling.most_bytes)},
    }
    if copy_of is not None:
        body["source"] = {"type": "copy", "name": volume(copy_of), "pool": pool}
    await client.request("POST", path, body=body)


async def size_volume(client: IncusClient, *, pool: str, machine: str, ceiling: Ceiling) -> None:
    """Give the persistent volume of a machine another ceiling, where it has one."""
    path = f"/1.0/storage-pools/{pool}/volumes/custom/{volume(machine)}"
    found = await client.request("GET", path)
    there = found["config"].get("size")
    most_bytes = ceiling.beside(there)
    if most_bytes is not None and there != str(most_bytes):
        body = {"config": {**found["config"], "size": str(most_bytes)}}
        await client.request("PATCH", path, body=body)


async def remove_volume(client: IncusClient, *, pool: str, machine: str) -> None:
    """Remove the persistent volume of a machine; none there is no error."""
    await client.remove(f"/1.0/storage-pools/{pool}/volumes/custom/{volume(machine)}")
