"""An IOC's own files as data: those declared, and those in a running machine."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from linacre.base.errors import LinacreError
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
