"""Writing YAML into a text that a person wrote: scalars, indentation, lines."""

from __future__ import annotations

import json
import re

_WORD = r"[A-Za-z0-9_./](?:[A-Za-z0-9_./:@+=~-]*[A-Za-z0-9_./@+=~-])?"
_PLAIN = re.compile(f"{_WORD}(?: {_WORD})*")
"""Fewer than YAML takes, and the same in braces and out of them."""
_OTHER_THAN_TEXT = frozenset(["true", "false", "yes", "no", "on", "off", "y", "n", "null"])
"""What some YAML reader or other takes for a truth value or nothing."""


def scalar(value: str) -> str:
    """Return a text as it is written in YAML: plain where that says the same, else quoted."""
    if _PLAIN.fullmatch(value) and value.lower() not in _OTHER_THAN_TEXT:
        return value
    return json.dumps(value, ensure_ascii=not value.isprintable())


def like(value: str, style: str | None) -> str:
    """Return a text as it is written in YAML, in the quotes that stood there before."""
    if style == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    quoted = json.dumps(value, ensure_ascii=not value.isprintable())
    return quoted if style == '"' else scalar(value)


def lines_of(text: str) -> list[str]:
    """Return the lines of a text with their ends; only line feeds end one."""
    return re.findall(r"[^\n]*\n|[^\n]+\Z", text)


def column_of(line: str) -> int:
    """Return the number of spaces that a line begins with."""
    return len(line) - len(line.lstrip(" "))


def moved(text: str, columns: int) -> str:
    """Return lines moved to the right, or to the left as far as they have spaces."""
    if columns >= 0:
        pad = " " * columns
        return "".join(pad + line if line.strip() else line for line in lines_of(text))
    return "".join(line[min(-columns, column_of(line)) :] for line in lines_of(text))


def stretched(text: str, *, step: int) -> str:
    """Return lines that are indented by twos, indented by `step` instead."""
    lines = lines_of(text)
    if step == 2 or any(column_of(line) % 2 for line in lines):
        return text
    return "".join(" " * (column_of(line) // 2 * step) + line.lstrip(" ") for line in lines)


def line_start(text: str, at: int) -> int:
    """Return where the line of a place begins."""
    return text.rfind("\n", 0, at) + 1


def line_end(text: str, at: int) -> int:
    """Return where the line of a place ends, behind its line feed."""
    return text.find("\n", at) + 1 or len(text)


def spliced(text: str, changes: list[tuple[int, int, str]]) -> str:
    """Return a text with some spans (from, to) replaced; they do not overlap."""
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return text
