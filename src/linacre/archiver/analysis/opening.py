"""From the name of an archive, its address or its folder, to what reads it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, cast

from linacre.archiver.service import Reader
from linacre.base.errors import UserError


def open_reader(where: str | Path | Reader, token: str | None, timeout_s: float) -> Reader:
    """Return the reader of an address, of a folder, or the one that is given.

    Raises `UserError` for what is neither.
    """
    if not isinstance(where, str | Path):
        return where
    if isinstance(where, str) and where.startswith(("http://", "https://")):
        from linacre.archiver.analysis.remote import RemoteReader

        return RemoteReader(where, token=token, timeout_s=timeout_s)
    folder = Path(where)
    if not folder.is_dir():
        raise UserError(
            f"{where} is no folder; write the address of an archiver as http://HOST:17665"
        )
    # What reads folders is not asked of those who have an address.
    near: Any = importlib.import_module("linacre.archiver.reading.folder")
    return cast("Reader", near.open_reader(folder))
