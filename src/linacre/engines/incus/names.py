"""How a facility's things are called inside Incus."""

from __future__ import annotations

LABEL = "user.linacre."
PERSIST = "persist"


def project(facility: str) -> str:
    """Return the project (and the storage pool) of a facility."""
    return f"linacre-{facility}"


def volume(machine: str) -> str:
    """Return the volume that is a machine's persistent folder."""
    return f"{machine}-{PERSIST}"
