"""What an archiver offers to those who ask it: reading, and changing what it archives.

HTTP, the page and the command line know an archiver by these protocols; `Archive` on a folder
is a `Reader` without one running.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import pyarrow as pa

from linacre.archiver.history import MetadataHistory
from linacre.archiver.model import ChannelSpec, Drop, Kind, Metadata, NoticeKind

SAMPLE_FIELDS = ("time", "value", "severity", "status", "tag")
"""The columns of samples: int64 ns, the kind's type, int8, int16, int32."""
BIN_FIELDS = (
    *("start", "end", "count", "mean", "std", "min", "max", "first", "last"),
    *("sum", "sum_squares", "severity"),
)
"""The columns of bins: start and end are int64 ns (a bin is [start, end), as a roll-up's step is),
count int64 of samples that are numbers, severity the greatest as int8, all others float64 and null
in an empty bin."""


class ChannelState(StrEnum):
    """How it stands with a channel."""

    CONNECTED = "connected"
    SEARCHING = "searching"
    """Never connected since the archiver's start."""
    LOST = "lost"
    PAUSED = "paused"
    REFUSED = "refused"
    ENDED = "ended"
    """The archiver is past its end and only serves what it has."""


@dataclass(frozen=True, kw_only=True)
class ChannelStatus:
    """One archived PV, at present."""

    spec: ChannelSpec
    state: ChannelState
    since_ns: int
    """When it came into this state."""
    added_ns: int
    kind: Kind | None = None
    native: str = ""
    host: str = ""
    samples: int = 0
    """Stored since the archiver's start."""
    rate_hz: float = 0.0
    """Samples a second, over about a minute."""
    last_ns: int = 0
    """The time of the newest sample; 0: none."""
    first_connected_ns: int = 0
    connections: int = 0
    losses: int = 0
    drops: Mapping[Drop, int] = field(default_factory=dict[Drop, int])
    why: str = ""
    """Why it is refused, or why samples of it are."""


@dataclass(frozen=True)
class Event:
    """A connection made or lost, metadata that changed, samples dropped, a damaged block."""

    pv: str
    time_ns: int
    kind: NoticeKind | str
    detail: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Info:
    """The archiver as a whole."""

    name: str
    version: str
    started_ns: int
    ends_ns: int | None
    """When it stops taking samples."""
    owner: str
    read_only: bool
    pvs: int
    connected: int
    samples: int
    bytes: int
    """On disk."""
    disk_full: bool
    damaged: int
    """Blocks of what is kept that were found damaged."""
    loss_window_s: float
    """How old an accepted sample may be before it is safe on the disk."""
    misdated: int = 0
    """PVs with times ahead of the archiver's clock, now or in the last hour."""


class NoSuchPvError(KeyError):
    """The archive has no such PV."""


class Reader(Protocol):
    """Reads an archive. Every call may block; any thread may call.

    An unknown PV raises `NoSuchPvError`; a known one without samples gives empty tables.
    """

    def pvs(self, pattern: str = "*") -> list[str]:
        """Return the names that match a glob pattern, sorted."""
        ...

    def samples(self, pv: str, start_ns: int, end_ns: int) -> pa.Table:
        """Return one sample at or before the start, then all in (start, end]; `SAMPLE_FIELDS`.

        Where the PV's type changed in between, numbers come as float64, arrays of numbers as
        arrays of float64, else all as strings.
        The table's schema has metadata `linacre.kind`, and `linacre.damaged` where blocks lacked.
        """
        ...

    def stream(self, pv: str, start_ns: int, end_ns: int) -> Iterator[pa.RecordBatch]:
        """Give the same in pieces, for what is larger than memory.

        Where blocks lacked, the last batch's schema tells it: one without samples.
        """
        ...

    def bins(self, pv: str, start_ns: int, end_ns: int, n: int) -> pa.Table:
        """Return n bins of numbers: the outer edges as asked, inner ones on roll-ups' steps.

        Raises `UserError` for a PV of anything but numbers, or for no time or too many bins. What
        lacked is told as with samples.
        """
        ...

    def after(self, pv: str, time_ns: int, count: int = 1) -> pa.Table:
        """Return the next samples after a time; `SAMPLE_FIELDS`."""
        ...

    def metadata(self, pv: str, at_ns: int | None = None) -> Metadata:
        """Return what was known of a PV at a time; without one, at present."""
        ...

    def metadata_history(self, pv: str, start_ns: int, end_ns: int) -> MetadataHistory:
        """Return what was known of a PV at the start, and each change in (start, end]."""
        ...

    def events(self, pv: str | None, start_ns: int, end_ns: int) -> Sequence[Event]:
        """Return what happened to a PV, or to all, in (start, end], in order."""
        ...


class Control(Protocol):
    """Changes what a running archiver archives. Unknown PVs raise `NoSuchPvError`.

    All raise `ReadOnlyError` past the archiver's end. What they did survives a kill.
    """

    def add(self, specs: Sequence[ChannelSpec]) -> Mapping[str, bool]:
        """Archive PVs; False for those that were there already (their method is changed)."""
        ...

    def pause(self, pvs: Sequence[str]) -> list[str]:
        """Take no more samples of them, until `resume`; return those that were not paused."""
        ...

    def resume(self, pvs: Sequence[str]) -> list[str]:
        """Take samples of them again; return those that were paused."""
        ...

    def remove(self, pvs: Sequence[str], *, delete_data: bool = False) -> None:
        """Archive them no more; their data stay and can be read unless they are deleted."""
        ...

    def extend(self, ends_ns: int | None) -> None:
        """Move the archiver's end; None: it has none."""
        ...

    def status(self, pattern: str = "*") -> list[ChannelStatus]:
        """Return the channels whose names match a glob pattern, sorted."""
        ...

    def info(self) -> Info:
        """Return the archiver as a whole."""
        ...

    def follow(self, pvs: Sequence[str]) -> Follower:
        """Begin to give new samples of some PVs, for a live display."""
        ...


class Follower(Protocol):
    """New samples of some PVs, as they are stored."""

    def take(self, timeout_s: float) -> Mapping[str, pa.Table]:
        """Wait for samples, at most so long; `SAMPLE_FIELDS` by PV.

        A slow reader loses the oldest: the table's schema metadata then has `linacre.lost`.
        """
        ...

    def close(self) -> None:
        """End it."""
        ...
