"""A machine's payload as the one tar file that the image's `unpack` lays down."""

from __future__ import annotations

import io
import tarfile
from pathlib import PurePosixPath

from linacre.engines.base import Owner, Payload, PayloadFile

INBOX = PurePosixPath("/var/lib/linacre/payload.tar")
UNPACK = PurePosixPath("/usr/lib/linacre/unpack")
_REPLACES = "var/lib/linacre/replaces"
_COMPLETE = "var/lib/linacre/payload.ok"
_IDS = {Owner.ROOT: 0, Owner.IOC: 1000}


def _member(path: PurePosixPath, *, mode: int, owner: Owner = Owner.ROOT) -> tarfile.TarInfo:
    info = tarfile.TarInfo(str(path).lstrip("/"))
    info.mode = mode
    info.uid = info.gid = _IDS[owner]
    return info


def _add(archive: tarfile.TarFile, file: PayloadFile) -> None:
    info = _member(file.path, mode=file.mode, owner=file.owner)
    if file.link is not None:
        info.type, info.linkname = tarfile.SYMTYPE, file.link
        archive.addfile(info)
        return
    if file.source is not None:
        info.mtime = int(file.source.lstat().st_mtime)
    data = file.content
    if data is None:
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
        return
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def to_tar(payload: Payload) -> bytes:
    """Return the payload as a tar file.

    The list of folders to be emptied comes first; the last member marks the file as whole, so
    that one cut short is never applied.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        listed = "".join(f"{path}\n" for path in payload.replaces).encode()
        head = PayloadFile(PurePosixPath("/") / _REPLACES, data=listed)
        tail = PayloadFile(PurePosixPath("/") / _COMPLETE, data=b"ok\n")
        for file in (head, *payload.files, tail):
            _add(archive, file)
    return buffer.getvalue()
