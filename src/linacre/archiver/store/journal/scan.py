"""Finds the whole blocks of a file of the journal, and what is damaged between them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import numpy as np

from linacre.archiver.model import Series
from linacre.archiver.store.journal.format import (
    CHECKED,
    HEADER,
    MAGIC,
    BlockType,
    FileHead,
    decode_head,
    decode_series,
)

_STRIDE = 16 * 1024
"""So many words are searched at once: the next block is most often near."""


@dataclass(frozen=True)
class Damage:
    """Bytes of a file that are not what was written; they are set aside, the rest is read."""

    file: str
    offset: int
    length: int
    why: str


@dataclass
class Found:
    """What is in a file."""

    head: FileHead | None = None
    series: list[Series] = field(default_factory=list[Series])
    blocks: dict[int, list[tuple[int, int]]] = field(
        default_factory=lambda: {BlockType.SCALARS: [], BlockType.BLOBS: []}
    )
    """By type: where the body begins, and rows."""
    damage: list[Damage] = field(default_factory=list[Damage])
    end: int = 0
    """The end of the last whole block."""


def scan(name: str, raw: memoryview) -> Found:
    """Look through a file's bytes, a multiple of 8 of them."""
    found = Found()
    at, size = 0, len(raw)
    while size - at >= HEADER.size:
        header = header_at(raw, at)
        if header is None:
            follower = _search(raw, at + 8)
            if follower is None and not np.frombuffer(raw, np.uint8, offset=at).any():
                # A power cut leaves zeros where the length was safe and the data were not.
                return found
            end, why = follower or size, "no block begins here"
        else:
            kind, rows, length, crc = header
            body = at + HEADER.size
            end = body + length
            if end <= size and zlib.crc32(raw[body:end]) == crc:
                why = _take(found, kind, rows, body, raw[body:end])
            else:
                if end > size or (end < size and header_at(raw, end) is None):
                    follower = _search(raw, at + 8)
                    if follower is None and end > size:
                        return found
                    end = follower or size
                why = "its checksum is wrong"
        if why:
            found.damage.append(Damage(name, at, end - at, why))
        else:
            found.end = end
        at = end
    return found


def _take(found: Found, kind: int, rows: int, body: int, content: memoryview) -> str:
    """Take note of a whole block; return what is wrong with it."""
    # A file may have tens of thousands of these: no enum is made of the number.
    blocks = found.blocks.get(kind)
    if blocks is not None:
        blocks.append((body, rows))
        return ""
    try:
        if kind == BlockType.FILE:
            found.head = decode_head(content)
        elif kind == BlockType.SERIES:
            found.series += decode_series(content)
        else:
            return f"blocks of type {kind} are not known"
    except (ValueError, KeyError, TypeError) as error:
        return f"it cannot be understood: {error}"
    return ""


def header_at(raw: memoryview, at: int) -> tuple[int, int, int, int] | None:
    """Return type, rows, length of the body and its checksum, where a header is."""
    if len(raw) - at < HEADER.size:
        return None
    magic, kind, rows, length, body_crc, crc = HEADER.unpack_from(raw, at)
    if magic != MAGIC or zlib.crc32(raw[at : at + CHECKED]) != crc:
        return None
    return kind, rows, length, body_crc


def _search(raw: memoryview, at: int) -> int | None:
    """Return where the next header is."""
    content = np.frombuffer(raw, np.int64)
    magic = np.frombuffer(MAGIC, np.int64)[0]
    for begin in range(at // 8, len(content), _STRIDE):
        for place in np.flatnonzero(content[begin : begin + _STRIDE] == magic).tolist():
            if header_at(raw, 8 * (begin + place)) is not None:
                return 8 * (begin + place)
    return None


def first_head(raw: memoryview) -> FileHead | None:
    """Return what a file says of itself, where its first block is whole."""
    header = header_at(raw, 0)
    if header is None or header[0] != BlockType.FILE:
        return None
    body = raw[HEADER.size : HEADER.size + header[2]]
    if zlib.crc32(body) != header[3]:
        return None
    try:
        return decode_head(body)
    except (ValueError, KeyError, TypeError):
        return None
