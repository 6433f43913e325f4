"""The files of an IOC as declared: a folder beside the facility file, or a git revision."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from linacre.base.enclosed import (
    Below,
    Kind,
    Limits,
    LinkOnWayError,
    UnsafeNameError,
    head_of_named,
    read_given,
    walk,
)
from linacre.base.errors import LinacreError, UserError
from linacre.base.log import get_logger
from linacre.base.paths import FacilityPaths
from linacre.base.processes import run_tool
from linacre.declaration.fetching import clone_mirror, git, update_mirror
from linacre.declaration.models import FolderSource, GitSource, Source

_log = get_logger(__name__)

LEFT_OUT = frozenset({".git", "__pycache__", ".svn", ".hg"})
SOURCE_LIMITS = Limits(entries=100_000, size_bytes=2 << 30)
_CHECKOUT = Limits(entries=500_000, size_bytes=8 << 30)
"""Of a whole repository: an IOC is a folder of it."""


@dataclass(frozen=True)
class SourceTree:
    """An IOC's files on this host."""

    folder: Path
    origin: str
    """Where they come from, as shown to people: the folder, or the repository and commit."""
    is_foreign: bool = False
    """Whether others write them, so that their links may lead anywhere on this host."""

    def head(self, path: PurePosixPath, *, limit: int) -> bytes | None:
        """Return the first bytes of a plain file of the tree, or None where there is none.

        Raises `UserError` where a link leads to what is not the tree's own.
        """
        try:
            file, top = self.folder / path, self.folder
            return head_of_named(file, top=top, limit=limit, strict=self.is_foreign)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except LinkOnWayError as error:
            raise UserError(
                f"{path} of {self.origin} is a link that leads out of it: not read"
            ) from error
        except UnsafeNameError as error:
            raise UserError(f"{path} of {self.origin}: {error}") from error


@dataclass(frozen=True)
class SourceFile:
    """One file or link of a source; `path` is relative to the tree."""

    path: PurePosixPath
    file: Path
    mode: int
    link: str | None

    def read(self) -> bytes:
        """Return what a file holds; raises `UnsafeNameError` where it is a link by now."""
        return read_given(self.file, limit=SOURCE_LIMITS.size_bytes)


async def fetch(source: Source, *, base: Path, paths: FacilityPaths, whose: str) -> SourceTree:
    """Return the files of a source, fetching a git revision that is not here yet.

    Messages say `whose` it is. Raises `LinacreError` where git fails, `UserError` where the
    revision has no such folder.
    """
    if isinstance(source, FolderSource):
        folder = (base / source.folder).resolve()
        return SourceTree(folder, str(folder))
    return await _fetch_git(source, paths=paths, whose=whose)


def mirror_of(url: str, paths: FacilityPaths) -> Path:
    """Return the folder where a repository's mirror is, or will be."""
    return paths.sources / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.git"


async def _fetch_git(source: GitSource, *, paths: FacilityPaths, whose: str) -> SourceTree:
    mirror = mirror_of(source.git, paths)
    name = mirror.stem
    if not mirror.exists():
        paths.sources.mkdir(parents=True, exist_ok=True)
        await clone_mirror(source.git, mirror, whose=whose)
    commit = await _commit(mirror, source, whose)
    checkout = paths.sources / f"{name}-{commit[:16]}"
    if not checkout.exists():
        temporary = checkout.with_name(f"{checkout.name}.new")
        await run_tool("rm", "-rf", str(temporary))
        await git("clone", "--quiet", "--no-checkout", "--shared", str(mirror), str(temporary))
        await _check_size(temporary, commit, whose=f"{whose}: {source.git}")
        await git("-C", str(temporary), "checkout", "--quiet", "--detach", commit)
        temporary.rename(checkout)
    inner = source.folder or PurePosixPath()
    try:
        with Below.of(checkout) as below:
            below.folder(inner)
    except UnsafeNameError as error:
        raise UserError(
            f"{whose}: the folder {source.folder} of {source.git} is not taken: {error}"
        ) from error
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"{whose}: {source.git} has no folder {source.folder} at {source.revision}; "
            "write one that it has"
        ) from None
    origin = f"{source.git} {source.revision} ({commit[:10]})"
    return SourceTree(checkout / inner, origin, is_foreign=True)


async def _check_size(repository: Path, commit: str, *, whose: str) -> None:
    """Raise `UserError` where a commit holds more than is checked out.

    A few kilobytes of a repository may unfold to any number of files, of any size.
    """
    listing = await asyncio.create_subprocess_exec(
        *("git", "-C", str(repository), "ls-tree", "-r", "-l", "-z", commit),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert listing.stdout is not None
    entries = size = 0
    rest = b""
    try:
        while data := await listing.stdout.read(1 << 16):
            *lines, rest = (rest + data).split(b"\0")
            for line in lines:
                # Mode, type, object and size, then a tab and the name; "-" is a submodule's size.
                told = line.partition(b"\t")[0].split()[-1]
                size += int(told) if told.isdigit() else 0
            entries += len(lines)
            if entries > _CHECKOUT.entries or size > _CHECKOUT.size_bytes:
                raise UserError(
                    f"{whose} holds more than {_CHECKOUT.entries:,} files or "
                    f"{_CHECKOUT.size_bytes >> 30} GiB: not checked out"
                )
        if await listing.wait() != 0:
            raise LinacreError(f"{whose}: git cannot list what {commit[:10]} holds")
    finally:
        with contextlib.suppress(ProcessLookupError):
            listing.kill()
        await listing.wait()


async def _commit(mirror: Path, source: GitSource, whose: str) -> str:
    wanted = f"{source.revision}^{{commit}}"
    find = ("-C", str(mirror), "rev-parse", "--verify", "--quiet", wanted)
    told = f"{whose}: {source.git}"
    # A branch moves and a commit does not: only what names a commit need not ask the server.
    if not _is_commit(source.revision):
        try:
            await update_mirror(mirror, whose=told)
        except UserError:
            raise
        except LinacreError as error:
            # A server that is away must not keep an IOC from starting: what was fetched serves.
            _log.warning("a repository was not asked", whose=told, error=str(error))
    try:
        return (await git(*find)).strip()
    except LinacreError:
        await update_mirror(mirror, whose=told)
    try:
        return (await git(*find)).strip()
    except LinacreError as error:
        raise UserError(
            f"{whose}: {source.git} has no revision {source.revision}; "
            "write a tag, branch or commit that it has"
        ) from error


def _is_commit(revision: str) -> bool:
    return len(revision) == 40 and set(revision) <= set("0123456789abcdef")


def source_files(folder: Path) -> Iterator[SourceFile]:
    """Yield the files and links of a tree in a fixed order; no link is followed.

    Raises `UserError` for what cannot be copied: a socket or a device, a name that no file should
    have, or a tree over 100,000 files or 2 GiB.
    """
    top = folder.resolve()
    try:
        for each in walk(top, SOURCE_LIMITS, skip=LEFT_OUT):
            file = top / each.path
            if each.kind is Kind.LINK:
                yield SourceFile(each.path, file, 0o777, each.link)
            elif each.kind is Kind.FILE:
                yield SourceFile(each.path, file, 0o755 if each.mode & 0o111 else 0o644, None)
            elif each.kind is Kind.OTHER:
                raise UserError(f"{file} is no plain file: take it out of the IOC's folder")
    except UnsafeNameError as error:
        raise UserError(f"{error}: name the IOC's own folder, or take that out of it") from error
