"""Names and files of others, kept below one folder of this host: nothing leads out of it.

What comes out of a machine or a repository may be an enemy's: absolute names, `..`, links on the
way, devices, files without end. Everything that reads or writes by such names comes through here.
A folder is opened below its parent by a descriptor and never by a joined path, so what another
process changes meanwhile leads nowhere else.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from linacre.base.errors import LinacreError

LONGEST_NAME, LONGEST_PATH = 255, 4000
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class UnsafeNameError(LinacreError):
    """A name that leads out of the folder that it is to be in, or is none."""


def inner_path(name: str) -> PurePosixPath:
    """Return the path below a folder that a name of others means; `.` is the folder itself.

    Raises `UnsafeNameError` for one that is absolute, has `..` in it, has characters that a
    terminal or a shell takes for orders, or is longer than Linux takes.
    """
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts:
        raise UnsafeNameError(f"{name!r} does not lead below its folder")
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        raise UnsafeNameError(f"{name!r} has characters that no name of a file should have")
    parts = (len(os.fsencode(part)) for part in path.parts)
    if len(os.fsencode(name)) > LONGEST_PATH or any(size > LONGEST_NAME for size in parts):
        raise UnsafeNameError(f"{name[:40]!r}... is longer than a name of a file can be")
    return path


def check_nesting(files: Iterable[PurePosixPath]) -> None:
    """Raise `UnsafeNameError` where one of these files or links is to be in another of them."""
    there = set(files)
    for path in there:
        for above in path.parents:
            if above in there:
                raise UnsafeNameError(f"{path} is to be in {above}, which is no folder")


def inner_folder(top: Path, below: PurePosixPath) -> Path | None:
    """Return a folder below another, or None where it is not there.

    Raises `UnsafeNameError` where a link is on the way, or the name leads out.
    """
    found = top
    for part in inner_path(str(below)).parts:
        found /= part
        if found.is_symlink():
            raise UnsafeNameError(f"{found.relative_to(top)} is a link, which may lead anywhere")
    return found if found.is_dir() else None


def leads_out(top: Path, file: Path) -> bool:
    """Tell whether a file is a link, or behind one, that leads out of a folder."""
    return not file.resolve().is_relative_to(top.resolve())


class EnclosedFolder:
    """A folder of this host, in which files are written by names of others."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, path: PurePosixPath, content: bytes, *, mode: int) -> None:
        """Write a file, whole or not at all, on the disk when this returns.

        Folders are made where they are missing. The file gets the owner of its folder. Raises
        `UnsafeNameError` for a name that leads out, `OSError` where it cannot be written.
        """
        with self._parent(path, make=True) as folder, _beside(folder, path.name) as new:
            file = os.open(new, _NEW, 0o600, dir_fd=folder)
            try:
                view = memoryview(content)
                while view:
                    view = view[os.write(file, view) :]
                os.fchmod(file, mode)
                _give_to_owner(folder, file)
                os.fsync(file)
            finally:
                os.close(file)

    def link(self, path: PurePosixPath, target: str) -> None:
        """Make a link, whatever it leads to; like `write`."""
        with self._parent(path, make=True) as folder, _beside(folder, path.name) as new:
            os.symlink(target, new, dir_fd=folder)
            owner = os.fstat(folder)
            with contextlib.suppress(PermissionError):
                os.chown(new, owner.st_uid, owner.st_gid, dir_fd=folder, follow_symlinks=False)

    def remove(self, path: PurePosixPath) -> None:
        """Remove a file or link; none there is no error."""
        gone = contextlib.suppress(FileNotFoundError, NotADirectoryError)
        with gone, self._parent(path, make=False) as folder:
            os.unlink(path.name, dir_fd=folder)

    @contextmanager
    def _parent(self, path: PurePosixPath, *, make: bool) -> Generator[int]:
        """Hold the folder that a file is in open."""
        *above, _ = inner_path(str(path)).parts
        if make:
            self._folder.mkdir(parents=True, exist_ok=True)
        here = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in above:
                below = self._enter(here, part, path, make=make)
                os.close(here)
                here = below
            yield here
        except OSError as error:
            # What was opened by a descriptor is told by its whole path.
            error.filename, error.filename2 = str(self._folder / path), None
            raise
        finally:
            os.close(here)

    def _enter(self, folder: int, name: str, path: PurePosixPath, *, make: bool) -> int:
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, dir_fd=folder)
                below = os.open(name, _FOLDER, dir_fd=folder)
                _give_to_owner(folder, below)
                return below
        try:
            return os.open(name, _FOLDER, dir_fd=folder)
        except OSError as error:
            about = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISLNK(about.st_mode):
                raise UnsafeNameError(
                    f"{self._folder / path} is behind {name}, a link, which may lead anywhere: "
                    "nothing is written there"
                ) from error
            raise


def _give_to_owner(folder: int, file: int) -> None:
    # Run as root, it still is its author's.
    owner = os.fstat(folder)
    with contextlib.suppress(PermissionError):
        os.fchown(file, owner.st_uid, owner.st_gid)


@contextmanager
def _beside(folder: int, name: str) -> Generator[str]:
    """Give the name of a new file, which takes the place of another at the end of the block."""
    new = f".{name[:200]}.{secrets.token_hex(4)}.linacre-new"
    try:
        yield new
        os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new, dir_fd=folder)
        raise
