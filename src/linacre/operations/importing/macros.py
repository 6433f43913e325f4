"""Macros of EPICS: $(NAME), ${NAME}, $(NAME=default), as macLib expands them."""

from __future__ import annotations

import re
from collections.abc import Mapping

_DEEPEST = 20
_MOST_REFERENCES = 5_000
_CLOSING = {"(": ")", "{": "}"}


def expand(text: str, macros: Mapping[str, str]) -> str:
    """Return a text with its macros expanded; one that is not defined stays as it is written."""
    return _expand(text, dict(macros), 0, [_MOST_REFERENCES])


def undefined(text: str) -> list[str]:
    """Return the macros that are left in an expanded text, each once."""
    return list(dict.fromkeys(re.findall(r"(?<!\\)\$[({]([^=)}({$,]+)", text)))


def definitions(text: str, macros: Mapping[str, str]) -> dict[str, str]:
    """Return what a text like `P=CLA:,R="a, b",N=${P}` defines, with the macros around it."""
    found: dict[str, str] = {}
    for part in _split(text):
        name, equals, value = part.partition("=")
        name = expand(name.strip(), macros)
        if name and equals:
            found[name] = expand(_unquoted(value.strip()), {**macros, **found})
    return found


def _expand(text: str, macros: dict[str, str], depth: int, left: list[int]) -> str:
    if "$" not in text or depth > _DEEPEST:
        return text
    out: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char == "\\" and at + 1 < len(text):
            out.append(text[at : at + 2])
            at += 2
        elif char == "$" and text[at + 1 : at + 2] in _CLOSING:
            end = _end(text, at + 1)
            if end is None:
                out.append(text[at:])
                break
            out.append(_reference(text[at + 2 : end], text[at : end + 1], macros, depth, left))
            at = end + 1
        else:
            out.append(char)
            at += 1
    return "".join(out)


def _end(text: str, opening: int) -> int | None:
    """Return where the bracket at `opening` closes; references may lie in one another."""
    closing: list[str] = []
    for at in range(opening, len(text)):
        if text[at] in _CLOSING and (at == opening or text[at - 1] == "$"):
            closing.append(_CLOSING[text[at]])
        elif closing and text[at] == closing[-1]:
            closing.pop()
            if not closing:
                return at
    return None


def _reference(inside: str, whole: str, macros: dict[str, str], depth: int, left: list[int]) -> str:
    # Macros that double one another unfold to more than anybody can have meant.
    left[0] -= 1
    if left[0] < 0:
        return whole
    name, default, own = _parts(inside)
    name = _expand(name, macros, depth + 1, left)
    here = {**macros, **{k: _expand(v, macros, depth + 1, left) for k, v in own.items()}}
    if name in here:
        value = here[name]
        # A macro may be defined by itself: P=$(P=X) of the one around it.
        inner = {key: each for key, each in here.items() if key != name}
        return _expand(value, inner, depth + 1, left)
    if default is not None:
        return _expand(default, here, depth + 1, left)
    return whole


def _parts(inside: str) -> tuple[str, str | None, dict[str, str]]:
    """Return name, default and own definitions of `NAME=default,OTHER=value`."""
    first, *rest = _split(inside, quotes=False)
    name, equals, default = first.partition("=")
    own = {k.strip(): v for k, e, v in (part.partition("=") for part in rest) if e}
    return name, default if equals else None, own


def _split(text: str, *, quotes: bool = True) -> list[str]:
    """Return the parts between commas that are in no quotes and in no brackets."""
    parts: list[str] = []
    part, quote, depth, at = "", "", 0, 0
    while at < len(text):
        char = text[at]
        if char == "\\" and at + 1 < len(text):
            part += text[at : at + 2]
            at += 2
            continue
        if quote:
            quote = "" if char == quote else quote
        elif quotes and char in "\"'":
            quote = char
        elif char in "({":
            depth += 1
        elif char in ")}":
            depth -= 1
        if char == "," and not quote and depth <= 0:
            parts.append(part)
            part = ""
        else:
            part += char
        at += 1
    return [*parts, part]


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text.replace('\\"', '"')
