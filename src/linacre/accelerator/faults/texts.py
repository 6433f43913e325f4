"""Texts in files of elements and scenarios."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from linacre.base.orders import has_orders
from linacre.documents.quoting import quoted

_LONGEST = 2000
_ELEMENT = re.compile("[A-Za-z0-9][A-Za-z0-9:._-]{0,59}")
_NAME = re.compile("[a-z][a-z0-9-]{0,59}")


def _element(text: str) -> str:
    if not _ELEMENT.fullmatch(text):
        raise ValueError(f"{quoted(text)} is no name that PVs begin with")
    return text


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(
            f"{quoted(text)} is no name; write small letters, digits and -, at most 60"
        )
    return text


def _words(text: str) -> str:
    if not text.strip() or len(text) > _LONGEST or has_orders(text.rstrip("\n")):
        raise ValueError(f"write plain text in one paragraph, at most {_LONGEST} characters")
    return text.strip()


ElementName = Annotated[str, AfterValidator(_element)]
"""Of an element: what its PVs begin with."""
ScenarioName = Annotated[str, AfterValidator(_name)]
Words = Annotated[str, AfterValidator(_words)]
"""What a person reads."""
