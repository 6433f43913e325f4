"""Sizes in bytes, as people read them."""

from __future__ import annotations

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def readable(size: int) -> str:
    """Return a size in bytes in the units in which sizes are given: 20 GiB, 1.8 MiB, 512 B."""
    value, unit = float(size), 0
    while round(value) >= 1024 and unit < len(_UNITS) - 1:
        value /= 1024
        unit += 1
    short = f"{value:.1f}" if value < 9.95 and unit else f"{value:.0f}"
    return f"{short.removesuffix('.0')} {_UNITS[unit]}"
