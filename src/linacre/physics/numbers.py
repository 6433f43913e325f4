"""Numbers and arrays alike: what the formulas here take and give."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Numbers = float | FloatArray

Real = TypeVar("Real", float, FloatArray, Numbers)
"""A number, or an array of them; what is returned is of the same kind and shape."""


def polynomial(coefficients: tuple[float, ...], at: Real) -> Real:
    """Return a polynomial, the coefficient of its highest power first."""
    # Horner's scheme by hand: for one number, numpy's takes twenty times as long.
    found: Real = cast("Real", 0.0)
    for coefficient in coefficients:
        found = found * at + coefficient
    return found


def as_array(values: Numbers) -> FloatArray:
    """Return a number as an array without dimensions, an array as it is."""
    return np.asarray(values, dtype=np.float64)


def as_given(values: FloatArray, given: Real) -> Real:
    """Return an answer of the kind that was given: an array, or a plain number."""
    return cast("Real", values.item() if values.ndim == 0 else values)


def first(values: Numbers, where: Any) -> float | None:
    """Return the first of some values for which a condition holds; None where it never does."""
    if not isinstance(where, np.ndarray):
        return cast("float", values) if where else None
    which = cast("NDArray[np.bool_]", where)
    return float(np.broadcast_to(values, which.shape)[which][0]) if which.any() else None
