"""Since when metadata hold: by the clock of the PV's server, as its samples do."""

from __future__ import annotations

from linacre.archiver.model import NANOSECONDS

APART_NS = 60 * NANOSECONDS
"""How far a server's clock is usually behind the archiver's, at most."""


def holds_from(came_ns: int, *, newest_ns: int, sample_ns: int) -> int:
    """Return since when metadata hold that came at a time of the archiver's clock.

    Those that came with a sample hold from its time `sample_ns` on (0: they came alone, or the
    sample was not taken). What came alone has no time of its own: it is to hold for the next
    sample, whose server's clock may be behind, and not for the newest one before, `newest_ns`.
    """
    if sample_ns > newest_ns:
        return sample_ns
    return max(came_ns - APART_NS, newest_ns + 1)
