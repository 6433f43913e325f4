"""The journal: takes batches of samples as they come and makes them safe on the disk.

One thread calls `declare`, `append`, `sync` and `rotate`; any thread may call `part`, `closed`,
`forget` and read what they give.

Of what is written and not synced, the journal keeps a copy. When a sync fails, what the system
still has of the file since the last good one cannot be trusted, and a later sync that succeeds
says nothing of it. So that file ends where it was safe, a new one is begun that says so (`cuts`),
and the copies are written there: at once, then each second. To bound the copies, `append` syncs
by itself when they reach `waiting_limit`.

When a write fails (the disk is full, or broken), the file is cut to its last whole block, and
batches wait in memory up to `waiting_limit`; they are written first when there is room, tried each
second. Those that wait are not in `part()`.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from linacre.archiver.model import NANOSECONDS, BlobBatch, ScalarBatch, Series
from linacre.archiver.store.files import Files
from linacre.archiver.store.hot import HotPart
from linacre.archiver.store.journal.current import CurrentFile
from linacre.archiver.store.journal.format import BlockType, FileHead
from linacre.archiver.store.journal.lock import FolderLock
from linacre.archiver.store.journal.pending import Block, Pending, blob_block, scalar_block
from linacre.archiver.store.journal.read import (
    PUT_ASIDE,
    JournalFile,
    journal_paths,
    lost_files,
    read_file,
    read_folder,
)
from linacre.archiver.store.journal.scan import Damage

HOUR_NS = 3600 * NANOSECONDS
MEBI = 1 << 20
_RETRY_NS = NANOSECONDS


class Journal:
    """The files of one folder; raises `LinacreError` where another process writes them.

    What is found in the folder is read first: `closed()` has it, `damage` what was set aside.
    """

    def __init__(
        self,
        folder: Path,
        *,
        files: Files,
        clock: Callable[[], int],
        scalar_limit: int = 64 * MEBI,
        blob_limit: int = 256 * MEBI,
        waiting_limit: int = 64 * MEBI,
        newest: int = 0,
    ) -> None:
        """`newest`: the greatest number of a file that segments name, in case the folder was lost.

        Limits are in bytes; the clock gives ns since 1970.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._files = files
        self._clock = clock
        self._limits = {BlockType.SCALARS: scalar_limit, BlockType.BLOBS: blob_limit}
        self._lock_file = FolderLock(folder)
        names = (int(path.stem) for path in journal_paths(folder))
        self._number = max(newest, self._lock_file.number, *names)
        self._closed, self._names, self.damage = read_folder(folder)
        self._clear_away()
        self._lost = lost_files(folder)
        self._current: CurrentFile | None = None
        self._cuts: list[tuple[str, int]] = []
        self._pending = Pending(waiting_limit)
        self._waiting_limit = waiting_limit
        self._tried_ns = 0
        self._rotated = False
        self.full = False
        """Whether batches wait in memory since they cannot be written."""
        self.why = ""
        """The system's words for that."""
        self.sync_failures = 0
        self._lock = threading.Lock()
        self._part: HotPart | None = None

    @property
    def series(self) -> Mapping[int, Series]:
        """The series that were declared, or found in the files."""
        return dict(self._names.by_id)

    @property
    def dropped(self) -> dict[int, int]:
        """By series, the samples that were given up since this was last asked."""
        return self._pending.take_dropped()

    @property
    def unsynced_since_ns(self) -> int | None:
        """When the oldest batch that is not safe was appended; None where all are."""
        return self._pending.since_ns

    @property
    def damaged(self) -> int:
        """How many damaged blocks the files that wait have, and those that were put aside."""
        with self._lock:
            return len(self._lost) + sum(len(file.lacks) for file in self._closed)

    @property
    def bytes(self) -> int:
        """The size of the files that wait, the current one too."""
        with self._lock:
            current = self._current.file.length if self._current else 0
            return current + sum(file.length for file in self._closed)

    def declare(self, series: Series) -> None:
        """Tell of a series, before its first sample; again is no error."""
        self._names.add(series)

    def append(self, scalars: Sequence[ScalarBatch], blobs: Sequence[BlobBatch]) -> None:
        """Write batches; they are safe after the next `sync`. Does not fail: see `full`.

        Raises `KeyError` for a series that was not declared; then nothing was taken.
        """
        now = self._clock()
        blocks = [scalar_block(batch, now) for batch in scalars if len(batch)]
        blocks += [blob_block(batch, now) for batch in blobs if len(batch)]
        for block in blocks:
            self._check_declared(block)
        self._rotate_if_due()
        # Those that wait first: where there is room again, none needs to be dropped.
        self._write_waiting()
        for block in blocks:
            self._pending.add(block)
            self._write_waiting()
        if self._pending.written_bytes >= self._waiting_limit:
            self.sync()

    def sync(self) -> None:
        """Make all that was appended safe; does not fail: see `full` and `unsynced_since_ns`."""
        self._write_waiting()
        error = self._try_sync()
        if error is not None:
            self._write_waiting()
            error = self._try_sync()
        if error is not None:
            self._stop(error)

    def rotate_if_due(self) -> bool:
        """Close the current file at the end of an hour (UTC), or when it is large enough.

        `append` does it too: returns whether a file was closed since this was last asked.
        """
        self._rotate_if_due()
        rotated, self._rotated = self._rotated, False
        return rotated

    def rotate(self) -> None:
        """Close the current file, if there is anything in it; the next append begins another."""
        self.sync()
        current = self._current
        if current is None or self._pending.written or not current.file.rows:
            return
        with self._lock:
            self._closed.append(current.file)
            self._current = None
            self._part = None
        current.handle.close()
        self._rotated = True

    def closed(self) -> list[JournalFile]:
        """Return the files that wait to be made segments, oldest first: forget them in order."""
        with self._lock:
            return list(self._closed)

    def forget(self, file: JournalFile) -> None:
        """Remove a closed file: its samples are safe elsewhere. Parts given out stay readable."""
        file.keep_mapped()
        self._lock_file.sync()
        with self._lock:
            self._closed = [other for other in self._closed if other is not file]
            self._part = None
        for name, length in file.head.cuts:
            # Without this file nothing would say any more that the other ends there.
            if (self._folder / name).exists():
                other = self._files.open(self._folder / name)
                other.truncate(length)
                other.sync()
                other.close()
        self._files.unlink(file.path)

    def part(self) -> HotPart:
        """Return what is in the files at this moment, to be read by any thread."""
        with self._lock:
            if self._part is None:
                files = [*self._closed, *([self._current.file] if self._current else [])]
                self._part = HotPart([file.view() for file in files], self._names, self._lost)
            return self._part

    def close(self) -> None:
        """Sync, and let the folder go."""
        self.sync()
        if self._current:
            self._current.handle.close()
            self._current = None
        self._lock_file.close()

    def _check_declared(self, block: Block) -> None:
        if self._current and self._current.has_all(block):
            return
        for k in np.unique(block.series).tolist():
            if k not in self._names.by_id:
                raise KeyError(f"series {k} was not declared")

    def _rotate_if_due(self) -> None:
        current = self._current
        if current and (
            self._clock() // HOUR_NS != current.file.opened_ns // HOUR_NS
            or any(current.bytes[kind] >= self._limits[kind] for kind in self._limits)
        ):
            self.rotate()

    def _write_waiting(self) -> None:
        now = self._clock()
        if self.full and 0 <= now - self._tried_ns < _RETRY_NS:
            return
        while self._pending.waiting:
            block = self._pending.waiting[0]
            try:
                if self.full and self._files.free(self._folder) < len(block.raw):
                    self._tried_ns = now
                    return
                current = self._current = self._current or self._begin()
                self._write(current, block)
            except OSError as error:
                self._stop(error)
                return
            self._pending.wrote()
        self.full, self.why = False, ""

    def _stop(self, error: OSError) -> None:
        self.full, self.why = True, error.strerror or str(error)
        self._tried_ns = self._clock()

    def _begin(self) -> CurrentFile:
        self._lock_file.remember(self._number + 1)
        self._number += 1
        path = self._folder / f"{self._number:08d}.journal"
        head = FileHead(self._clock(), tuple(self._cuts))
        return CurrentFile(self._files.create(path), JournalFile(path, head, self._names))

    def _write(self, current: CurrentFile, block: Block) -> None:
        parts = current.before(block)
        try:
            current.put([*parts, block.raw])
        except OSError:
            # Where it cannot be cut, a part of a block stays: nothing may follow it.
            if not current.cut() and self._try_sync() is None:
                self._end(current, current.file)
            raise
        with self._lock:
            current.wrote(parts, block)
            self._part = None

    def _try_sync(self) -> OSError | None:
        current = self._current
        if current is None or not self._pending.written:
            return None
        try:
            current.sync(self._files)
        except OSError as error:
            self.sync_failures += 1
            self._mistrust(current)
            return error
        self._pending.synced()
        self._cuts.clear()
        return None

    def _mistrust(self, current: CurrentFile) -> None:
        """End a file where it was safe last, and let what followed be written again."""
        self._pending.write_again()
        self._cuts.append((current.file.name, current.synced))
        damage: list[Damage] = []
        self._end(current, read_file(current.file.path, self._names, damage, limit=current.synced))
        self.damage += damage

    def _end(self, current: CurrentFile, file: JournalFile) -> None:
        with self._lock:
            if file.rows:
                self._closed.append(file)
            self._current = None
            self._part = None
        current.handle.close()
        if not file.rows:
            with contextlib.suppress(OSError):
                self._files.unlink(file.path)

    def _clear_away(self) -> None:
        """Remove files without a whole block of samples: a kill at their beginning leaves such.

        One that is so by damage is kept under another name, for who wants to look into it.
        """
        kept = {file.name for file in self._closed}
        damaged = {damage.file for damage in self.damage}
        for path in journal_paths(self._folder):
            if path.name in damaged - kept:
                self._files.rename(path, path.with_suffix(PUT_ASIDE))
            elif path.name not in kept:
                self._files.unlink(path)
