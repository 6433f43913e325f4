"""Fetching from git repositories, whose servers may send without end, or nothing at all."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from pathlib import Path

from linacre.base.enclosed import Limits, TooMuchError, UnsafeNameError, walk
from linacre.base.errors import LinacreError, UserError
from linacre.base.processes import run_tool
from linacre.base.sizes import readable

_LARGEST = Limits(entries=1_000_000, size_bytes=8 << 30)
"""Of a whole repository with its history."""
_SPARE_BYTES = 256 << 20
"""What a fetch leaves of the room on the disk."""
_SILENT_S = 600.0
"""So long nothing may come: a server may count for minutes before it sends."""
_PERIOD_S = 0.5


async def git(*argv: str) -> str:
    """Run git to its end and return what it printed; raises `LinacreError` as `run_tool` does."""
    # Without a terminal git must fail and not wait for a password.
    return await run_tool("env", "GIT_TERMINAL_PROMPT=0", "git", *argv)


async def clone_mirror(url: str, mirror: Path, *, whose: str) -> None:
    """Fetch a repository with its history into a folder, which is there when it is whole.

    Raises `UserError` where it is larger than is taken, `LinacreError` where git fails, where the
    disk has no room, or where nothing comes for long.
    """
    temporary = mirror.with_name(f"{mirror.stem}.new")
    await run_tool("rm", "-rf", str(temporary))
    try:
        argv = ("clone", "--quiet", "--mirror", url, str(temporary))
        await _fetch(*argv, into=temporary, what=f"{whose}: {url}")
    except BaseException:
        await run_tool("rm", "-rf", str(temporary))
        raise
    temporary.rename(mirror)


async def update_mirror(mirror: Path, *, whose: str) -> None:
    """Bring a mirror to what its server has now; raises as `clone_mirror` does."""
    packs = mirror / "objects/pack"
    before = {each.name for each in packs.iterdir()} if packs.is_dir() else set[str]()
    argv = ("-C", str(mirror), "remote", "update", "--prune")
    try:
        await _fetch(*argv, into=mirror, what=whose)
    except BaseException:
        # What git had not finished; it looks for none of it again.
        for each in packs.glob("tmp_*"):
            if each.name not in before:
                each.unlink(missing_ok=True)
        raise


async def _fetch(*argv: str, into: Path, what: str) -> None:
    work = asyncio.ensure_future(git(*argv))
    watch = asyncio.ensure_future(_watch(into, what))
    try:
        await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
        if watch.done():
            watch.result()
        await work
        _check(into, what)
    finally:
        for each in (work, watch):
            each.cancel()
        await asyncio.gather(work, watch, return_exceptions=True)


async def _watch(into: Path, what: str) -> None:
    """Look at what has come until it is too much, or nothing has for long, and raise."""
    size, since = -1, time.monotonic()
    while True:
        await asyncio.sleep(_PERIOD_S)
        now = await asyncio.to_thread(_check, into, what)
        if now != size:
            size, since = now, time.monotonic()
        elif time.monotonic() > since + _SILENT_S:
            raise LinacreError(f"{what}: nothing has come for {_SILENT_S:.0f} s: not fetched")


def _check(into: Path, what: str) -> int:
    """Return how much has come; raise where that is more than is taken."""
    size = 0
    # Files come and go meanwhile: what was there is counted the next time.
    with contextlib.suppress(OSError):
        try:
            for each in walk(into, _LARGEST):
                size += each.size_bytes
        except TooMuchError as error:
            most = f"{readable(_LARGEST.size_bytes)} or {_LARGEST.entries:,} files"
            raise UserError(
                f"{what} holds more than {most} with its history: not fetched; name a smaller "
                "repository, or a folder with what is needed of it"
            ) from error
        except UnsafeNameError as error:
            raise UserError(f"{what}: {error}: not fetched") from error
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(into if into.exists() else into.parent).free
        if free < _SPARE_BYTES:
            raise LinacreError(
                f"{what}: not fetched: {into.parent} has {readable(free)} free, and "
                f"{readable(_SPARE_BYTES)} is to be left; make room there"
            )
    return size
