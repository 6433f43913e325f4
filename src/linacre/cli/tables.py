"""Tables of text: aligned, and coloured where somebody looks."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TextIO

from linacre.base.orders import without_orders

_GAP = "  "
_SGR = {
    "bold": "1",
    "dim": "2",
    "bold red": "1;31",
    "green": "32",
    "yellow": "33",
    "cyan": "36",
}
"""What a terminal is sent for a style (ECMA-48, SGR)."""


class Styled(str):
    """Text in a style, which only a terminal shows."""

    __slots__ = ("style",)
    style: str

    def __new__(cls, text: str, style: str) -> Styled:
        """Return the text in this style, a key of the table above; an empty one is none."""
        made = super().__new__(cls, text)
        made.style = style
        return made


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, stream: TextIO | None = None
) -> None:
    """Print rows under column names; off a terminal nothing is cut to a width or coloured."""
    out = stream or sys.stdout
    # What a machine says may hold what moves a terminal's cursor, or worse.
    cells = [[_shown(cell) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(columns, *cells, strict=True)]
    is_seen = out.isatty()
    if is_seen and sum(widths) + len(_GAP) * (len(widths) - 1) > shutil.get_terminal_size().columns:
        return _print_folded(columns, cells, out)
    coloured = is_seen and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    heads = [Styled(column, "bold") for column in columns]
    for row in (heads, *cells):
        out.write("".join(f"{line}\n" for line in _lines(row, widths, coloured=coloured)))
    return None


def _lines(row: Sequence[str], widths: Sequence[int], *, coloured: bool) -> Iterator[str]:
    parts = [cell.split("\n") if "\n" in cell else [cell] for cell in row]
    for texts in zip_longest(*parts, fillvalue=""):
        padded = [
            _coloured(text, getattr(cell, "style", "") if coloured else "")
            + " " * (width - _width(text))
            for text, cell, width in zip(texts, row, widths, strict=True)
        ]
        yield _GAP.join(padded).rstrip()


def _coloured(text: str, style: str) -> str:
    return f"\x1b[{_SGR[style]}m{text}\x1b[0m" if style else text


def _shown(cell: str) -> str:
    if cell.isprintable():
        return cell
    text = without_orders(cell).replace("\t", " ")
    return Styled(text, cell.style) if isinstance(cell, Styled) else text


def _width(text: str) -> int:
    """Return how many columns of a terminal the longest line of a text takes."""
    if "\n" in text:
        return max(map(_width, text.split("\n")))
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )


def _print_folded(columns: Sequence[str], rows: Sequence[Sequence[str]], out: TextIO) -> None:
    """Print a table that is wider than the terminal, with its cells folded."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        # Text, not str: a name in brackets must not be taken for rich's markup.
        table.add_row(*(Text(str(cell), style=getattr(cell, "style", "")) for cell in row))
    Console(file=out).print(table)
