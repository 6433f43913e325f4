"""Notices of metadata, and since when they hold: by the server's clock, as its samples do."""

from __future__ import annotations

from dataclasses import asdict

from linacre.archiver.model import DRIFT_NS, Metadata, Notice, NoticeKind, Series


def holds_from(came_ns: int, *, newest_ns: int, sample_ns: int) -> int:
    """Return since when metadata hold that came at a time of the archiver's clock.

    Those that came with a sample hold from its time `sample_ns` on (0: they came alone, or the
    sample was not taken). What came alone has no time of its own: it is to hold for the next
    sample, whose server's clock may be behind by `DRIFT_NS`, and not for the newest one before,
    `newest_ns`.
    """
    if sample_ns > newest_ns:
        return sample_ns
    return max(came_ns - DRIFT_NS, newest_ns + 1)


def described(
    pv: str, series: Series | None, metadata: Metadata, came_ns: int, from_ns: int
) -> Notice:
    """Return what tells of metadata that came at a time, and since when they hold."""
    kind, detail = NoticeKind.METADATA, asdict(metadata)
    return Notice(kind, pv, came_ns, series, detail, from_ns=from_ns)
