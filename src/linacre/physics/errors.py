"""Errors of values that have no answer."""

from __future__ import annotations

from linacre.base.errors import LinacreError


class OutOfRangeError(LinacreError):
    """A formula or a curve cannot take a value; the line says which, the value and the range."""


class NoCurveError(LinacreError):
    """The excitation curve of a magnet is not known."""
