"""What of an IOC's files is to be copied: its folders are listed by descriptors."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from linacre.base.enclosed import (
    Kind,
    NamedFolder,
    TooMuchError,
    UnsafeNameError,
    inner_path,
    link_target,
    open_named,
)
from linacre.base.errors import UserError

MOST_LINKS = 8
"""So many links may lead to one another."""
_LEFT_OUT = frozenset({".git", ".svn", ".hg", "__pycache__", ".iocsh_history", ".linacre"})
_MOST_FILES = 100_000


@dataclass(frozen=True)
class Item:
    """One file or link to be copied."""

    path: PurePosixPath
    """In the copy."""
    source: Path | None = None
    link: str | None = None
    text: str | None = None
    """What is written, where it is no copy."""
    mode: int = 0o755
    """Of what is written."""


class Listing:
    """What is to be copied, and what is not and why, as it is found."""

    def __init__(self, given: Path, tree: Path) -> None:
        self._given, self._real = given, given.resolve()
        self._tree = tree
        self._seen = 0
        self.items: dict[PurePosixPath, Item] = {}
        self.left_out: list[str] = []

    def take(self, source: Path, path: PurePosixPath, top: Path) -> None:
        """Take in a file or folder; a link that leads out of `top` as what it leads to.

        Of what is out of the folder that was given, only what everybody may read: whoever wrote a
        link, or a name, may mean to have a file of this host that is not theirs. What changes
        meanwhile is opened as it then is, or not at all.
        """
        # It is named: what it is in need not be read.
        try:
            inner_path(path)
            link = link_target(os.readlink(source)) if source.is_symlink() else ""  # noqa: PTH115
        except UnsafeNameError as error:
            self.left_out.append(f"{self._tree}: {error}")
            return
        if link:
            self._link(link, source, path, top, links=0)
        elif source.is_dir():
            self._folder(source, path, top, links=0)
        else:
            self._file(source, path, is_own=source.resolve().is_relative_to(self._real))

    def _take(
        self, folder: NamedFolder, name: str, path: PurePosixPath, top: Path, *, links: int
    ) -> None:
        """Take in what stands at a name in a folder."""
        source = folder.path / name
        try:
            inner_path(path)
            entry = folder.entry(name)
        except UnsafeNameError as error:
            self.left_out.append(f"{self._tree}: {error}")
            return
        if entry.kind is Kind.LINK:
            self._link(entry.link, source, path, top, links=links)
        elif entry.kind is Kind.FOLDER:
            self._folder(source, path, top, links=links)
        elif entry.kind is Kind.FILE:
            self._file(source, path, is_own=folder.real.is_relative_to(self._real))
        else:
            self.left_out.append(f"{source}: no plain file")

    def _link(
        self, target: str, source: Path, path: PurePosixPath, top: Path, *, links: int
    ) -> None:
        if not source.exists():
            self.left_out.append(f"{source}: a link that leads nowhere ({target})")
            return
        real = source.resolve()
        if not target.startswith("/") and real.is_relative_to(top.resolve()):
            self.items[path] = Item(path, link=target)
        elif links >= MOST_LINKS:
            self.left_out.append(f"{source}: links that lead to one another")
        elif real.is_dir():
            self._folder(source, path, top, links=links + 1)
        else:
            self._file(source, path, is_own=real.is_relative_to(self._real))

    def _file(self, source: Path, path: PurePosixPath, *, is_own: bool) -> None:
        """Take in a file, unless it may not be taken from outside; `copy` asks again."""
        try:
            if not is_own or not source.is_file():
                os.close(open_named(source, top=self._given))
        except UnsafeNameError as error:
            self.left_out.append(str(error))
            return
        except OSError as error:
            self.left_out.append(f"{source}: {(error.strerror or str(error)).lower()}")
            return
        place = path if path.parts else PurePosixPath(source.name)
        self.items[place] = Item(place, source=source)

    def _folder(self, source: Path, path: PurePosixPath, top: Path, *, links: int) -> None:
        if path.name in _LEFT_OUT or (path.name.startswith("O.") and path.parts):
            return
        try:
            with NamedFolder.opened(source, top=self._given) as folder:
                for name in self._names(folder):
                    self._take(folder, name, path / name, top, links=links)
        except UnsafeNameError as error:
            self.left_out.append(str(error))
        except OSError as error:
            raise _unreadable(source, error) from None

    def _names(self, folder: NamedFolder) -> list[str]:
        # Folders too: with links they may be in one another again and again.
        try:
            names = folder.names(most=_MOST_FILES - self._seen)
        except TooMuchError:
            raise UserError(
                f"{self._tree} holds more than {_MOST_FILES:,} files to copy; name a smaller folder"
            ) from None
        self._seen += len(names)
        return names


def _unreadable(source: Path, error: OSError) -> UserError:
    reason = (error.strerror or str(error)).lower()
    return UserError(f"{source} cannot be read: {reason}; run this as one who may")
