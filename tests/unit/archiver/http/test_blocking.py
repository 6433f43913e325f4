"""Answers in pieces: the next is made while one is sent, and all ends where nobody wants more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from linacre.archiver.http.blocking import Blocking

LIMIT_S = 10.0


class Pieces:
    """Numbers; each but the first is made when `go` is set."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.go = threading.Event()
        self.begun: list[int] = []
        self.closed = False
        self.fails_at = fails_at

    def __call__(self) -> Iterator[int]:
        try:
            for n in range(4):
                self.begun.append(n)
                if n:
                    assert self.go.wait(LIMIT_S)
                if n == self.fails_at:
                    raise OSError("no more")
                yield n
        finally:
            self.closed = True


async def until_begun(pieces: Pieces, n: int) -> None:
    async with asyncio.timeout(LIMIT_S):
        while n not in pieces.begun:
            await asyncio.sleep(0.001)


async def test_the_next_piece_is_made_while_one_is_sent() -> None:
    pieces = Pieces()
    sent = await Blocking().begin(pieces())
    assert pieces.begun == [0]
    found = []
    async for piece in sent:
        if piece == 0:
            await until_begun(pieces, 1)
            pieces.go.set()
        found.append(piece)
    assert found == [0, 1, 2, 3]
    assert pieces.closed


async def test_whoever_leaves_ends_it_once_the_piece_that_is_being_made_is_made() -> None:
    pieces = Pieces()

    async def leave() -> None:
        async for _ in await Blocking().begin(pieces()):
            pass

    leaving = asyncio.create_task(leave())
    await until_begun(pieces, 1)
    leaving.cancel()
    await asyncio.sleep(0.05)
    assert not pieces.closed
    pieces.go.set()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert pieces.closed
    assert pieces.begun == [0, 1]


async def test_a_piece_that_fails_is_told_after_those_before_it() -> None:
    pieces = Pieces(fails_at=2)
    pieces.go.set()
    found = []
    with pytest.raises(OSError, match="no more"):
        async for piece in await Blocking().begin(pieces()):
            found.append(piece)
    assert found == [0, 1]
    assert pieces.closed
