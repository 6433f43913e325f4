"""Blocks that are not safe on the disk yet: copies, so that each can be written again."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from linacre.archiver.model import BlobBatch, Int32s, Int64s, ScalarBatch
from linacre.archiver.store.journal.format import (
    HEADER,
    BlockType,
    encode_blobs,
    encode_scalars,
    series_place,
)


@dataclass(frozen=True, eq=False)
class Block:
    """A block of samples, as it is in a file."""

    kind: BlockType
    raw: memoryview
    series: Int32s
    time: Int64s
    accepted_ns: int
    """When it came."""


def scalar_block(batch: ScalarBatch, now_ns: int) -> Block:
    """Return the block of a batch."""
    return _block(BlockType.SCALARS, encode_scalars(batch), len(batch), now_ns)


def blob_block(batch: BlobBatch, now_ns: int) -> Block:
    """Return the block of a batch."""
    return _block(BlockType.BLOBS, encode_blobs(batch), len(batch), now_ns)


class Pending:
    """Blocks in the order in which they came: first those written and not synced, then others."""

    def __init__(self, waiting_limit: int) -> None:
        self.written: deque[Block] = deque()
        self.written_bytes = 0
        self.waiting: deque[Block] = deque()
        self.waiting_bytes = 0
        self._limit = waiting_limit
        self._dropped: dict[int, int] = {}

    @property
    def since_ns(self) -> int | None:
        """When the oldest came; None where there is none."""
        for blocks in (self.written, self.waiting):
            if blocks:
                return blocks[0].accepted_ns
        return None

    def add(self, block: Block) -> None:
        """Let a block wait to be written; what does not fit any more is dropped and counted."""
        if self.waiting and self.waiting_bytes + len(block.raw) > self._limit:
            for k, n in zip(*np.unique(block.series, return_counts=True), strict=True):
                self._dropped[int(k)] = self._dropped.get(int(k), 0) + int(n)
            return
        self.waiting.append(block)
        self.waiting_bytes += len(block.raw)

    def wrote(self) -> None:
        """Take note that the first that waits is written."""
        block = self.waiting.popleft()
        self.waiting_bytes -= len(block.raw)
        self.written.append(block)
        self.written_bytes += len(block.raw)

    def synced(self) -> None:
        """Take note that all that are written are safe."""
        self.written.clear()
        self.written_bytes = 0

    def write_again(self) -> None:
        """Let all that are written and not safe wait again, before the others."""
        self.waiting.extendleft(reversed(self.written))
        self.waiting_bytes += self.written_bytes
        self.synced()

    def take_dropped(self) -> dict[int, int]:
        """Return by series what was dropped since the last call."""
        dropped, self._dropped = self._dropped, {}
        return dropped


def _block(kind: BlockType, raw: memoryview, rows: int, now_ns: int) -> Block:
    series = np.frombuffer(raw, np.int32, rows, HEADER.size + series_place(kind, rows))
    return Block(kind, raw, series, np.frombuffer(raw, np.int64, rows, HEADER.size), now_ns)
