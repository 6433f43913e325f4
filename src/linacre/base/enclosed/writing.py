"""Writing files below a folder of this host by names of others."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from linacre.base.enclosed.names import inner_path, link_target
from linacre.base.enclosed.reading import LinkOnWayError, enter

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class EnclosedFolder:
    """A folder of this host, in which files are written by names of others."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(
        self, path: PurePosixPath, content: bytes, *, mode: int, durable: bool = True
    ) -> None:
        """Write a file, whole or not at all, and if `durable` on the disk when this returns.

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
                if durable:
                    os.fsync(file)
            finally:
                os.close(file)

    def link(self, path: PurePosixPath, target: str) -> None:
        """Make a link, whatever it leads to; like `write`."""
        link_target(target)
        with self._parent(path, make=True) as folder, _beside(folder, path.name) as new:
            os.symlink(target, new, dir_fd=folder)
            owner = os.fstat(folder)
            with contextlib.suppress(PermissionError):
                os.chown(new, owner.st_uid, owner.st_gid, dir_fd=folder, follow_symlinks=False)

    def folder(self, path: PurePosixPath) -> None:
        """Make a folder; one that is there is no error, a link is."""
        with self._parent(path / "x", make=True):
            pass

    def remove(self, path: PurePosixPath) -> None:
        """Remove a file or link; none there is no error."""
        gone = contextlib.suppress(FileNotFoundError, NotADirectoryError)
        with gone, self._parent(path, make=False) as folder:
            os.unlink(path.name, dir_fd=folder)

    @contextmanager
    def _parent(self, path: PurePosixPath, *, make: bool) -> Generator[int]:
        """Hold the folder that a file is in open."""
        *above, _ = inner_path(path).parts
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
                below = enter(folder, name, shown=str(self._folder / path))
                _give_to_owner(folder, below)
                return below
        try:
            return enter(folder, name, shown=str(self._folder / path))
        except LinkOnWayError as error:
            raise LinkOnWayError(
                f"{self._folder / path} is behind {name}, a link, which may lead anywhere: "
                "nothing is written there"
            ) from error


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
