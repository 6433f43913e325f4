"""One table of many PVs: rows at common times, each column a PV.

A table is made in windows of time, each of which is read whole: the archive's boundary rule gives
the sample that was current at a window's start, so that no window needs the one before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pyarrow as pa

from linacre.archiver.errors import WrongTimeError
from linacre.archiver.model import NANOSECONDS, Int64s
from linacre.archiver.reading.align import Align, chosen, interpolated
from linacre.archiver.reading.columns import Column, Piece, column_of
from linacre.archiver.reading.tags import pulses
from linacre.archiver.reading.windows import Budget, windows
from linacre.archiver.service import Reader
from linacre.base.errors import UserError

TAG = "tag"
"""As `pulse`: pulses are joined by the samples' tags."""
TAG_TOLERANCE_NS = NANOSECONDS // 2
WINDOW_BYTES = 64 << 20
_MOST_ROWS = 64 * 1024

# The stubs are stricter than what they describe.
_ARROW: Any = pa


@dataclass(frozen=True, kw_only=True)
class TableSpec:
    """What is to be in a table. Rows are in [start, end], in the order of time.

    The rows' times are one of these: the grid `start + k * period`; the times of the samples of
    `on`, or of the PV `pulse`; the pulses found by tags; else those of all samples of all PVs,
    each once.
    """

    pvs: tuple[str, ...]
    start_ns: int
    end_ns: int
    align: Align = Align.PREVIOUS
    period_ns: int | None = None
    on: str | None = None
    pulse: str | None = None
    """A PV whose value is the pulse's number, or `TAG`."""
    tolerance_ns: int | None = None
    labels: bool = False
    """Enums as the labels that held at each sample's time, not as numbers."""
    window_bytes: int = WINDOW_BYTES
    """About how much is read, and given, at a time."""

    def __post_init__(self) -> None:
        if self.start_ns > self.end_ns:
            raise WrongTimeError("the table's end is before its start")
        if not self.pvs:
            raise UserError("no PV is named for the table")
        asked = [name for name in ("period_ns", "on", "pulse") if getattr(self, name) is not None]
        if len(asked) > 1:
            raise UserError("a table's rows are of one kind: give one of period, on and pulse")

    @property
    def row_pv(self) -> str | None:
        """The PV whose samples give the rows' times."""
        if self.on is not None:
            return self.on
        return None if self.pulse == TAG else self.pulse

    @property
    def margin_ns(self) -> int:
        """How far beyond a window samples belong to its rows."""
        if self.pulse != TAG:
            return 0
        return TAG_TOLERANCE_NS if self.tolerance_ns is None else self.tolerance_ns


@dataclass(frozen=True, eq=False)
class _Rows:
    time: Int64s
    pulse: Int64s | None = None
    index: Sequence[Int64s] | None = None
    """For each PV, where the join has found its samples already."""

    def slices(self, most: int) -> Iterator[_Rows]:
        for k in range(0, len(self.time), most):
            part = slice(k, k + most)
            yield _Rows(
                self.time[part],
                None if self.pulse is None else self.pulse[part],
                None if self.index is None else [index[part] for index in self.index],
            )


class TableStream:
    """The batches of a table; iterated once."""

    def __init__(self, reader: Reader, spec: TableSpec) -> None:
        self._reader = reader
        self._spec = spec
        self.damaged: dict[str, int] = {}
        """By PV at least how many damaged blocks lack; whole when all batches were given."""
        margin = spec.margin_ns
        self.columns: Sequence[Column] = [
            column_of(
                reader,
                pv,
                spec.start_ns - margin,
                spec.end_ns + margin,
                linear=spec.align is Align.LINEAR and spec.pulse != TAG,
                labels=spec.labels,
            )
            for pv in spec.pvs
        ]
        extra = spec.row_pv
        self._row_column: Column | None = None
        if extra is not None:
            self._row_column = column_of(reader, extra, spec.start_ns, spec.end_ns)
            if spec.pulse is not None:
                _check_counts(self._row_column)
        fields = [pa.field("time", pa.int64())]
        if spec.pulse is not None:
            fields.append(pa.field("pulse", pa.int64()))
        fields.extend(column.field for column in self.columns)
        self.schema: pa.Schema = pa.schema(fields)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        spec = self._spec
        for window in windows(spec.start_ns, spec.end_ns + 1, spec.window_bytes, self._read):
            for rows in self._rows(window.start_ns, window.end_ns, window.found):
                for part in rows.slices(self._most_rows(window.found)):
                    yield self._batch(part, window.found)

    def _read(self, start_ns: int, end_ns: int, budget: Budget) -> Mapping[str, Piece]:
        """Read what the rows in [start, end) need."""
        spec = self._spec
        columns = {column.pv: column for column in self.columns}
        if (rows := self._row_column) is not None:
            columns.setdefault(rows.pv, rows)
        # The boundary rule's first sample may be at the start itself: then it is all there is.
        from_ns, to_ns = start_ns - spec.margin_ns, end_ns - 1 + spec.margin_ns
        found: dict[str, Piece] = {}
        for k, (pv, column) in enumerate(columns.items()):
            budget.at(k / len(columns), 1 / len(columns))
            found[pv] = column.read(self._reader, from_ns, to_ns, budget)
            if spec.align is not Align.PREVIOUS and spec.pulse != TAG:
                found[pv] = column.extended(self._reader, found[pv], to_ns)
            if damaged := found[pv].damaged:
                self.damaged[pv] = max(damaged, self.damaged.get(pv, 0))
        return found

    def _most_rows(self, found: Mapping[str, Piece]) -> int:
        width = 16 + sum(found[pv].width + 8 for pv in self._spec.pvs)
        return int(max(1, min(_MOST_ROWS, self._spec.window_bytes // 4 // width)))

    def _rows(self, start_ns: int, end_ns: int, found: Mapping[str, Piece]) -> Iterator[_Rows]:
        """Give the rows in [start, end)."""
        spec = self._spec
        if spec.period_ns is not None:
            yield from _grid(spec.start_ns, spec.period_ns, start_ns, end_ns)
        elif spec.row_pv is not None:
            piece = found[spec.row_pv]
            if spec.pulse is not None:
                yield _pulse_rows(piece, start_ns, end_ns)
            else:
                yield _Rows(_inside(piece.time, start_ns, end_ns))
        elif spec.pulse == TAG:
            pieces = [found[pv] for pv in spec.pvs]
            samples = [(piece.time, piece.tag) for piece in pieces]
            made = pulses(samples, start_ns, end_ns, spec.margin_ns)
            yield _Rows(made.time, made.pulse, made.index)
        else:
            times = [_inside(found[pv].time, start_ns, end_ns) for pv in spec.pvs]
            yield _Rows(np.unique(np.concatenate(times)))

    def _batch(self, rows: _Rows, found: Mapping[str, Piece]) -> pa.RecordBatch:
        spec = self._spec
        arrays: list[pa.Array[Any]] = [pa.array(rows.time)]
        if rows.pulse is not None:
            arrays.append(pa.array(rows.pulse))
        for k, column in enumerate(self.columns):
            piece = found[column.pv]
            if column.linear:
                times, tolerance = piece.time, spec.tolerance_ns
                values, valid = interpolated(times, piece.numbers(), rows.time, tolerance)
                arrays.append(pa.array(values, mask=~valid))
                continue
            if rows.index is not None:
                index = rows.index[k]
            else:
                align = Align.NEAREST if spec.align is Align.NEAREST else Align.PREVIOUS
                index = chosen(piece.time, rows.time, align, spec.tolerance_ns)
            arrays.append(column.take(piece, index))
        return cast("pa.RecordBatch", _ARROW.RecordBatch.from_arrays(arrays, schema=self.schema))


def _check_counts(column: Column) -> None:
    if not column.is_number:
        raise UserError(f"{column.pv} is no number: it cannot be the pulse's")


def _inside(times: Int64s, start_ns: int, end_ns: int) -> Int64s:
    """Return the times in [start, end)."""
    first, last = np.searchsorted(times, [start_ns, end_ns])
    return times[first:last]


def _grid(origin_ns: int, period_ns: int, start_ns: int, end_ns: int) -> Iterator[_Rows]:
    """Give the times of a grid in [start, end); in pieces, since there may be any number."""
    first = -((origin_ns - start_ns) // period_ns)
    last = -((origin_ns - end_ns) // period_ns)
    for k in range(first, last, _MOST_ROWS):
        index = np.arange(k, min(k + _MOST_ROWS, last), dtype=np.int64)
        yield _Rows(origin_ns + index * period_ns)


def _pulse_rows(piece: Piece, start_ns: int, end_ns: int) -> _Rows:
    """Return a row for each sample in [start, end) with another number than the one before."""
    number = piece.numbers()
    whole = np.isfinite(number) & (np.abs(number) < 2.0**63)
    time = piece.time[whole]
    pulse = piece.integers(whole)
    new = np.ones(len(time), dtype=np.bool_)
    new[1:] = pulse[1:] != pulse[:-1]
    new &= (time >= start_ns) & (time < end_ns)
    return _Rows(time[new], pulse[new])
