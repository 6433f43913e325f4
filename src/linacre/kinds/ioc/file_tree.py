"""An IOC's own files as data: declared, in a running machine, or in a folder of this host."""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from linacre.base.enclosed import (
    EnclosedFolder,
    TooMuchError,
    UnsafeNameError,
    check_nesting,
    inner_path,
    link_target,
)
from linacre.base.errors import LinacreError
from linacre.declaration.sources import source_files
from linacre.engines.base import Engine, MachineSpec

_LARGEST_BYTES = 512 << 20
_MOST_FILES = 100_000
_LONGEST_S = 120
"""Seconds in which a machine must have sent its files: its `tar` may be anybody's."""
_BROKEN = (OSError, ValueError, OverflowError, RecursionError)
"""What Python's reader of archives raises beside its own errors where one is made up."""

Tree = Mapping[str, "TreeFile"]
"""Files by their path in the IOC's own files."""


@dataclass(frozen=True)
class TreeFile:
    """One file, or a link where `link` says where it leads."""

    mode: int
    content: bytes = b""
    link: str = ""

    @property
    def shown(self) -> bytes:
        """What stands for it in a diff."""
        return f"link to {self.link}\n".encode() if self.link else self.content


def declared_tree(spec: MachineSpec, tree: PurePosixPath) -> dict[str, TreeFile]:
    """Return the files that a machine is to have under `tree`."""
    files: dict[str, TreeFile] = {}
    for file in spec.payload.files:
        if not file.path.is_relative_to(tree) or file.path == tree:
            continue
        path = str(file.path.relative_to(tree))
        content = file.content
        if file.link is not None:
            files[path] = TreeFile(0o777, link=file.link)
        elif content is not None:
            files[path] = TreeFile(file.mode, content)
    return files


async def tree_inside(engine: Engine, machine: str, tree: PurePosixPath) -> dict[str, TreeFile]:
    """Return the files under a folder of a running machine.

    Raises `LinacreError` where they cannot be had whole: also what somebody inside made to lead
    out of the folder, or without end.
    """
    printed = {1: bytearray(), 2: bytearray()}

    def gather(descriptor: int, data: bytes) -> None:
        printed[descriptor] += data
        if len(printed[descriptor]) > _LARGEST_BYTES:
            raise LinacreError(f"{tree} in {machine} holds more than 512 MiB: not read")

    argv = ["tar", "--create", "--file=-", f"--directory={tree}", "."]
    try:
        async with asyncio.timeout(_LONGEST_S):
            done = await engine.exec(machine, argv, output=gather)
    except TimeoutError as error:
        raise LinacreError(
            f"the files of {machine} cannot be read: its tar has not ended in {_LONGEST_S} s"
        ) from error
    if done.status != 0:
        said = printed[2].decode(errors="replace").strip().splitlines()[-1:]
        raise LinacreError(
            f"the files of {machine} cannot be read: {said[0] if said else 'no reason'}"
        )
    try:
        return _unpacked(bytes(printed[1]))
    except (UnsafeNameError, tarfile.TarError, *_BROKEN) as error:
        raise LinacreError(
            f"the files of {machine} are not taken: {error}; somebody may have changed the "
            "machine's programs: linacre up --rebuild makes it anew"
        ) from error


def _unpacked(archive: bytes) -> dict[str, TreeFile]:
    """Return the files and links of an archive that a machine made; what else it has is left."""
    files: dict[str, TreeFile] = {}
    size = 0
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as opened:
        for number, member in enumerate(opened):
            if number >= _MOST_FILES:
                raise TooMuchError(f"they are more than {_MOST_FILES}")
            path = str(inner_path(member.name))
            # A file with holes is larger than what was sent of it.
            size += member.size
            if size > _LARGEST_BYTES:
                raise TooMuchError(f"they hold more than {_LARGEST_BYTES >> 20} MiB")
            if member.isreg() and (content := opened.extractfile(member)) is not None:
                mode = 0o755 if member.mode & 0o111 else 0o644
                files[path] = TreeFile(mode, content.read())
            elif member.issym():
                files[path] = TreeFile(0o777, link=link_target(member.linkname))
    check_nesting(map(PurePosixPath, files))
    return files


def without(tree: Tree, folders: Iterable[PurePosixPath]) -> dict[str, TreeFile]:
    """Return the files that are in none of these folders, such as those that the IOC writes."""
    left_out = tuple(folders)
    return {
        path: file
        for path, file in tree.items()
        if not any(PurePosixPath(path).is_relative_to(folder) for folder in left_out)
    }


def shown(tree: Tree) -> dict[str, bytes]:
    """Return what stands for each file in a diff."""
    return {path: file.shown for path, file in tree.items()}


def folder_tree(folder: Path) -> dict[str, TreeFile]:
    """Return the files of a folder of this host; none where it is not there."""
    if not folder.is_dir():
        return {}
    return {
        str(each.path): TreeFile(0o777, link=each.link)
        if each.link is not None
        else TreeFile(each.mode, each.read())
        for each in source_files(folder)
    }


def lay_tree(folder: Path, *, old: Tree, new: Tree) -> None:
    """Bring the files of a folder from `old` to `new`, each whole or not at all.

    What is in neither is left alone, and nothing is written outside the folder. Raises
    `LinacreError` where a file cannot be written.
    """
    place = EnclosedFolder(folder)
    paths = {name: inner_path(name) for name in new}
    check_nesting(paths.values())
    folders = {str(above) for path in paths.values() for above in path.parents}
    gone = old.keys() - new.keys()
    try:
        for name in gone & folders:
            place.remove(PurePosixPath(name))
        for name in sorted(new):
            file = new[name]
            if old.get(name) == file:
                continue
            if file.link:
                place.link(paths[name], file.link)
            else:
                place.write(paths[name], file.content, mode=file.mode)
        for name in sorted(gone - folders):
            place.remove(PurePosixPath(name))
    except OSError as error:
        path = error.filename2 or error.filename or folder
        raise LinacreError(
            f"{path} cannot be written ({error.strerror}): some files of {folder} may be as they "
            "were; mend that and run the command again"
        ) from error
