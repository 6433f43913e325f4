"""The archiver's words: kinds of values, series, batches of samples, notices, channels.

Times are int64 nanoseconds since 1970 (UTC) everywhere, and no array is of an unsigned type, so
that every reader of Parquet takes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
Int16s = npt.NDArray[np.int16]
Int8s = npt.NDArray[np.int8]
Float64s = npt.NDArray[np.float64]

NANOSECONDS = 1_000_000_000
OLDEST_NS = 662_688_000 * NANOSECONDS
"""1991-01-01: a time before it is no time of a sample."""
DRAIN_S = 0.05
"""How long a source may take to read what came. What is left waits for the next call: ten thousand
PVs that connect at once must not keep the samples of others from the disk."""
DRIFT_NS = 30 * 60 * NANOSECONDS
"""How far the time of a sample may be from the archiver's clock."""
AHEAD_NS = 10 * NANOSECONDS
"""How far it may be ahead without being doubted: one that is wrong once would keep out all right
ones until it is past."""
STEADY_NS = 60 * NANOSECONDS
STEADY_EVENTS = 10
"""After so long, and so many events in a row, a clock is ahead indeed, and is taken as it is."""


class Kind(StrEnum):
    """What the values of a series are; each kind has Parquet files of its own."""

    FLOAT64 = "float64"
    FLOAT32 = "float32"
    INT64 = "int64"
    """pvAccess's long, and its unsigned int."""
    UINT64 = "uint64"
    """pvAccess's unsigned long."""
    INT32 = "int32"
    """Channel Access's long, short and char; pvAccess's integers up to 32 bits, and boolean."""
    ENUM = "enum"
    """The index of the label, as int32; the labels are metadata."""
    STRING = "string"
    FLOAT64_ARRAY = "float64-array"
    FLOAT32_ARRAY = "float32-array"
    INT64_ARRAY = "int64-array"
    UINT64_ARRAY = "uint64-array"
    INT32_ARRAY = "int32-array"
    INT16_ARRAY = "int16-array"
    BYTES = "bytes"
    """Arrays of char and unsigned byte: binary."""
    STRING_ARRAY = "string-array"
    STRUCT = "struct"
    """Any other pvAccess structure (NTTable too): JSON text of its fields."""

    @property
    def is_scalar(self) -> bool:
        """Whether a value is a number of at most 8 bytes, kept in `ScalarBatch`."""
        return self in _SCALARS

    @property
    def item(self) -> np.dtype[Any] | None:
        """The type of a value, or of an array's elements; None where it is text or bytes."""
        return _ITEMS.get(self)


_SCALARS = frozenset({Kind.FLOAT64, Kind.FLOAT32, Kind.INT64, Kind.UINT64, Kind.INT32, Kind.ENUM})
_ITEMS: dict[Kind, np.dtype[Any]] = {
    Kind.FLOAT64: np.dtype(np.float64),
    Kind.FLOAT32: np.dtype(np.float32),
    Kind.INT64: np.dtype(np.int64),
    Kind.UINT64: np.dtype(np.uint64),
    Kind.INT32: np.dtype(np.int32),
    Kind.ENUM: np.dtype(np.int32),
    Kind.FLOAT64_ARRAY: np.dtype(np.float64),
    Kind.FLOAT32_ARRAY: np.dtype(np.float32),
    Kind.INT64_ARRAY: np.dtype(np.int64),
    Kind.UINT64_ARRAY: np.dtype(np.uint64),
    Kind.INT32_ARRAY: np.dtype(np.int32),
    Kind.INT16_ARRAY: np.dtype(np.int16),
}


@dataclass(frozen=True)
class Series:
    """The samples of one PV while its type stays the same: what the numbers in a batch mean."""

    id: int
    """From 1; never used for another PV or kind in one archive."""
    pv: str
    kind: Kind
    native: str
    """The type as its server names it: `DBR_DOUBLE`, `epics:nt/NTScalar:1.0 double`."""


@dataclass(frozen=True, eq=False)
class ScalarBatch:
    """Samples with values of at most 8 bytes, of any series; all arrays have one length n.

    For one series they are in the order of time, strictly increasing.
    """

    series: Int32s
    time: Int64s
    value: Int64s
    """The bits of a float64 (kinds FLOAT64 and FLOAT32) or an int64 (all others)."""
    severity: Int8s
    status: Int16s
    tag: Int32s
    """pvAccess's userTag, often the number of the pulse; 0 from Channel Access."""

    def __len__(self) -> int:
        return len(self.series)


@dataclass(frozen=True, eq=False)
class BlobBatch:
    """Samples with values of any length: text, arrays, structures; n samples."""

    series: Int32s
    time: Int64s
    severity: Int8s
    status: Int16s
    tag: Int32s
    count: Int32s
    """Elements of each value: of an array, or bytes of a text."""
    offset: Int64s
    """n + 1 places in `data`, the first 0: value k is `data[offset[k]:offset[k + 1]]`.

    Arrays of numbers are their items' bytes, little endian. STRING and STRUCT are UTF-8. A
    STRING_ARRAY is for each element its length as int32 and its UTF-8. BYTES are themselves.
    """
    data: memoryview

    def __len__(self) -> int:
        return len(self.series)


class NoticeKind(StrEnum):
    """What happened to a channel."""

    CONNECTED = "connected"
    """The series that follows; `detail`: host, native, count, and whether the type changed."""
    LOST = "lost"
    METADATA = "metadata"
    """`detail` is what `Metadata` has."""
    DROPPED = "dropped"
    """Samples that were refused since the last such notice; `detail`: reason -> count.

    Where some were ahead of the archiver's clock, `stamp_ns` too: the newest one's time."""
    REFUSED = "refused"
    """The channel cannot be archived as it is; `detail`: why."""


class Drop(StrEnum):
    """Why a sample was refused."""

    BEFORE_1991 = "before_1991"
    PAST = "past"
    """More than 30 minutes behind the archiver's clock; not asked of a connection's first sample,
    which is the present value, however long ago it was set."""
    FUTURE = "future"
    """More than 30 minutes ahead of the archiver's clock."""
    AHEAD = "ahead"
    """Ahead by less, and doubted: see `AHEAD_NS`."""
    NOT_INCREASING = "not_increasing"
    BUFFER = "buffer"
    """No room: this PV, or all together, came faster than they could be taken."""
    DISK = "disk"
    """The store could not write for longer than its buffer holds."""


@dataclass(frozen=True)
class Notice:
    """Something that happened to a channel at a time of the archiver's clock."""

    kind: NoticeKind
    pv: str
    time_ns: int
    series: Series | None = None
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])
    from_ns: int | None = None
    """METADATA: since when they hold, by the clock of the PV's server; None: since `time_ns`."""


class Provider(StrEnum):
    """The protocol by which a PV is reached."""

    CA = "ca"
    PVA = "pva"


class Method(StrEnum):
    """How samples are taken."""

    MONITOR = "monitor"
    """Each change that the server sends."""
    SCAN = "scan"
    """The newest value once a period."""


@dataclass(frozen=True, kw_only=True)
class ChannelSpec:
    """What is to be archived of one PV."""

    pv: str
    provider: Provider = Provider.CA
    method: Method = Method.MONITOR
    period_s: float = 1.0
    """The period of SCAN; at least 0.1 s. With MONITOR only what the Appliance's clients see."""
    fields: tuple[str, ...] = ()
    """Fields of a pvAccess structure to keep, such as `value.x`; none: all of it."""
    after_ns: int = 0
    """The time of the newest sample that is stored: only later ones are taken."""


@dataclass(frozen=True)
class Drained:
    """What came since the last call, in an order in which it can be journalled."""

    notices: Sequence[Notice]
    """Before the batches: a series is told before its samples."""
    scalars: Sequence[ScalarBatch]
    blobs: Sequence[BlobBatch]
    more: bool = False
    """Something else waits already: call again soon."""


class Source(Protocol):
    """Takes samples of many channels. One thread calls all of its methods.

    The arrays that `drain` returns are valid until the next call of `drain`.
    """

    def add(self, spec: ChannelSpec) -> None:
        """Begin to take samples of a PV; nothing fails here, notices tell."""
        ...

    def remove(self, pv: str) -> None:
        """End it; samples that are in the buffer already still come."""
        ...

    def drain(self) -> Drained:
        """Take what came, for `DRAIN_S` at most; never waits for a network."""
        ...

    def close(self) -> Sequence[Notice]:
        """Give up all channels; return what was dropped and is not told yet."""
        ...


class SeriesIds(Protocol):
    """Gives series their numbers: the same for the same PV, kind and native type."""

    def series(self, pv: str, kind: Kind, native: str) -> Series:
        """Return the series, numbered now if it is new; any thread may call."""
        ...


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What a server says of a PV beside its values; None and empty where it says nothing."""

    units: str = ""
    precision: int | None = None
    display: tuple[float, float] | None = None
    """LOPR and HOPR."""
    control: tuple[float, float] | None = None
    """DRVL and DRVH."""
    warning: tuple[float, float] | None = None
    """LOW and HIGH."""
    alarm: tuple[float, float] | None = None
    """LOLO and HIHI."""
    labels: tuple[str, ...] = ()
    """Of an enum, by index."""
    description: str = ""
