"""Characters that a terminal takes for orders, in text that somebody else wrote."""

from __future__ import annotations

import re

# C0 and C1 controls and DEL (ECMA-48), what turns the direction of writing (Unicode TR 9), ends
# of line that only some programs know, and bytes that are no UTF-8 (Python's surrogates).
_ORDER = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_COLOUR = re.compile("\x1b\\[[0-9;:]{0,64}m")
"""Select Graphic Rendition: colours, bold and the like."""
_LAYOUT = "\n\t"


def has_orders(text: str) -> bool:
    """Tell whether a text has any such character, ends of line and tabs among them."""
    return _ORDER.search(text) is not None


def without_orders(text: str, *, colours: bool = False) -> str:
    """Return a text in which each such character is only shown, as `less` and `cat -v` do.

    Ends of line and tabs stay; with `colours` colours stay too, and end with the text.
    """
    if not has_orders(text):
        return text
    parts: list[str] = []
    at, coloured = 0, False
    for colour in _COLOUR.finditer(text) if colours else ():
        parts += [_ORDER.sub(_shown, text[at : colour.start()]), colour[0]]
        at, coloured = colour.end(), colour[0] not in ("\x1b[m", "\x1b[0m")
    parts.append(_ORDER.sub(_shown, text[at:]))
    return "".join(parts) + ("\x1b[0m" if coloured else "")


def _shown(order: re.Match[str]) -> str:
    character = order[0]
    number = ord(character)
    if character in _LAYOUT:
        return character
    if character == "\r" and order.string[order.end() : order.end() + 1] == "\n":
        return ""
    if number < 0x80:
        return f"^{chr(number ^ 0x40)}"
    # A surrogate stands for the one byte that it was (PEP 383).
    return f"<{number & 0xFF:02X}>" if number < 0xA0 or number >= 0xD800 else f"<U+{number:04X}>"


def escaped_in_json(text: str) -> str:
    """Return JSON in which each such character is an escape; json.dumps leaves those above 0x7e."""
    return _ORDER.sub(lambda order: _json(order[0]), text)


def _json(character: str) -> str:
    return character if character in _LAYOUT else f"\\u{ord(character):04x}"
