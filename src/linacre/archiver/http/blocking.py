"""The one place where blocking calls go to threads."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_thread

P = ParamSpec("P")
T = TypeVar("T")
_END = object()


class Blocking:
    """Runs blocking calls, a few at a time, so that a hundred readers cannot take all memory."""

    def __init__(self, threads: int = 16) -> None:
        self._threads = threads
        self._limiter: anyio.CapacityLimiter | None = None

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what a function returns, or raise what it raises."""
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(self._threads)
        bound = functools.partial(function, *args, **kwargs)
        return await anyio.to_thread.run_sync(bound, limiter=self._limiter)

    async def begin(self, pieces: Iterator[T]) -> AsyncIterator[T]:
        """Take the first piece now, so that its errors are told; return all pieces.

        The iterator is closed when the pieces are taken or nobody wants more.
        """
        first = await self.call(next, pieces, _END)
        return self._rest(first, pieces)

    async def _rest(self, first: object, pieces: Iterator[T]) -> AsyncIterator[T]:
        piece = first
        coming: asyncio.Task[object] | None = None
        try:
            while piece is not _END:
                # The next one is made while this one is sent.
                coming = asyncio.create_task(self.call(next, pieces, _END))
                yield piece  # type: ignore[misc]  # it is a T where it is not _END
                piece = await asyncio.shield(coming)
        finally:
            close = getattr(pieces, "close", None)
            with anyio.CancelScope(shield=True):
                if coming is not None:
                    # What is being made in a thread cannot be closed before it is made.
                    await asyncio.gather(coming, return_exceptions=True)
                if close is not None:
                    await self.call(close)
