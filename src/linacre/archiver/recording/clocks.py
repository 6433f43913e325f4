"""What is told of PVs whose server's clock is ahead: it costs samples, and looks like silence."""

from __future__ import annotations

from datetime import UTC, datetime

from linacre.archiver.model import AHEAD_NS, NANOSECONDS

TOLD_NS = 3600 * NANOSECONDS
"""For how long after a sample was refused as ahead that is told of its PV."""


def why_misdated(*, newest_ns: int, refused_ns: int, told_ns: int, now_ns: int) -> str:
    """Say what is wrong with a PV's times; empty where nothing is.

    `newest_ns` is its newest sample's time, `refused_ns` that of the newest sample that was refused
    as ahead (0: none), of which was told at `told_ns`; all by the archiver's clock, `now_ns`.
    """
    if newest_ns > now_ns + AHEAD_NS:
        return (
            f"its clock is ahead: its newest sample is of {_text(newest_ns)}, and earlier ones are "
            "refused until then"
        )
    if refused_ns and 0 <= now_ns - told_ns < TOLD_NS:
        return (
            f"samples ahead of the archiver's clock were refused, the last of {_text(refused_ns)}"
        )
    return ""


def _text(time_ns: int) -> str:
    try:
        return f"{datetime.fromtimestamp(time_ns // NANOSECONDS, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError):
        return f"{time_ns} ns"
