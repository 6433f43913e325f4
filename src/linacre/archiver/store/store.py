"""The store: samples wait in the journal and become segments, and are read as one meanwhile."""

from __future__ import annotations

import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from linacre.archiver.model import NANOSECONDS, BlobBatch, ScalarBatch, Series
from linacre.archiver.service import Event
from linacre.archiver.settings import DEFAULT_MEMORY, Settings
from linacre.archiver.store.compaction import Tiers
from linacre.archiver.store.files import Files
from linacre.archiver.store.journal.journal import Journal
from linacre.archiver.store.part import Part
from linacre.archiver.store.segments import Limits, Segment, SegmentSet
from linacre.archiver.store.segments.segment import Damage
from linacre.archiver.store.shelf import Interrupted, Keeping, Shelf, keeping_of, roots_of, tiers_of
from linacre.archiver.store.snapshot import Snapshot
from linacre.base.errors import LinacreError

_FEW = 100
"""So many PVs are looked up one by one; for more, a segment's whole index is read."""
_AGAIN_NS = 3600 * NANOSECONDS
"""How often the same failure is told."""


class Store:
    """An archive's journal and segments.

    The recorder thread calls `declare`, `append`, `sync`, `rotate` and `tick`; the maintenance
    thread `maintain`; any thread the others. Raises `LinacreError` where another process has it.
    """

    def __init__(
        self,
        journal: Path,
        tiers: Tiers,
        *,
        files: Files,
        clock: Callable[[], int],
        keeping: Keeping | None = None,
        memory: int = DEFAULT_MEMORY,
        limits: Limits | None = None,
    ) -> None:
        """Open or make the store; `memory` bounds what waits, in bytes."""
        self._clock = clock
        self._lock = threading.Lock()
        self._events: deque[Event] = deque(maxlen=10_000)
        self._told: dict[str, tuple[str, int]] = {}
        self._told_damage = 0
        self._clean: object = None
        keeping = keeping or Keeping()
        most = min(memory // 2, keeping.piece_bytes or memory)
        # What another process has must not be cleaned up: the journal's lock comes first.
        self._journal = Journal(
            journal,
            files=files,
            clock=clock,
            scalar_limit=min(64 * 2**20, memory // 8, most),
            blob_limit=min(256 * 2**20, most),
            waiting_limit=memory // 8,
            newest=SegmentSet.open(roots_of(tiers)).number,
        )
        try:
            self._shelf = Shelf(
                tiers,
                keeping,
                files=files,
                clock=clock,
                on_damage=self._on_damage,
                limits=limits,
            )
            replaced = self._shelf.set.replaces
            for file in self._journal.closed():
                if file.name in replaced:
                    self._journal.forget(file)
        except BaseException:
            self._journal.close()
            raise
        self.bytes = self._journal.bytes + self._shelf.set.bytes
        """What the store takes on disk, at the last maintenance."""

    @classmethod
    def of(cls, settings: Settings, *, files: Files, clock: Callable[[], int]) -> Store:
        """Open or make the store that settings describe."""
        return cls(
            settings.data / "short" / "journal",
            tiers_of(settings),
            files=files,
            clock=clock,
            keeping=keeping_of(settings),
            memory=settings.memory,
        )

    # -- The recorder thread -----------------------------------------------------------------

    def declare(self, series: Series) -> None:
        """Tell of a series before its first sample."""
        self._journal.declare(series)

    def append(self, scalars: Sequence[ScalarBatch], blobs: Sequence[BlobBatch]) -> None:
        """Take batches; they are safe after the next `sync`."""
        self._journal.append(scalars, blobs)

    def sync(self) -> None:
        """Make all that was appended safe, as far as the disk can."""
        self._journal.sync()

    def rotate(self) -> None:
        """Let all that was appended become a segment at the next maintenance."""
        self._journal.rotate()

    def tick(self) -> None:
        """Let time pass: an hour may end without a sample."""
        self._journal.rotate_if_due()

    def dropped(self) -> Mapping[Series, int]:
        """Return what was given up since this was last asked, as the disk was full."""
        lost = self._journal.dropped
        if not lost:
            return {}
        known = self._journal.series
        return {known[k]: n for k, n in lost.items() if k in known}

    def happened(self) -> list[Event]:
        """Return what is to be told since this was last asked."""
        damage = self._journal.damage
        while self._told_damage < len(damage):
            one = damage[self._told_damage]
            detail = {"file": one.file, "offset": one.offset, "bytes": one.length, "why": one.why}
            self._events.append(Event("", self._clock(), "damaged", detail))
            self._told_damage += 1
        found: list[Event] = []
        while self._events:
            found.append(self._events.popleft())
        return found

    @property
    def full(self) -> bool:
        """Whether the disk takes nothing at present."""
        return self._journal.full

    # -- Any thread --------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Return the parts of this instant: each sample is in exactly one."""
        with self._lock:
            found = self._shelf.set
            return Snapshot(self._journal.part(), found.segments, found.pvs, found.lost)

    def series(self) -> Iterable[Series]:
        """Return the series of the journal's samples."""
        return list(self._journal.series.values())

    def last_times(self, pvs: Iterable[str]) -> Mapping[str, int]:
        """Return the time of the newest sample of each PV that has one, ns."""
        left = set(pvs)
        with self._lock:
            hot, segments = self._journal.part(), self._shelf.set.segments
        found = _last_in(hot, left)
        for segment in reversed(segments):
            left -= found.keys()
            if not left:
                break
            found |= _last_in_segment(segment, left)
        return found

    @property
    def damaged(self) -> int:
        """How many blocks of what is kept were found damaged."""
        with self._lock:
            return self._journal.damaged + self._shelf.set.damaged

    # -- The maintenance thread --------------------------------------------------------------

    def maintain(self, erased: Mapping[str, int] | None = None) -> bool:
        """Make segments of closed journals, retire, merge; False where some of it failed.

        `erased`: up to when the samples of PVs are deleted. What fails is told and is tried again
        at the next call; a full disk is no end, and retiring may help it.
        """
        self._told = {k: v for k, v in self._told.items() if self._clock() - v[1] < _AGAIN_NS}
        done = [
            self._attempt("journal", self._flush),
            self._attempt("retention", self._retire),
            self._attempt("erasing", lambda: self._erase(erased or {})),
            self._attempt("merging", self._merge),
        ]
        self.bytes = self._journal.bytes + self._shelf.set.bytes
        return all(done)

    def hurry(self) -> None:
        """Let maintenance end at its next step: the process is about to."""
        self._shelf.hurry.set()

    def close(self) -> None:
        """Make all safe, and let the folder go."""
        self._journal.close()

    def _flush(self) -> None:
        for file in self._journal.closed():
            if self._shelf.hurry.is_set():
                return
            segment = self._shelf.make(file)
            # Readers see the samples move from one to the other in one step.
            with self._lock:
                self._shelf.add(segment)
                self._journal.forget(file)

    def _retire(self) -> None:
        for segment in self._shelf.retire(self._journal.bytes):
            detail = {"segment": segment.name, "samples": segment.rows, "bytes": segment.bytes}
            self._events.append(Event("", self._clock(), "retired", detail))

    def _erase(self, erased: Mapping[str, int]) -> None:
        state = (dict(erased), self._shelf.set)
        if not erased or state == self._clean:
            return
        self._shelf.erase(erased)
        self._clean = (dict(erased), self._shelf.set)

    def _merge(self) -> None:
        opened = [file.opened_ns for file in self._journal.closed()]
        self._shelf.merge(min(opened, default=None))

    def _attempt(self, what: str, work: Callable[[], None]) -> bool:
        try:
            work()
        except Interrupted:
            return True
        except Exception as error:
            if not isinstance(error, OSError | LinacreError):
                traceback.print_exception(error, file=sys.stderr)
            text = f"{type(error).__name__}: {error}"
            if self._told.get(what, ("", 0))[0] != text:
                self._told[what] = text, self._clock()
                detail = {"what": what, "why": text}
                self._events.append(Event("", self._clock(), "maintenance_failed", detail))
            return False
        return True

    def _on_damage(self, damage: Damage) -> None:
        detail = {
            "segment": damage.segment,
            "file": damage.file,
            "row_group": damage.row_group,
            "why": damage.why,
        }
        self._events.append(Event("", self._clock(), "damaged", detail))


def _last_in(part: Part, pvs: Iterable[str]) -> dict[str, int]:
    spans = {pv: part.span(pv) for pv in part.pvs().intersection(pvs)}
    return {pv: span[1] for pv, span in spans.items() if span is not None}


def _last_in_segment(segment: Segment, pvs: set[str]) -> dict[str, int]:
    if len(pvs) < _FEW:
        return _last_in(segment, pvs)
    found: dict[str, int] = {}
    for entry in segment.contents()[0]:
        if not entry.step_s and entry.pv in pvs:
            found[entry.pv] = max(entry.last_ns, found.get(entry.pv, entry.last_ns))
    return found
