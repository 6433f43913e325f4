"""The contents of IOCs' files by their digest: what their history is made of."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path, PurePosixPath

from linacre.base.enclosed import Below
from linacre.base.errors import LinacreError

_LARGEST_BYTES = 2 << 30
"""As much as an IOC's own files may be."""


class KeptFiles:
    """Contents in a folder, each once, whichever state of which IOC has it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, content: bytes) -> str:
        """Keep a content and return its digest (SHA-256, hexadecimal).

        When this returns it is on the disk. Raises `LinacreError` where it cannot be written.
        """
        digest = hashlib.sha256(content).hexdigest()
        path = self._path(digest)
        try:
            if not path.exists():
                self._write(path, content)
        except OSError as error:
            raise LinacreError(
                f"the history of IOCs cannot be written to {self._folder}: {error.strerror}; make "
                "room there and run the command again"
            ) from error
        return digest

    def content(self, digest: str) -> bytes:
        """Return a content; raises `LinacreError` where it is not here, or is damaged."""
        path = self._path(digest)
        try:
            with Below.of(self._folder) as folder:
                content = folder.read(_place(digest), limit=_LARGEST_BYTES)
        except FileNotFoundError as error:
            raise LinacreError(
                f"a file of this state is not kept on this host: {path} is missing"
            ) from error
        except OSError as error:
            raise LinacreError(f"{path} cannot be read: {error.strerror}") from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise LinacreError(f"{path} is damaged: it is no longer what was kept")
        return content

    def _path(self, digest: str) -> Path:
        return self._folder / _place(digest)

    def _write(self, path: Path, content: bytes) -> None:
        # What IOCs' files hold is not for every user of the host.
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as file:
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise


def _place(digest: str) -> PurePosixPath:
    return PurePosixPath(digest[:2], digest[2:])
