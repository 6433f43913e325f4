"""YAML in blocks of plain data, as people write a facility file: so that it can be edited."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import cast

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
"""What some reader of YAML takes for no text."""


def block_yaml(data: Mapping[str, object]) -> str:
    """Return the text of a mapping: mappings in blocks, all else as JSON, which is YAML too."""
    return "".join(f"{line}\n" for line in _lines(data))


def _lines(data: Mapping[str, object]) -> Iterator[str]:
    for key, value in data.items():
        name = key if _PLAIN.fullmatch(key) and key.lower() not in _WORDS else _text(key)
        inner = _inside(value)
        if inner:
            yield f"{name}:"
            yield from (f"  {line}" for line in _lines(inner))
        else:
            yield f"{name}: {_text(value)}"


def _inside(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
