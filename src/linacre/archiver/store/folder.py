"""A store that is only read, whether or not an archiver writes it at the same time."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from linacre.archiver.store.compaction import Tiers
from linacre.archiver.store.hot import HotPart
from linacre.archiver.store.journal.read import (
    JournalFile,
    Names,
    find_cuts,
    journal_paths,
    lost_files,
    read_file,
)
from linacre.archiver.store.segments import Cache, SegmentSet
from linacre.archiver.store.segments.names import UNFINISHED
from linacre.archiver.store.snapshot import Snapshot
from linacre.base.errors import LinacreError

_TRIES = 20


@dataclass(frozen=True)
class _Listing:
    journals: Mapping[Path, int]
    """With their sizes."""
    segments: Sequence[Path]

    @property
    def names(self) -> tuple[list[Path], Sequence[Path]]:
        return list(self.journals), self.segments


class FolderStore:
    """The journal and the segments in a folder, read again when they changed.

    Raises `LinacreError` where there is no archive.
    """

    def __init__(self, journal: Path, tiers: Tiers) -> None:
        self._roots = list(dict.fromkeys((tiers.short, tiers.medium, tiers.long)))
        if not journal.is_dir() and not any(root.is_dir() for root in self._roots):
            raise LinacreError(f"there is no archive in {journal.parents[1]}")
        self._journal = journal
        self._lock = threading.Lock()
        self._listing: _Listing | None = None
        self._names = Names()
        self._files: dict[Path, tuple[int, JournalFile]] = {}
        self._set = SegmentSet([], Cache())
        self._snapshot = Snapshot(HotPart([], self._names), ())

    def snapshot(self) -> Snapshot:
        """Return the parts of this instant: each sample is in exactly one."""
        with self._lock:
            for _ in range(_TRIES):
                listing = self._list()
                if listing == self._listing:
                    break
                try:
                    self._read(listing)
                except FileNotFoundError:
                    continue
                # While the names were read, some may have become others.
                if self._list().names == listing.names:
                    self._listing = listing
                    break
            else:
                self._listing = None
            return self._snapshot

    def _list(self) -> _Listing:
        # Journals first: what vanishes from them is in a segment by then.
        journals: dict[Path, int] = {}
        for path in journal_paths(self._journal):
            try:
                journals[path] = path.stat().st_size
            except FileNotFoundError:
                continue
        found = [path for root in self._roots for path in root.glob("[0-9]*/[0-9]*/*")]
        return _Listing(journals, sorted(p for p in found if not p.name.startswith(UNFINISHED)))

    def _read(self, listing: _Listing) -> None:
        if self._listing is None or listing.segments != self._listing.segments:
            self._set = SegmentSet.open(self._roots, cache=self._set.cache)
        replaced = self._set.replaces
        paths = [path for path in listing.journals if path.name not in replaced]
        cuts = find_cuts(paths)
        files: dict[Path, tuple[int, JournalFile]] = {}
        for path in paths:
            known = self._files.get(path)
            size = listing.journals[path]
            if known is None or known[0] != size or path.name in cuts:
                known = size, read_file(path, self._names, [], cuts.get(path.name))
            files[path] = known
        self._files = files
        views = [file.view() for _, file in files.values() if file.rows or file.lacks]
        hot = HotPart(views, self._names, lost_files(self._journal))
        self._snapshot = Snapshot(hot, self._set.segments, self._set.pvs, self._set.lost)
