"""Lists in the text of a facility file: items put in and taken out, all else left as it stands."""

from __future__ import annotations

from collections.abc import Sequence

from linacre.declaration.yaml_nodes import Kind, Piece
from linacre.declaration.yaml_text import like, line_end, line_start, spliced


def with_items(text: str, found: Piece, values: Sequence[str]) -> str | None:
    """Return the text with items behind the last one of a list; None where that is no list."""
    if found.kind is not Kind.LIST:
        return None
    written = [like(value, None) for value in values]
    if not found.items:
        return spliced(text, [(found.start, found.end, flow_list(values))])
    last = found.items[-1][1]
    if found.flow:
        new = "".join(f", {each}" for each in written)
        return spliced(text, [(last.end, last.end, new)])
    before = _dash(text, last)
    if before is None:
        return None
    at = line_end(text, last.end - 1)
    end = "\r\n" if "\r\n" in text else "\n"
    lines = [f"{before}{each}" for each in written]
    whole = text[:at].endswith("\n")
    new = end.join([*lines, ""]) if whole else end.join(["", *lines])
    return spliced(text, [(at, at, new)])


def without_items(text: str, found: Piece, values: Sequence[str]) -> str | None:
    """Return the text without some items of a list; None where it is none, or would be empty."""
    items = [each for _, each in found.items]
    gone = [n for n, each in enumerate(items) if each.value in values]
    if found.kind is not Kind.LIST or len(gone) == len(items):
        return None
    if found.flow:
        kept = [text[each.start : each.end] for n, each in enumerate(items) if n not in gone]
        return spliced(text, [(found.start, found.end, f"[{', '.join(kept)}]")])
    changes: list[tuple[int, int, str]] = []
    for number in gone:
        each = items[number]
        if _dash(text, each) is None:
            return None
        changes.append((line_start(text, each.start), line_end(text, each.end - 1), ""))
    return spliced(text, changes)


def flow_list(values: Sequence[str]) -> str:
    """Return a list as it is written on one line."""
    return f"[{', '.join(like(value, None) for value in values)}]"


def _dash(text: str, item: Piece) -> str | None:
    """Return what stands before an item on its line, if that is its dash alone."""
    before = text[line_start(text, item.start) : item.start]
    return before if before.strip() == "-" else None
