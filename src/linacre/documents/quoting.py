"""How a value from a file that people write is shown in a message."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

_LONGEST = 60


def quoted(value: object) -> str:
    """Return a value as one short piece of text: `'st cmd'`, `10`, `a list`, `nothing`."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        shown = value if len(value) <= _LONGEST else value[: _LONGEST - 3] + "..."
        return repr(shown) if not _is_plain(shown) else shown
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Sequence):
        return "a list"
    return str(value)


def as_written(value: object) -> str | None:
    """Return the text of a scalar of the file, exactly as written; None for anything else.

    `document` makes a number or a truth value only of what comes back as the same text.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def _is_plain(text: str) -> bool:
    """Whether a text can stand in a sentence without quotes."""
    return bool(text) and text.isprintable() and not any(c in text for c in " \"'")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that a mistyped one was most likely meant to be."""
    found = difflib.get_close_matches(word.lower(), [*known], n=1, cutoff=0.6)
    return found[0] if found else None


def one_of(words: Iterable[str]) -> str:
    """Return words as a choice: `a`, `a or b`, `a, b or c`."""
    *most, last = (quoted(word) for word in words)
    return f"{', '.join(most)} or {last}" if most else last
