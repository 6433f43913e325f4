"""HTTP/1.0 over a stream that is open: one question, and its answer whole.

A library for HTTP takes longer to import than a daemon of this host takes to answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

_CHUNK = 1 << 16


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    """By their names in small letters."""
    body: bytes


def question(
    verb: str,
    target: str,
    *,
    host: str,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> bytes:
    """Return the text of a request; HTTP/1.0 has the answer end with the connection."""
    lines = [f"{verb} {target} HTTP/1.0", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


async def exchange(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    request: bytes,
    *,
    largest: int | None = None,
) -> bytes:
    """Send a request, and return all that comes back until the connection is closed, and close it.

    Raises `OSError` where it breaks, `ValueError` where more than the `largest` answer comes.
    """
    try:
        writer.write(request)
        await writer.drain()
        found = bytearray()
        while data := await reader.read(_CHUNK):
            found += data
            if largest is not None and len(found) > largest:
                raise ValueError("its answer has no end")
        return bytes(found)
    finally:
        writer.close()


def parse(answer: bytes) -> Answer:
    """Return an answer in its parts; raise `ValueError` where it is none, or not whole."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split()
    if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdecimal():
        raise ValueError("that is no HTTP" if answer else "it closed the connection")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    length = headers.get("content-length", "")
    if length.isdecimal() and len(body) < int(length):
        raise ValueError("its answer was cut off")
    return Answer(int(words[1]), headers, body)
