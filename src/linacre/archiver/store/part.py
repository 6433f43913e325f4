"""A part of the store that can be read: the journal's samples in waiting, or segments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from linacre.archiver.model import Int8s, Int16s, Int32s, Int64s, Kind


@dataclass(frozen=True, eq=False)
class Columns:
    """Samples of one PV and one kind, in the order of time; n rows."""

    kind: Kind
    time: Int64s
    value: pa.Array[Any]
    """Of the kind's Arrow type, `arrow_type(kind)`."""
    severity: Int8s
    status: Int16s
    tag: Int32s

    def __len__(self) -> int:
        return len(self.time)


_TYPES: dict[Kind, pa.DataType] = {
    Kind.FLOAT64: pa.float64(),
    Kind.FLOAT32: pa.float32(),
    Kind.INT64: pa.int64(),
    Kind.UINT64: pa.uint64(),
    Kind.INT32: pa.int32(),
    Kind.ENUM: pa.int32(),
    Kind.STRING: pa.string(),
    Kind.FLOAT64_ARRAY: pa.large_list(pa.float64()),
    Kind.FLOAT32_ARRAY: pa.large_list(pa.float32()),
    Kind.INT64_ARRAY: pa.large_list(pa.int64()),
    Kind.UINT64_ARRAY: pa.large_list(pa.uint64()),
    Kind.INT32_ARRAY: pa.large_list(pa.int32()),
    Kind.INT16_ARRAY: pa.large_list(pa.int16()),
    Kind.BYTES: pa.large_binary(),
    Kind.STRING_ARRAY: pa.large_list(pa.string()),
    Kind.STRUCT: pa.string(),
}


def arrow_type(kind: Kind) -> pa.DataType:
    """Return the Arrow type of a kind's values."""
    return _TYPES[kind]


class Part(Protocol):
    """Some of the samples; those of one PV do not overlap in time between two parts.

    Any thread may read, while another replaces the part by a newer one.
    """

    def span(self, pv: str) -> tuple[int, int] | None:
        """Return the times of a PV's first and last sample here; None where it has none."""
        ...

    def pvs(self) -> frozenset[str]:
        """Return the PVs that have samples here."""
        ...

    def read(self, pv: str, start_ns: int, end_ns: int) -> Iterator[Columns]:
        """Give the samples in (start, end], oldest first, in pieces of about 64 Ki rows."""
        ...

    def last(self, pv: str, time_ns: int) -> Columns | None:
        """Return the newest sample at or before a time, as one row."""
        ...

    def lacks(self, pv: str, start_ns: int, end_ns: int) -> int:
        """Return how many damaged blocks lack that may have had samples of a PV in (start, end].

        What nobody read yet is not known to be damaged: ask when all of that time was read.
        """
        ...

    def first(self, pv: str, time_ns: int, count: int = 1) -> Iterator[Columns]:
        """Give the first `count` samples after a time."""
        ...
