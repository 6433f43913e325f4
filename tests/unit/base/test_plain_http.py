from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from linacre.base.plain_http import Answer, exchange, parse, question


def test_a_question_is_http_that_ends_with_the_connection() -> None:
    assert question("GET", "/a?b=c", host="h") == b"GET /a?b=c HTTP/1.0\r\nHost: h\r\n\r\n"
    said = question("POST", "/a", host="h", headers={"Accept": "x"}, body=b"{}")
    assert said.endswith(b"Host: h\r\nAccept: x\r\nContent-Length: 2\r\n\r\n{}")


def test_an_answer_has_its_parts() -> None:
    text = b"HTTP/1.0 404 Not Found\r\nETag: 1:2\r\nContent-Length: 6\r\n\r\na\r\n\r\nb"
    assert parse(text) == Answer(404, {"etag": "1:2", "content-length": "6"}, b"a\r\n\r\nb")
    assert parse(b"HTTP/1.1 200 OK\r\n\r\n").body == b""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "closed the connection"),
        (b"SSH-2.0-dropbear\r\n", "no HTTP"),
        (b"HTTP/1.0 xyz\r\n\r\n", "no HTTP"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\n{}", "cut off"),
    ],
)
def test_what_is_no_answer_is_told(text: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(text)


async def test_an_answer_comes_whole_and_has_an_end(tmp_path: Path) -> None:
    whole = b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 300_000

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(whole)
        await writer.drain()
        writer.close()

    socket = str(tmp_path / "s")
    async with await asyncio.start_unix_server(serve, socket):
        asked = question("GET", "/", host="h")
        assert await exchange(*await asyncio.open_unix_connection(socket), asked) == whole
        with pytest.raises(ValueError, match="no end"):
            await exchange(*await asyncio.open_unix_connection(socket), asked, largest=100_000)
