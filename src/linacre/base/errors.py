"""The one tree of errors: raised where the cause is known, shown once at the edge."""

from __future__ import annotations


class LinacreError(Exception):
    """Something failed in the world; shown as one line, exit status 1."""

    exit_status = 1


class UserError(LinacreError):
    """Something typed or written wrong: what, where, and what to write instead; exit status 2."""

    exit_status = 2


class UnsupportedError(UserError):
    """An engine was asked for what it cannot do.

    The line names the engine and what would serve instead.
    """

    def __init__(self, *, engine: str, what: str, instead: str) -> None:
        self.engine = engine
        self.what = what
        self.instead = instead
        super().__init__(f"the {engine} engine cannot do this: {what}; {instead}")


class EngineError(LinacreError):
    """An engine, or the daemon behind it, refused or failed an operation."""


class BusyError(LinacreError):
    """Another changing command holds the facility; the line names it."""
