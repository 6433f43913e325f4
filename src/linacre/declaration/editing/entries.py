"""The text of one IOC's entry in a facility file, by itself."""

from __future__ import annotations

from collections.abc import Iterator

from linacre.declaration.yaml_nodes import Kind, Piece, pieces
from linacre.declaration.yaml_text import like, line_end, spliced


def without_anchors(entry: str) -> str:
    """Return an entry without its anchors, which stand for another one's values already."""
    changes: list[tuple[int, int, str]] = []
    root = pieces(entry)
    for each in root.walk() if root is not None else ():
        mark = f"&{each.anchor}"
        if each.anchor is not None and entry.startswith(mark, each.start):
            end = each.start + len(mark)
            space = entry[end : end + 1] == " "
            changes.append((each.start if space else each.start - 1, end + space, ""))
    return spliced(entry, changes)


def key_of(item: tuple[Piece | None, Piece]) -> Piece:
    """Return the key of a mapping's entry."""
    assert item[0] is not None
    return item[0]


def line_starts(text: str, at: int) -> Iterator[int]:
    """Yield where the lines behind a place begin."""
    while (at := line_end(text, at)) < len(text):
        yield at


def named(entry: str, name: str) -> str:
    """Return an entry under another name, with line feeds only."""
    entry = entry.replace("\r\n", "\n").rstrip() + "\n"
    root = pieces(entry)
    if root is None or root.kind is not Kind.MAPPING or root.flow or len(root.items) != 1:
        raise ValueError(f"no entry of one IOC: {entry!r}")
    key = key_of(root.items[0])
    return entry[: key.start] + like(name, key.style) + entry[key.end :]
