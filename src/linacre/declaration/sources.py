"""The files of an IOC as declared: a folder beside the facility file, or a git revision."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from linacre.base.enclosed import UnsafeNameError, inner_folder, leads_out
from linacre.base.errors import LinacreError, UserError
from linacre.base.paths import FacilityPaths
from linacre.base.processes import run_tool
from linacre.declaration.models import FolderSource, GitSource, Source

_LEFT_OUT = frozenset({".git", "__pycache__", ".svn", ".hg"})
_LARGEST_BYTES = 2 << 30


@dataclass(frozen=True)
class SourceTree:
    """An IOC's files on this host."""

    folder: Path
    origin: str
    """Where they come from, as shown to people: the folder, or the repository and commit."""
    is_foreign: bool = False
    """Whether others write them, so that their links may lead anywhere on this host."""

    def file(self, path: PurePosixPath) -> Path | None:
        """Return a plain file of the tree, or None where there is none.

        Raises `UserError` where a link of a repository leads out of it.
        """
        found = self.folder / path
        if self.is_foreign and leads_out(self.folder, found):
            raise UserError(f"{path} of {self.origin} is a link that leads out of it: not read")
        return found if found.is_file() else None


@dataclass(frozen=True)
class SourceFile:
    """One file or link of a source; `path` is relative to the tree."""

    path: PurePosixPath
    file: Path
    mode: int
    link: str | None


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
        temporary = mirror.with_name(f"{name}.new")
        await run_tool("rm", "-rf", str(temporary))
        await _git("clone", "--quiet", "--mirror", source.git, str(temporary))
        temporary.rename(mirror)
    commit = await _commit(mirror, source, whose)
    checkout = paths.sources / f"{name}-{commit[:16]}"
    if not checkout.exists():
        temporary = checkout.with_name(f"{checkout.name}.new")
        await run_tool("rm", "-rf", str(temporary))
        await _git("clone", "--quiet", "--no-checkout", "--shared", str(mirror), str(temporary))
        await _git("-C", str(temporary), "checkout", "--quiet", "--detach", commit)
        temporary.rename(checkout)
    try:
        folder = inner_folder(checkout, source.folder or PurePosixPath())
    except UnsafeNameError as error:
        raise UserError(
            f"{whose}: the folder {source.folder} of {source.git} is not taken: {error}"
        ) from error
    if folder is None:
        raise UserError(
            f"{whose}: {source.git} has no folder {source.folder} at {source.revision}; "
            "write one that it has"
        )
    return SourceTree(folder, f"{source.git} {source.revision} ({commit[:10]})", is_foreign=True)


async def _commit(mirror: Path, source: GitSource, whose: str) -> str:
    wanted = f"{source.revision}^{{commit}}"
    find = ("-C", str(mirror), "rev-parse", "--verify", "--quiet", wanted)
    # A branch moves and a commit does not: only what names a commit need not ask the server.
    if not _is_commit(source.revision):
        # A server that is away must not keep an IOC from starting: what was fetched serves.
        with contextlib.suppress(LinacreError):
            await _git("-C", str(mirror), "remote", "update", "--prune")
    try:
        return (await _git(*find)).strip()
    except LinacreError:
        await _git("-C", str(mirror), "remote", "update", "--prune")
    try:
        return (await _git(*find)).strip()
    except LinacreError as error:
        raise UserError(
            f"{whose}: {source.git} has no revision {source.revision}; "
            "write a tag, branch or commit that it has"
        ) from error


def _is_commit(revision: str) -> bool:
    return len(revision) == 40 and set(revision) <= set("0123456789abcdef")


async def _git(*argv: str) -> str:
    # Without a terminal git must fail and not wait for a password.
    return await run_tool("env", "GIT_TERMINAL_PROMPT=0", "git", *argv)


def walk(folder: Path) -> Iterator[SourceFile]:
    """Yield the files and links of a tree in a fixed order.

    Raises `UserError` for what cannot be copied: a socket or a device, or a tree over 2 GiB.
    """
    total = 0
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(set(folders) - _LEFT_OUT)
        links = [name for name in folders if (Path(where) / name).is_symlink()]
        for name in sorted([*files, *links]):
            path = Path(where) / name
            relative = PurePosixPath(path.relative_to(folder))
            if path.is_symlink():
                yield SourceFile(relative, path, 0o777, str(path.readlink()))
                continue
            if not path.is_file():
                raise UserError(f"{path} is no plain file: take it out of the IOC's folder")
            about = path.stat()
            total += about.st_size
            if total > _LARGEST_BYTES:
                raise UserError(f"{folder} holds more than 2 GiB: name the IOC's own folder")
            yield SourceFile(relative, path, 0o755 if about.st_mode & 0o111 else 0o644, None)
