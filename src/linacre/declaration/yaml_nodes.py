"""Where the pieces of a YAML text stand in it, from their first character to behind their last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

from ruamel.yaml import YAML

_Event = Any
"""An event of ruamel's parser, which carries no types."""


class Kind(StrEnum):
    """What a piece is."""

    SCALAR = "scalar"
    MAPPING = "mapping"
    LIST = "list"
    ALIAS = "alias"


@dataclass
class Piece:
    """A value, or a key, of the text; `end` is behind its last character that means something."""

    kind: Kind
    start: int
    end: int
    value: str = ""
    """A scalar's value, or the name of an alias."""
    anchor: str | None = None
    style: str | None = None
    """A scalar's quote, or | or >; None for a plain one."""
    flow: bool = False
    """Whether a mapping or list is written in brackets."""
    items: list[tuple[Piece | None, Piece]] = field(
        default_factory=list["tuple[Piece | None, Piece]"]
    )
    """The key and value of each entry of a mapping; a list's have no key."""

    def get(self, key: str) -> tuple[Piece, Piece] | None:
        """Return the key and the value of a mapping's entry; None where there is none."""
        for name, value in self.items:
            if name is not None and name.kind is Kind.SCALAR and name.value == key:
                return name, value
        return None

    def walk(self) -> Iterator[Piece]:
        """Yield this piece and all in it, keys included, in the order of the text."""
        yield self
        for key, value in self.items:
            if key is not None:
                yield from key.walk()
            yield from value.walk()


@lru_cache(maxsize=4)  # a file of a hundred IOCs takes a tenth of a second, and each asks for it
def pieces(text: str) -> Piece | None:
    """Return the one document of a text that `document.parse` takes; None for an empty one."""
    events = iter(YAML(typ="safe", pure=True).parse(text))  # pyright: ignore
    for event in events:
        if _name(event) not in ("StreamStart", "DocumentStart"):
            return None if _name(event) == "StreamEnd" else _Reader(events, text).read(event)
    return None


class _Reader:
    """Makes pieces of the events of one document."""

    def __init__(self, events: Iterator[_Event], text: str) -> None:
        self._events = events
        self._text = text
        self._last = 0
        """Behind what was read last."""

    def read(self, event: _Event) -> Piece:
        match _name(event):
            case "Scalar":
                return self._scalar(event)
            case "Alias":
                start, self._last = _span(event)
                return Piece(Kind.ALIAS, start, self._last, str(event.anchor))
            case "MappingStart":
                return self._collection(event, Kind.MAPPING)
            case _:
                return self._collection(event, Kind.LIST)

    def _scalar(self, event: _Event) -> Piece:
        start, end = _span(event)
        style = str(event.style) if event.style else None
        if style in ("|", ">"):
            # Its mark is behind the empty lines that follow.
            end = start + len(self._text[start:end].rstrip())
        if start == end:
            # Nothing is written: its mark is where the next thing begins.
            start = end = self._sign_end()
        self._last = end
        return Piece(Kind.SCALAR, start, end, str(event.value), event.anchor, style)

    def _sign_end(self) -> int:
        """Return where the `:` or `-` ends behind which nothing is written."""
        signs = (self._text.find(sign, self._last) + 1 for sign in ":-")
        return min((end for end in signs if end), default=self._last)

    def _collection(self, event: _Event, kind: Kind) -> Piece:
        start, end = _span(event)
        self._last = end if event.flow_style else self._last
        piece = Piece(kind, start, end, anchor=event.anchor, flow=bool(event.flow_style))
        while True:
            inner = next(self._events)
            if _name(inner) in ("MappingEnd", "SequenceEnd"):
                break
            first = self.read(inner)
            if kind is Kind.LIST:
                piece.items.append((None, first))
            else:
                piece.items.append((first, self.read(next(self._events))))
        # A block's own mark is where the next token begins, behind comments that are not its.
        piece.end = _span(inner)[1] if piece.flow else self._end(piece)
        self._last = piece.end
        return piece

    @staticmethod
    def _end(piece: Piece) -> int:
        ends = [each.end for pair in piece.items for each in pair if each is not None]
        return max(ends, default=piece.end)


def _name(event: _Event) -> str:
    return type(event).__name__.removesuffix("Event")


def _span(event: _Event) -> tuple[int, int]:
    return int(event.start_mark.index), int(event.end_mark.index)
