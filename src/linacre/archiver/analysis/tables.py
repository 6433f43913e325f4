"""What is asked of a table, as people write it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict, Unpack

from linacre.archiver.reading.align import Align
from linacre.archiver.reading.table import WINDOW_BYTES, TableSpec
from linacre.archiver.times import Length, length_ns
from linacre.base.errors import UserError

AlignName = Literal["previous", "nearest", "linear"]


class TableOptions(TypedDict, total=False):
    """How a table is made: see `Archive.table`."""

    align: AlignName
    period: Length | None
    on: str | None
    pulse: str | None
    tolerance: Length | None
    labels: bool


def table_spec(
    pvs: Sequence[str],
    start_ns: int,
    end_ns: int,
    *,
    window_bytes: int = WINDOW_BYTES,
    **options: Unpack[TableOptions],
) -> TableSpec:
    """Return what a table is to have; raises `UserError` for what cannot be."""
    align = options.get("align", "previous")
    period, tolerance = options.get("period"), options.get("tolerance")
    if align not in list(Align):
        raise UserError(f"align={align!r}: write one of {', '.join(Align)}")
    return TableSpec(
        pvs=tuple(pvs),
        start_ns=start_ns,
        end_ns=end_ns,
        align=Align(align),
        period_ns=None if period is None else length_ns(period),
        on=options.get("on"),
        pulse=options.get("pulse"),
        tolerance_ns=None if tolerance is None else length_ns(tolerance),
        labels=options.get("labels", False),
        window_bytes=window_bytes,
    )
