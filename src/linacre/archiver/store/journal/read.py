"""Reads files of the journal: finds whole blocks, sets damage aside, and gives batches."""

from __future__ import annotations

import contextlib
import mmap
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from linacre.archiver.errors import DamagedError
from linacre.archiver.model import BlobBatch, Int32s, Int64s, ScalarBatch, Series
from linacre.archiver.store.journal.format import (
    BlockType,
    Bytes,
    FileHead,
    Views,
    decode_blobs,
    decode_scalars,
    gather_scalars,
    series_place,
)
from linacre.archiver.store.journal.index import Index, IndexView
from linacre.archiver.store.journal.scan import Damage, first_head, scan
from linacre.archiver.store.lacks import Lack, lack_of_hour
from linacre.base.errors import LinacreError

PUT_ASIDE = ".damaged"
"""What the names of files end with of which nothing can be read."""
_GROUP = 16 * 1024
"""So many rows of small blocks are taken together."""


class Names:
    """The series that are known, by number and by PV; any thread may read."""

    def __init__(self) -> None:
        self.by_id: dict[int, Series] = {}
        self.by_pv: dict[str, tuple[Series, ...]] = {}

    def add(self, series: Series) -> None:
        """Learn of a series; raises `LinacreError` where its number is another's."""
        known = self.by_id.setdefault(series.id, series)
        if known != series:
            raise LinacreError(
                f"series {series.id} is {known.pv} ({known.native}): "
                f"it cannot be {series.pv} ({series.native}) too"
            )
        others = self.by_pv.get(series.pv, ())
        if series not in others:
            self.by_pv[series.pv] = (*others, series)


class Mapped:
    """The bytes of a file that may still grow; arrays of it stay good, even when it is removed."""

    def __init__(self, path: Path, views: Views | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._views = views or Views(np.empty(0, np.uint8))

    def upto(self, length: int) -> Views:
        """Return at least the first `length` bytes; raises `DamagedError` where there are less."""
        with self._lock:
            if len(self._views) < length:
                self._views = Views(map_file(self._path))
            if len(self._views) < length:
                raise DamagedError(f"{self._path} lost what follows {len(self._views)} bytes")
            return self._views


def map_file(path: Path) -> Bytes:
    """Map a file to memory, to its last whole 8 bytes."""
    with path.open("rb") as file:
        size = file.seek(0, 2) & ~7
        if size == 0:
            return np.empty(0, np.uint8)
        return np.frombuffer(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ), np.uint8)


@dataclass(frozen=True, eq=False)
class FileView:
    """A file of the journal at one moment."""

    name: str
    mapped: Mapped
    length: int
    scalars: IndexView
    blobs: IndexView
    lacks: tuple[Lack, ...] = ()
    """Its damaged blocks."""

    def views(self) -> Views:
        """Return the file's bytes."""
        return self.mapped.upto(self.length)


class JournalFile:
    """A file of the journal: its samples, in the order in which they came."""

    def __init__(
        self, path: Path, head: FileHead, names: Names, views: Views | None = None
    ) -> None:
        self.path = path
        self.name = path.name
        self.head = head
        self.length = 0
        """Up to the end of the last whole block."""
        self.scalar_index = Index()
        self.blob_index = Index()
        self.names = names
        self.lacks: tuple[Lack, ...] = ()
        """Its damaged blocks, of which nobody knows whose samples they had."""
        self._mapped = Mapped(path, views)

    @property
    def opened_ns(self) -> int:
        """When its first samples came: the hour to which it belongs."""
        return self.head.opened_ns

    @property
    def rows(self) -> int:
        """How many samples it has."""
        return len(self.scalar_index) + len(self.blob_index)

    @property
    def series(self) -> Mapping[int, Series]:
        """The series of its samples."""
        view = self.view()
        known = self.names.by_id
        return {k: known[k] for k in (*view.scalars.ids(), *view.blobs.ids()) if k in known}

    def view(self) -> FileView:
        """Return the file as it is now."""
        return FileView(
            self.name,
            self._mapped,
            self.length,
            self.scalar_index.view(),
            self.blob_index.view(),
            self.lacks,
        )

    def scalars(self) -> Iterator[ScalarBatch]:
        """Give the batches of numbers: arrays of the mapped file, small batches as one copy.

        Left out are samples of a series that nobody knows, since the block that told of it is
        damaged and it was never declared.
        """
        view = self.view()
        index, file = view.scalars, view.views()
        unknown = self._unknown(index)
        for begin, end in _groups(np.diff(index.first).tolist()):
            first, last = int(index.first[begin]), int(index.first[end])
            if end - begin == 1:
                batch = decode_scalars(file, int(index.body[begin]), last - first)
            else:
                batch = gather_scalars(file, *index.places(np.arange(first, last)))
            yield batch if not len(unknown) else _known_scalars(batch, unknown)

    def blobs(self) -> Iterator[BlobBatch]:
        """Give the batches of blobs, as they were written: arrays of the mapped file."""
        view = self.view()
        index, file = view.blobs, view.views()
        unknown = self._unknown(index)
        for body, rows in zip(index.body.tolist(), np.diff(index.first).tolist(), strict=True):
            batch = decode_blobs(file, body, rows)
            if not len(unknown):
                yield batch
            else:
                yield from _known_blobs(batch, unknown)

    def keep_mapped(self) -> None:
        """Make sure that views can be read when the file is removed."""
        self.view().views()

    def _unknown(self, view: IndexView) -> Int32s:
        return np.array([k for k in view.ids() if k not in self.names.by_id], np.int32)


def read_file(
    path: Path, names: Names, damage: list[Damage], limit: int | None = None
) -> JournalFile:
    """Read what is whole of a file's first `limit` bytes; tell of damage and of the series.

    A block that was cut short at the end is no damage: so a kill leaves it.
    """
    raw = map_file(path)[: None if limit is None else limit & ~7]
    found = scan(path.name, raw.data)
    damage += found.damage
    head = found.head or FileHead(path.stat().st_mtime_ns)
    views = Views(raw)
    file = JournalFile(path, head, names, views)
    for series in found.series:
        names.add(series)
    for kind, index in (
        (BlockType.SCALARS, file.scalar_index),
        (BlockType.BLOBS, file.blob_index),
    ):
        _fill(index, views, kind, found.blocks[kind])
    file.length = found.end
    file.lacks = tuple(
        lack_of_hour(f"{path.name}/{one.offset}", head.opened_ns) for one in found.damage
    )
    return file


def read_folder(folder: Path) -> tuple[list[JournalFile], Names, list[Damage]]:
    """Read all files of a journal, oldest first, whether or not one writes it at the same time.

    Those without samples are left out.
    """
    names = Names()
    damage: list[Damage] = []
    files: list[JournalFile] = []
    paths = journal_paths(folder)
    cuts = find_cuts(paths)
    for path in paths:
        # Who writes it removes files too.
        with contextlib.suppress(FileNotFoundError):
            files.append(read_file(path, names, damage, cuts.get(path.name)))
    return [file for file in files if file.rows], names, damage


def journal_paths(folder: Path) -> list[Path]:
    """Return the files of a journal, oldest first."""
    return sorted(path for path in folder.glob("*.journal") if path.stem.isdecimal())


def lost_files(folder: Path) -> tuple[Lack, ...]:
    """Return the files of a journal that were put aside, as nothing in them could be read."""
    found: list[Lack] = []
    for path in sorted(folder.glob(f"*{PUT_ASIDE}")):
        with contextlib.suppress(FileNotFoundError):
            found.append(lack_of_hour(path.name, path.stat().st_mtime_ns))
    return tuple(found)


def find_cuts(paths: list[Path]) -> Mapping[str, int]:
    """Return by name how much counts of the files of which others say so."""
    cuts: dict[str, int] = {}
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            head = first_head(map_file(path).data)
            for name, length in head.cuts if head else ():
                cuts[name] = min(length, cuts.get(name, length))
    return cuts


def _fill(index: Index, file: Views, kind: BlockType, blocks: list[tuple[int, int]]) -> None:
    """Take blocks, of which the body's place and the rows are given, into an index."""
    at: Int64s = np.array(blocks, np.int64).reshape(-1, 2)
    body, rows = at[:, 0], at[:, 1]
    time = (body // 8).tolist()
    series = ((body + series_place(kind, rows)) // 4).tolist()
    count = rows.tolist()
    for begin, end in _groups(count):
        some = range(begin, end)
        index.extend(
            body[begin:end],
            rows[begin:end],
            np.concatenate([file.int32[series[k] : series[k] + count[k]] for k in some]),
            np.concatenate([file.int64[time[k] : time[k] + count[k]] for k in some]),
        )


def _groups(rows: list[int]) -> Iterator[tuple[int, int]]:
    """Give runs of small blocks, and large ones by themselves, as first and last + 1."""
    begin = total = 0
    for k, n in enumerate(rows):
        if k > begin and total + n > _GROUP:
            yield begin, k
            begin, total = k, 0
        total += n
    if rows:
        yield begin, len(rows)


def _known_scalars(batch: ScalarBatch, unknown: Int32s) -> ScalarBatch:
    keep = ~np.isin(batch.series, unknown)
    return ScalarBatch(
        series=batch.series[keep],
        time=batch.time[keep],
        value=batch.value[keep],
        severity=batch.severity[keep],
        status=batch.status[keep],
        tag=batch.tag[keep],
    )


def _known_blobs(batch: BlobBatch, unknown: Int32s) -> Iterator[BlobBatch]:
    """Give the rows that are known one by one: their data are not neighbours any more."""
    for k in np.flatnonzero(~np.isin(batch.series, unknown)).tolist():
        row = slice(k, k + 1)
        begin, end = int(batch.offset[k]), int(batch.offset[k + 1])
        yield BlobBatch(
            series=batch.series[row],
            time=batch.time[row],
            severity=batch.severity[row],
            status=batch.status[row],
            tag=batch.tag[row],
            count=batch.count[row],
            offset=np.array([0, end - begin], np.int64),
            data=batch.data[begin:end],
        )
