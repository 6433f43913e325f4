"""Batches from samples that come one by one."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence

import numpy as np

from linacre.archiver.channels._pva_shape import Buffer
from linacre.archiver.model import BlobBatch, Int8s, Int16s, Int32s, Int64s, ScalarBatch

_FLOAT64, _INT64 = struct.Struct("=d"), struct.Struct("=q")


class Batches:
    """Collects samples in the order in which they come."""

    def __init__(self) -> None:
        self._scalars = _Marks()
        self._bits = array("q")
        self._blobs = _Marks()
        self._counts: list[int] = []
        self._data: list[Buffer] = []

    def scalar(
        self, series: int, time_ns: int, value: float, alarm: tuple[int, int], tag: int
    ) -> None:
        """Add a number: a float, or an integer in the range of int64."""
        self._bits.append(
            _INT64.unpack(_FLOAT64.pack(value))[0] if isinstance(value, float) else value
        )
        self._scalars.add(series, time_ns, alarm, tag)

    def blob(
        self, series: int, time_ns: int, value: tuple[int, Buffer], alarm: tuple[int, int], tag: int
    ) -> None:
        """Add a value of any length."""
        count, data = value
        self._counts.append(count)
        self._data.append(data)
        self._blobs.add(series, time_ns, alarm, tag)

    def scalars(self) -> Sequence[ScalarBatch]:
        """Return the numbers, as one batch or none."""
        marks = self._scalars
        if not len(marks.time):
            return []
        value = _numpy(self._bits)
        return [ScalarBatch(*marks.before(), value, *marks.after())]

    def blobs(self) -> Sequence[BlobBatch]:
        """Return the other values, as one batch or none."""
        marks = self._blobs
        if not len(marks.time):
            return []
        offset = np.zeros(len(self._data) + 1, np.int64)
        np.cumsum([len(data) for data in self._data], out=offset[1:])
        count = np.array(self._counts, np.int32)
        data = memoryview(b"".join(self._data))
        return [BlobBatch(*marks.before(), *marks.after(), count, offset, data)]


class _Marks:
    """What samples of both sorts have beside their value."""

    def __init__(self) -> None:
        self.series = array("q")
        self.time = array("q")
        self.severity = array("q")
        self.status = array("q")
        self.tag = array("q")

    def add(self, series: int, time_ns: int, alarm: tuple[int, int], tag: int) -> None:
        self.series.append(series)
        self.time.append(time_ns)
        self.severity.append(alarm[0])
        self.status.append(alarm[1])
        self.tag.append(tag)

    def before(self) -> tuple[Int32s, Int64s]:
        return _numpy(self.series).astype(np.int32), _numpy(self.time)

    def after(self) -> tuple[Int8s, Int16s, Int32s]:
        # A server may send what no alarm is: it wraps round and stops nobody.
        return (
            _numpy(self.severity).astype(np.int8),
            _numpy(self.status).astype(np.int16),
            _numpy(self.tag).astype(np.int32),
        )


def _numpy(numbers: array[int]) -> Int64s:
    return np.frombuffer(numbers, np.int64)
