"""The structures of capture.h, and what Python makes of them."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from linacre.archiver.model import BlobBatch, Drop, ScalarBatch

DROPS = (
    *(Drop.BEFORE_1991, Drop.PAST, Drop.FUTURE, Drop.NOT_INCREASING, Drop.BUFFER),
    Drop.AHEAD,
)
"""What `enum reason` of capture.h counts."""

POINTER, LONG = ctypes.c_void_p, ctypes.c_int64
METADATA_BYTES = 424
COLUMNS = (
    *(("series", np.int32), ("time", np.int64), ("value", np.int64)),
    *(("severity", np.int8), ("status", np.int16)),
)
BLOB_COLUMNS = (
    *(("blob_series", np.int32), ("blob_time", np.int64), ("blob_severity", np.int8)),
    *(("blob_status", np.int16), ("blob_count", np.int32), ("blob_offset", np.int64)),
)


class What(IntEnum):
    """What a notice of capture.h tells: its `enum what`."""

    CONNECTED = 1
    LOST = 2
    METADATA = 3
    FORBIDDEN = 4
    ALLOWED = 5
    FAILED = 6


class Side(ctypes.Structure):
    """`struct side`: where the columns are."""

    _fields_ = tuple((name, POINTER) for name, _ in (*COLUMNS, *BLOB_COLUMNS, ("data", None)))


class Limits(ctypes.Structure):
    """`struct limits`."""

    _fields_ = (
        *(("scalars", LONG), ("blobs", LONG), ("bytes", LONG), ("drift_ns", LONG)),
        *(("ahead_ns", LONG), ("steady_ns", LONG), ("steady_events", LONG)),
    )


class RawCounters(ctypes.Structure):
    """`struct counters`, in place: it goes on counting."""

    events: int
    stored: int
    drops: Sequence[int]
    """By `DROPS`."""
    last_ns: int
    ahead_ns: int
    """The time of the newest event that was dropped as ahead of the archiver's clock; 0: none."""
    _fields_ = (
        *(("events", LONG), ("stored", LONG)),
        *(("drops", LONG * len(DROPS)), ("last_ns", LONG), ("ahead_ns", LONG)),
    )


class NoticeStructure(ctypes.Structure):
    """`struct notice`."""

    _fields_ = (
        *(("time_ns", LONG), ("count", LONG), ("channel", ctypes.c_uint32)),
        *(("what", ctypes.c_int32), ("native", ctypes.c_int32), ("status", ctypes.c_int32)),
        ("host", ctypes.c_char * 64),
    )


class Dates(ctypes.Structure):
    """`struct dates`: when metadata came."""

    came_ns: int
    newest_ns: int
    sample_ns: int
    _fields_ = (("came_ns", LONG), ("newest_ns", LONG), ("sample_ns", LONG))


class RawTaken(ctypes.Structure):
    """`struct taken`."""

    side: int
    scalars: int
    blobs: int
    notices: int
    dropping: int
    waits: int
    bytes: int
    notice: int
    dropper: int
    _fields_ = (
        *(("side", ctypes.c_int32), ("scalars", ctypes.c_int32), ("blobs", ctypes.c_int32)),
        *(("notices", ctypes.c_int32), ("dropping", ctypes.c_int32), ("waits", ctypes.c_int32)),
        ("bytes", LONG),
        *(("notice", POINTER), ("dropper", POINTER)),
    )


@dataclass(frozen=True)
class RawNotice:
    """What happened to a channel, by number."""

    channel: int
    what: What
    time_ns: int
    native: int
    count: int
    status: int
    host: str


@dataclass(frozen=True)
class RawMetadata:
    """A DBR_CTRL structure without its value, and when it came."""

    raw: bytes
    came_ns: int
    """By the archiver's clock."""
    newest_ns: int
    """The time of the newest sample that was accepted before."""
    sample_ns: int
    """That of the sample with which it came; 0: with none that was accepted."""


@dataclass(frozen=True)
class Taken:
    """What one swap gave; the batches are valid until the next."""

    notices: Sequence[RawNotice]
    droppers: Sequence[int]
    """Channels that dropped something, by number."""
    scalars: ScalarBatch | None
    blobs: BlobBatch | None
    more: bool
    """Whether the next swap gives what found no room in this one."""
