"""The segments of a running archive: how they are made of journals, and how they age."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from linacre.archiver.settings import Settings
from linacre.archiver.store import compaction, retention
from linacre.archiver.store.compaction import Tiers
from linacre.archiver.store.files import Files
from linacre.archiver.store.journal.read import JournalFile
from linacre.archiver.store.retention import Rule
from linacre.archiver.store.segments import (
    Cache,
    Damage,
    Level,
    Limits,
    Segment,
    SegmentSet,
    write_segment,
)

_PIECES = 16
_LEAST_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """For how long samples are kept; None: for ever."""

    short_age_s: float | None = None
    medium_age_s: float | None = None
    max_age_s: float | None = None
    max_bytes: int | None = None
    """Of all tiers together, the journal too."""

    @property
    def piece_bytes(self) -> int | None:
        """How large a journal or a segment may grow, so that what goes at once is a small part.

        A merge has room beside what is kept, too.
        """
        if self.max_bytes is None:
            return None
        return max(_LEAST_PIECE_BYTES, self.max_bytes // _PIECES)


class Interrupted(Exception):  # noqa: N818
    """Work that was given up, since the process is to end."""


class Shelf:
    """All segments; the maintenance thread changes them, any thread may take the present set."""

    def __init__(
        self,
        tiers: Tiers,
        keeping: Keeping,
        *,
        files: Files,
        clock: Callable[[], int],
        on_damage: Callable[[Damage], None],
        limits: Limits | None = None,
    ) -> None:
        """Clean up what a kill left over."""
        self._tiers = tiers
        self._keeping = keeping
        self._files = files
        self._clock = clock
        self._on_damage = on_damage
        self._limits = _limited(limits or Limits(), keeping.piece_bytes)
        self._cache = Cache()
        folders = roots_of(tiers)
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        self.set = SegmentSet.open(folders, files=files, cache=self._cache, on_damage=on_damage)
        self.hurry = threading.Event()
        """Set when the process is to end: long work is given up."""

    def make(self, file: JournalFile) -> Segment:
        """Write the segment of a closed journal; it is not in the set yet."""
        return write_segment(
            self._tiers.folder(Level.FLUSH),
            level=Level.FLUSH,
            start_ns=file.opened_ns,
            number=int(Path(file.name).stem),
            series=file.series,
            scalars=list(file.scalars()),
            blobs=list(file.blobs()),
            replaces=[file.name],
            lacks=file.lacks,
            files=self._files,
            limits=self._limits,
            cache=self._cache,
            on_damage=self._on_damage,
        )

    def add(self, segment: Segment) -> None:
        """Put a new segment into the set."""
        self.set = self.set.replaced([], [segment])

    def merge(self, open_ns: int | None) -> None:
        """Merge what is due; `open_ns`: when the oldest journal that is no segment was begun."""
        found = compaction.due(
            self.set.segments,
            self._clock(),
            tiers=self._tiers,
            open_ns=open_ns,
            limits=self._limits,
        )
        for merge in found:
            self._check()
            new = compaction.merge(
                merge,
                files=self._files,
                limits=self._limits,
                cache=self._cache,
                on_damage=self._on_damage,
                check=self._check,
            )
            self.set = self.set.replaced(merge.inputs, [new])
            compaction.discard(merge.inputs, files=self._files)

    def erase(self, until_ns: Mapping[str, int]) -> None:
        """Write segments anew without the samples of PVs that are deleted up to a time."""
        for segment in self.set.segments:
            gone: list[str] = []
            for pv, until in until_ns.items():
                span = segment.span(pv)
                if span is not None and span[1] <= until:
                    gone.append(pv)
            if not gone:
                continue
            self._check()
            new = compaction.rewrite_without(
                segment,
                gone,
                files=self._files,
                limits=self._limits,
                cache=self._cache,
                on_damage=self._on_damage,
                check=self._check,
            )
            if new is not None:
                self.set = self.set.replaced([segment], [new])
                compaction.discard([segment], files=self._files)

    def retire(self, other_bytes: int) -> list[Segment]:
        """Delete and return what is too old or too much; `other_bytes` count too."""
        keeping = self._keeping
        rules: dict[Path, Rule] = {}
        for root, age_s in (
            (self._tiers.short, keeping.short_age_s),
            (self._tiers.medium, keeping.medium_age_s),
            (self._tiers.long, None),
        ):
            ages = [a for a in (age_s, keeping.max_age_s) if a is not None]
            if ages and root not in rules:
                rules[root] = Rule(max_age_s=min(ages))
        gone = retention.due(self.set.segments, self._clock(), rules)
        if keeping.max_bytes is not None:
            left = [segment for segment in self.set.segments if segment not in gone]
            room = other_bytes + sum(segment.bytes for segment in left)
            for segment in left:
                if room <= keeping.max_bytes:
                    break
                gone.append(segment)
                room -= segment.bytes
        if gone:
            self.set = self.set.replaced(gone, [])
            retention.remove(gone, files=self._files)
        return gone

    def _check(self) -> None:
        if self.hurry.is_set():
            raise Interrupted


def _limited(limits: Limits, most_bytes: int | None) -> Limits:
    if most_bytes is None:
        return limits
    return replace(limits, segment_bytes=min(limits.segment_bytes, most_bytes))


def roots_of(tiers: Tiers) -> list[Path]:
    """Return the folders of segments, each once."""
    return list(dict.fromkeys((tiers.short, tiers.medium, tiers.long)))


def tiers_of(settings: Settings) -> Tiers:
    """Return where the tiers of an archive are."""
    data = settings.data
    return Tiers(
        short=data / "short" / "segments",
        medium=(settings.medium or data / "medium") / "segments",
        long=(settings.long or data / "long") / "segments",
    )


def keeping_of(settings: Settings) -> Keeping:
    """Return for how long samples are to be kept."""
    return Keeping(
        short_age_s=settings.short_age_s,
        medium_age_s=settings.medium_age_s,
        max_age_s=settings.max_age_s,
        max_bytes=settings.max_bytes,
    )
