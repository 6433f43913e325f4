"""What goes wrong in an archiver, beside what goes wrong anywhere."""

from __future__ import annotations

from linacre.base.errors import LinacreError, UserError


class ReadOnlyError(LinacreError):
    """The archiver is past its end: it serves what it has and takes nothing more."""


class DamagedError(LinacreError):
    """A file of the archive is not what was written."""


class LackingError(LinacreError):
    """An answer lacks samples, since some of the archive's files are damaged."""


class LackingWarning(UserWarning):
    """The same, where it is to be no error."""


class UnknownPvError(UserError):
    """The archive has no such PV; the line names those that are written much like it."""


class WrongTimeError(UserError):
    """What was given as a time, or as a length of time, is none."""


class UnreachableError(LinacreError):
    """No archiver answers at an address, or its answer broke off."""
