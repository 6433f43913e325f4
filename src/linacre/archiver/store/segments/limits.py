"""How large the pieces are in which segments are written, read and merged."""

from __future__ import annotations

from dataclasses import dataclass

UNIT_BYTES = 128
"""A row of arrays or text counts as so many rows of numbers as it has times this."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Sizes in rows of numbers; tests make them small."""

    group_rows: int = 65_536
    """The largest row group; of arrays and text about 8 MB."""
    own_rows: int = 16_384
    """A PV with so many starts a row group of its own; below, PVs share one."""
    groups: int = 64
    """Row groups in a file: a reader parses its whole footer, about 0.3 ms, for one of them."""
    piece_rows: int = 524_288
    """What is sorted or merged at once, about 100 bytes of memory a row."""
    rollup_rows: int = 65_536
    """A PV with fewer in a segment has no roll-ups: its one row group is read as quickly."""
    rollup_share: int = 20
    """A roll-up has at most this part of the rows of the next finer ones, or is left out.

    A step takes about 45 bytes, a sample 3 to 9: with a share of 4, roll-ups would take more room
    than samples.
    """
    rollup_row_units: int = 8
    """A row of roll-ups counts as so many: their row groups have 8,192 rows, quick to decode."""
    inputs: int = 64
    """Segments that are merged at once."""
    segment_rows: int = 500_000_000
    """What is larger is not merged further."""
    segment_bytes: int = 64 << 30
    """The same on disk: a merge takes as much room once more while it runs."""
