"""What goes wrong in an archiver, beside what goes wrong anywhere."""

from __future__ import annotations

from linacre.base.errors import LinacreError


class ReadOnlyError(LinacreError):
    """The archiver is past its end: it serves what it has and takes nothing more."""


class DamagedError(LinacreError):
    """A file of the archive is not what was written."""
