"""An IOC's own files as data: declared, in a running machine, or in a folder of this host."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from linacre.base.errors import LinacreError
from linacre.declaration.sources import walk
from linacre.engines.base import Engine, MachineSpec

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
        content = file.source.read_bytes() if file.source else file.data
        if file.link is not None:
            files[path] = TreeFile(0o777, link=file.link)
        elif content is not None:
            files[path] = TreeFile(file.mode, content)
    return files


async def tree_inside(engine: Engine, machine: str, tree: PurePosixPath) -> dict[str, TreeFile]:
    """Return the files under a folder of a running machine."""
    done = await engine.exec(machine, ["tar", "--create", "--file=-", f"--directory={tree}", "."])
    if done.status != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise LinacreError(
            f"the files of {machine} cannot be read: {said[0] if said else 'no reason'}"
        )
    files: dict[str, TreeFile] = {}
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        for member in archive:
            path = member.name.removeprefix("./")
            if member.isreg() and (opened := archive.extractfile(member)) is not None:
                files[path] = TreeFile(0o755 if member.mode & 0o111 else 0o644, opened.read())
            elif member.issym():
                files[path] = TreeFile(0o777, link=member.linkname)
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
        else TreeFile(each.mode, each.file.read_bytes())
        for each in walk(folder)
    }


def lay_tree(folder: Path, *, old: Tree, new: Tree) -> None:
    """Bring the files of a folder from `old` to `new`, each whole or not at all.

    What is in neither is left alone. Raises `LinacreError` where a file cannot be written.
    """
    try:
        for name in sorted(new.keys()):
            if old.get(name) != new[name]:
                _lay(folder / name, new[name])
        for name in sorted(old.keys() - new.keys()):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        path = error.filename2 or error.filename or folder
        raise LinacreError(
            f"{path} cannot be written ({error.strerror}): some files of {folder} may be as they "
            "were; mend that and run the command again"
        ) from error


def _lay(path: Path, file: TreeFile) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.linacre-new")
    new.unlink(missing_ok=True)
    try:
        if file.link:
            new.symlink_to(file.link)
        else:
            with new.open("wb") as opened:
                opened.write(file.content)
                opened.flush()
                os.fsync(opened.fileno())
            new.chmod(file.mode)
        # Run as root, it still is its author's.
        folder = path.parent.stat()
        with contextlib.suppress(PermissionError):
            os.lchown(new, folder.st_uid, folder.st_gid)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
