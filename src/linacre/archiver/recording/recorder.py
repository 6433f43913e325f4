"""The archiver at work: takes what sources have and keeps it.

One thread calls `turn` each tenth of a second; it alone calls the sources.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from linacre.archiver.events import Throttle
from linacre.archiver.model import (
    ChannelSpec,
    Drop,
    Notice,
    NoticeKind,
    Provider,
    SeriesIds,
    Source,
)
from linacre.archiver.recording.control import ArchiverControl
from linacre.archiver.recording.keeper import Keeper
from linacre.archiver.registry.registry import Registry
from linacre.archiver.registry.rows import Channel, metadata_from
from linacre.archiver.service import Event
from linacre.base.clock import Clock

SYNC_S = 0.3
"""How often samples are made safe: with a drain each 0.1 s, none waits for longer than 0.5 s."""
GRANT_S = 0.1
"""For how long a turn passes on what people asked for; the rest waits for the next turn."""
_MOST_DRAINS = 40
"""At an end, or before samples are erased, so often at most: a flood would not let it end."""

MakeSource = Callable[[SeriesIds], Source]


class Recorder:
    """The work of an archiver's recorder thread."""

    def __init__(
        self,
        control: ArchiverControl,
        sources: Mapping[Provider, MakeSource],
        *,
        registry: Registry,
        store: Keeper,
        clock: Clock,
    ) -> None:
        """Take `sources` as what makes them; one is made when the first of its PVs is archived."""
        self._control = control
        self._makers = sources
        self._registry = registry
        self._store = store
        self._clock = clock
        self._sources: dict[Provider, Source] = {}
        self._throttle = Throttle()
        self._unsafe_since: float | None = None
        self._was_full = False
        self._erased = False
        """Whether samples are deleted that are in the present journal still."""

    def turn(self) -> None:
        """Take what sources have, keep it, and pass on what people asked for."""
        self._control.wake.clear()
        if self._control.read_only != self._control.standings.ended:
            self._end() if self._control.read_only else self._revive()
        self._drain()
        self._grant()
        self._sync_if_due()
        self._store.tick()
        now_s = self._clock.monotonic()
        self._control.standings.tick(now_s)
        for event in self._throttle.due(now_s):
            self._registry.note(event)
        self._note_store()
        self._registry.flush()

    def close(self) -> None:
        """Take what is there still, make it safe, and give up the channels."""
        if not self._control.standings.ended:
            self._drain_all()
        self._close_sources()
        self._sync()
        for event in self._throttle.rest():
            self._registry.note(event)
        self._note_store()
        self._registry.flush()
        self._control.followers.close()

    def _drain_all(self) -> None:
        """Take also what sources would leave for the next turn."""
        for _ in range(_MOST_DRAINS):
            if not self._drain():
                return
            self._sync_if_due()

    def _drain(self) -> bool:
        """Take what sources have, and keep it; returns whether something waits there still."""
        more = False
        for source in self._sources.values():
            drained = source.drain()
            more = more or drained.more
            for notice in drained.notices:
                self._take_notice(notice)
            if not drained.scalars and not drained.blobs:
                continue
            # A series is in the registry before its first sample is in the journal.
            self._registry.flush()
            self._store.append(drained.scalars, drained.blobs)
            if self._unsafe_since is None:
                self._unsafe_since = self._clock.monotonic()
            self._control.standings.stored([*drained.scalars, *drained.blobs])
            self._control.followers.push(drained.scalars, drained.blobs, self._registry.all_series)
        if more:
            self._control.wake.set()
        return more

    def _take_notice(self, notice: Notice) -> None:
        if notice.series is not None:
            self._store.declare(notice.series)
        self._control.standings.told(notice)
        detail: Mapping[str, object] = notice.detail
        if notice.kind is NoticeKind.METADATA:
            known = self._registry.describes(notice.pv)
            metadata = metadata_from(notice.detail)
            from_ns = notice.time_ns if notice.from_ns is None else notice.from_ns
            changed = self._registry.note_metadata(notice.pv, from_ns, metadata)
            if not changed or not known:
                return
        self._note(Event(notice.pv, notice.time_ns, notice.kind, detail))

    def _note(self, event: Event) -> None:
        now = self._throttle.take(event, self._clock.monotonic())
        if now is not None:
            self._registry.note(now)

    def _note_store(self) -> None:
        now_ns = self._control.now_ns()
        for series, number in self._store.dropped().items():
            self._control.standings.given_up(series.id, number)
            self._take_notice(
                Notice(NoticeKind.DROPPED, series.pv, now_ns, None, {Drop.DISK: number})
            )
        for event in self._store.happened():
            self._registry.note(event)
        if self._store.full != self._was_full:
            self._was_full = self._store.full
            kind = "disk_full" if self._was_full else "disk_has_room"
            self._note(Event("", now_ns, kind, {}))

    def _grant(self) -> None:
        """Tell the sources what people asked for."""
        until_s = self._clock.monotonic() + GRANT_S
        while self._control.wishes and not self._control.standings.ended:
            if self._clock.monotonic() >= until_s:
                self._control.wake.set()
                return
            wish = self._control.wishes.popleft()
            if wish.add is not None and wish.provider not in self._makers:
                detail = {"why": f"this archiver cannot reach PVs by {wish.provider}"}
                now_ns = self._control.now_ns()
                self._take_notice(Notice(NoticeKind.REFUSED, wish.pv, now_ns, None, detail))
            elif wish.add is not None:
                self._source(wish.provider).add(self._spec_after(wish.add))
            elif wish.provider in self._sources:
                self._sources[wish.provider].remove(wish.pv)
                # What is in its buffer is the PV's newest when it is added again.
                self._drain_all() if wish.erase else self._drain()
                if wish.erase:
                    self._registry.erase({wish.pv: self._control.last_ns(wish.pv)})
                    self._erased = True
        if self._erased:
            # Segments are written anew without them, and give their room back; journals are not.
            self._erased = False
            self._sync()
            self._store.rotate()

    def _spec_after(self, channel: Channel) -> ChannelSpec:
        return replace(channel.spec, after_ns=self._control.last_ns(channel.spec.pv))

    def _source(self, provider: Provider) -> Source:
        if provider not in self._sources:
            self._sources[provider] = self._makers[provider](self._registry)
        return self._sources[provider]

    def _sync_if_due(self) -> None:
        now_s = self._clock.monotonic()
        if self._unsafe_since is not None and now_s - self._unsafe_since >= SYNC_S:
            self._sync()

    def _sync(self) -> None:
        self._store.sync()
        self._unsafe_since = None

    def _close_sources(self) -> None:
        for source in self._sources.values():
            for notice in source.close():
                self._take_notice(notice)
        self._sources.clear()

    def _end(self) -> None:
        self._drain_all()
        self._close_sources()
        self._control.wishes.clear()
        self._sync()
        self._store.rotate()
        self._control.standings.ended = True
        self._note(Event("", self._control.now_ns(), "ended", {}))

    def _revive(self) -> None:
        self._control.standings.ended = False
        self._control.standings.restart(self._control.now_ns())
        self._control.wish_all()
        self._note(
            Event("", self._control.now_ns(), "extended", {"ends_ns": self._control.ends_ns})
        )
