"""Writing a changed facility file: whole or not at all, and never over somebody else's change."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from linacre.base.errors import LinacreError, UserError
from linacre.declaration.editing.edit import FacilityText
from linacre.declaration.load import Declaration, load

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Draft:
    """A facility file that is being changed: what stood in it when it was read, and its text."""

    text: FacilityText
    declaration: Declaration
    """What the file declares as it stands."""
    content: bytes

    def declares(self, text: FacilityText) -> Declaration:
        """Return what a changed text declares; raises `LoadError` with all that is wrong."""
        return load(
            self.declaration.file, text=text.text, sections=self.declaration.facility.sections
        )

    def write(self, text: FacilityText) -> Declaration:
        """Put a changed text into the file and return what it declares now.

        Raises `LoadError` where it is wrong, `LinacreError` where the file was changed meanwhile
        or cannot be written; it stays as it is then.
        """
        declaration = self.declares(text)
        bom = _BOM if self.content.startswith(_BOM) else b""
        target = declaration.file.resolve()
        try:
            _replace(target, bom + text.text.encode(), expected=self.content)
        except OSError as error:
            why = error.strerror or str(error)
            raise LinacreError(f"{declaration.file} cannot be written: {why}") from error
        return declaration


def draft(declaration: Declaration) -> Draft:
    """Return the file of a declaration in order to change it.

    It is read again where it has changed since. Raises `LoadError` where it has faults now,
    `UserError` where it may not be written.
    """
    file = declaration.file
    _check_writable(file)
    content = file.read_bytes()
    if content.decode("utf-8-sig", errors="replace") != declaration.text:
        declaration = load(file, sections=declaration.facility.sections)
    if content.decode("utf-8-sig", errors="replace") != declaration.text:
        raise _changed(file)
    return Draft(declaration.written, declaration, content)


def _check_writable(file: Path) -> None:
    target = file.resolve()
    for place in (target, target.parent):
        if not os.access(place, os.W_OK):
            raise UserError(
                f"{place} may not be written by this user, and this would change it; "
                "run as a user who may, or change the file by hand"
            )


def _changed(file: Path) -> LinacreError:
    return LinacreError(
        f"{file} was changed by somebody else meanwhile, and is left as it is; try again"
    )


def _replace(file: Path, content: bytes, *, expected: bytes) -> None:
    temporary = file.with_name(f".{file.name}.new")
    about = file.stat()
    try:
        with temporary.open("wb") as opened:
            opened.write(content)
            os.fchmod(opened.fileno(), about.st_mode & 0o7777)
            # Who is not root cannot give a file away; its group can be kept mostly.
            with contextlib.suppress(PermissionError):
                os.fchown(opened.fileno(), -1, about.st_gid)
                os.fchown(opened.fileno(), about.st_uid, -1)
            opened.flush()
            os.fsync(opened.fileno())
        if file.read_bytes() != expected:
            raise _changed(file)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
