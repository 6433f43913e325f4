"""The file of the journal that is written at present."""

from __future__ import annotations

import errno
import itertools

import numpy as np

from linacre.archiver.store.files import File, Files
from linacre.archiver.store.journal.format import HEADER, BlockType, encode_head, encode_series
from linacre.archiver.store.journal.index import Index
from linacre.archiver.store.journal.pending import Block
from linacre.archiver.store.journal.read import JournalFile

_TOGETHER = 100
"""So many series are told in one block: damage to one must not cost them all."""


class CurrentFile:
    """The file that is written, what of it is safe, and its index."""

    def __init__(self, handle: File, file: JournalFile) -> None:
        self.handle = handle
        self.file = file
        self.synced = 0
        """So many bytes are safe on the disk."""
        self.bytes = {BlockType.SCALARS: 0, BlockType.BLOBS: 0}
        self._named = False

    def has_all(self, block: Block) -> bool:
        """Whether the file tells of all series of a block already."""
        return self._index(block).has_all(block.series)

    def before(self, block: Block) -> list[memoryview]:
        """Return the blocks that must come before one with samples."""
        parts = [] if self.file.length else [encode_head(self.file.head)]
        if not self.has_all(block):
            found = self._index(block).view()
            known = self.file.names.by_id
            new = [known[k] for k in np.unique(block.series).tolist() if not found.has(k)]
            parts += [encode_series(new[k : k + _TOGETHER]) for k in range(0, len(new), _TOGETHER)]
        return parts

    def put(self, parts: list[memoryview]) -> None:
        """Write all of it; raises `OSError` with some of it written."""
        while parts:
            written = self.handle.append(parts)
            if written == 0:
                raise OSError(errno.EIO, "nothing was written")
            ends = itertools.accumulate(len(part) for part in parts)
            done = sum(end <= written for end in ends)
            rest = written - sum(len(part) for part in parts[:done])
            parts = parts[done:]
            if rest:
                parts[0] = parts[0][rest:]

    def wrote(self, parts: list[memoryview], block: Block) -> None:
        """Take note of a block behind others."""
        file = self.file
        at = file.length + sum(len(part) for part in parts)
        self._index(block).add(at + HEADER.size, block.series, block.time)
        file.length = at + len(block.raw)
        self.bytes[block.kind] += len(block.raw)

    def cut(self) -> bool:
        """Cut the file to its last whole block."""
        try:
            self.handle.truncate(self.file.length)
        except OSError:
            return False
        return True

    def sync(self, files: Files) -> None:
        """Make it safe, with its name."""
        length = self.file.length
        self.handle.sync()
        if not self._named:
            files.sync_folder(self.file.path.parent)
            self._named = True
        self.synced = length

    def _index(self, block: Block) -> Index:
        return self.file.scalar_index if block.kind is BlockType.SCALARS else self.file.blob_index
