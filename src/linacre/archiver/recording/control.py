"""What people may ask of an archiver; it is in the registry when the call returns.

The recorder's thread takes the wishes to the sources with its next turn.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from linacre import __version__
from linacre.archiver.errors import ReadOnlyError
from linacre.archiver.model import NANOSECONDS, ChannelSpec, Provider
from linacre.archiver.recording.follow import Follow, Followers
from linacre.archiver.recording.keeper import Keeper
from linacre.archiver.recording.status import Standings
from linacre.archiver.registry.registry import Registry
from linacre.archiver.registry.rows import Channel
from linacre.archiver.service import ChannelStatus, Event, Info, NoSuchPvError
from linacre.archiver.settings import Settings, check_specs, parse_duration, parse_time
from linacre.base.clock import Clock
from linacre.base.errors import LinacreError, UserError

LOSS_WINDOW_S = 1.0
"""What is promised: a kill costs nothing that was accepted earlier than so long before it."""


@dataclass(frozen=True)
class Wish:
    """What a source is to do, decided by a person."""

    pv: str
    provider: Provider
    add: Channel | None
    """None: take it off."""
    erase: bool = False


class ArchiverControl:
    """The `Control` of a running archiver; any thread may call."""

    def __init__(
        self,
        settings: Settings,
        *,
        providers: frozenset[Provider],
        registry: Registry,
        store: Keeper,
        clock: Clock,
    ) -> None:
        """Take up what the registry knows, and what the settings add to it."""
        self.standings = Standings()
        self.followers = Followers()
        self.wishes: deque[Wish] = deque()
        """For the sources, in the order in which they were asked for."""
        self.wake = threading.Event()
        """Set when there is something to do before the next turn is due."""
        self._settings = settings
        self._providers = providers
        self._registry = registry
        self._store = store
        self._clock = clock
        self._asking = threading.Lock()
        self._started_ns = self.now_ns()
        self._ends_ns = _end(settings, registry, self._started_ns)
        self._take_up()

    def add(self, specs: Sequence[ChannelSpec]) -> Mapping[str, bool]:
        """Archive PVs; False for those that were there already (their method is changed).

        Raises `UserError`, and adds none, where a name cannot be one.
        """
        check_specs(specs)
        missing = {spec.provider for spec in specs} - self._providers
        if missing:
            raise UserError(f"this archiver cannot reach PVs by {', '.join(sorted(missing))}")
        with self._asking:
            self._check_writable()
            now_ns = self.now_ns()
            found: dict[str, bool] = {}
            changed: list[Channel] = []
            for spec in {spec.pv: replace(spec, after_ns=0) for spec in specs}.values():
                old = self.standings.channel(spec.pv)
                found[spec.pv] = old is None
                if old is None:
                    owner = self._settings.owner
                    changed.append(Channel(spec=spec, added_ns=now_ns, added_by=owner))
                elif old.spec != spec:
                    changed.append(replace(old, spec=spec))
            new = [channel.spec.pv for channel in changed if found[channel.spec.pv]]
            stored = self._store.last_times(new)
            self._registry.put(changed)
            for channel in changed:
                pv = channel.spec.pv
                old = self.standings.channel(pv)
                if old is not None:
                    self.wishes.append(Wish(pv, old.spec.provider, None))
                self.standings.put(channel, now_ns, stored_ns=stored.get(pv, 0))
                if not channel.paused:
                    self.wishes.append(Wish(pv, channel.spec.provider, channel))
            self._tell(new, "added")
        self.wake.set()
        return found

    def pause(self, pvs: Sequence[str]) -> list[str]:
        """Take no more samples of them, until `resume`; return those that were not paused."""
        return self._set_paused(pvs, True)

    def resume(self, pvs: Sequence[str]) -> list[str]:
        """Take samples of them again; return those that were paused."""
        return self._set_paused(pvs, False)

    def remove(self, pvs: Sequence[str], *, delete_data: bool = False) -> None:
        """Archive them no more; their data stay and can be read unless they are deleted."""
        with self._asking:
            self._check_writable()
            if delete_data:
                self._erase(pvs)
            else:
                channels = self._known(pvs)
                self._registry.put([replace(channel, removed=True) for channel in channels])
                self._drop(channels, erase=False)
                self._tell([channel.spec.pv for channel in channels], "removed")
        self.wake.set()

    def extend(self, ends_ns: int | None) -> None:
        """Move the archiver's end; None: it has none."""
        with self._asking:
            self._registry.set({"ends_ns": "" if ends_ns is None else str(ends_ns)})
            self._ends_ns = ends_ns
        self.wake.set()

    def status(self, pattern: str = "*") -> list[ChannelStatus]:
        """Return the channels whose names match a glob pattern, sorted."""
        return self.standings.status(pattern, self._clock.monotonic(), self.now_ns())

    def info(self) -> Info:
        """Return the archiver as a whole."""
        pvs, connected, samples = self.standings.counts()
        return Info(
            name=self._settings.shown_name,
            version=__version__,
            started_ns=self._started_ns,
            ends_ns=self._ends_ns,
            owner=self._settings.owner,
            read_only=self.read_only,
            pvs=pvs,
            connected=connected,
            samples=samples,
            bytes=self._store.bytes,
            disk_full=self._store.full,
            damaged=self._store.damaged,
            misdated=self.standings.misdated(self.now_ns()),
            loss_window_s=LOSS_WINDOW_S,
        )

    def follow(self, pvs: Sequence[str]) -> Follow:
        """Begin to give new samples of some PVs."""
        for pv in pvs:
            if self.standings.channel(pv) is None:
                raise NoSuchPvError(pv)
        return self.followers.follow(pvs)

    @property
    def read_only(self) -> bool:
        """Whether the end has come."""
        return self._ends_ns is not None and self.now_ns() >= self._ends_ns

    @property
    def ends_ns(self) -> int | None:
        """When the end comes."""
        return self._ends_ns

    def last_ns(self, pv: str) -> int:
        """Return the time of a PV's newest sample, also of one that is archived no more."""
        ids = [series.id for series in self._registry.series_of(pv)]
        return self.standings.last_ns(pv, ids)

    def now_ns(self) -> int:
        """Return the time of the archiver's clock."""
        return int(self._clock.now() * NANOSECONDS)

    def wish_all(self) -> None:
        """Let the sources take all channels that are not paused.

        Those with samples first: clients search for thousands of names one after another, and
        names that nobody serves, typing errors and all, are not to stand before the others.
        """
        channels = self.standings.channels()
        for channel in sorted(channels, key=lambda one: not self.last_ns(one.spec.pv)):
            if not channel.paused:
                self.wishes.append(Wish(channel.spec.pv, channel.spec.provider, channel))

    def _take_up(self) -> None:
        """Begin with what the registry knows and what the settings add."""
        channels = {channel.spec.pv: channel for channel in self._registry.channels()}
        added = [
            Channel(spec=spec, added_ns=self._started_ns, added_by=self._settings.owner)
            for spec in {spec.pv: spec for spec in self._settings.pvs}.values()
            if spec.pv not in channels
        ]
        if added and not self.read_only:
            check_specs([channel.spec for channel in added])
            # Where the disk takes nothing now, they are archived all the same; the settings name
            # them at the next start too.
            with contextlib.suppress(LinacreError):
                self._registry.put(added)
            channels |= {channel.spec.pv: channel for channel in added}
        stored = self._store.last_times(channels)
        for pv, channel in channels.items():
            self.standings.put(channel, self._started_ns, stored_ns=stored.get(pv, 0))
        self.standings.ended = self.read_only
        if not self.read_only:
            self.wish_all()

    def _set_paused(self, pvs: Sequence[str], paused: bool) -> list[str]:
        with self._asking:
            self._check_writable()
            changed = [c for c in self._known(pvs) if c.paused != paused]
            channels = [replace(channel, paused=paused) for channel in changed]
            self._registry.put(channels)
            for channel in channels:
                pv, provider = channel.spec.pv, channel.spec.provider
                self.standings.put(channel, self.now_ns())
                self.wishes.append(Wish(pv, provider, None if paused else channel))
            names = [channel.spec.pv for channel in channels]
            self._tell(names, "paused" if paused else "resumed")
        self.wake.set()
        return names

    def _tell(self, pvs: Sequence[str], what: str) -> None:
        """Write down what people did: it is why there are no samples."""
        now_ns = self.now_ns()
        for pv in pvs:
            self._registry.note(Event(pv, now_ns, what, {}))

    def _known(self, pvs: Sequence[str]) -> list[Channel]:
        found: list[Channel] = []
        for pv in dict.fromkeys(pvs):
            channel = self.standings.channel(pv)
            if channel is None:
                raise NoSuchPvError(pv)
            found.append(channel)
        return found

    def _erase(self, pvs: Sequence[str]) -> None:
        """Delete PVs with their data, those too that are archived no more."""
        former = {channel.spec.pv: channel for channel in self._registry.channels(removed=True)}
        names = list(dict.fromkeys(pvs))
        channels = self._known([pv for pv in names if pv not in former])
        stored = self._store.last_times(names)
        last = {pv: max(stored.get(pv, 0), self.last_ns(pv)) for pv in names}
        self._registry.forget(names, erased_until_ns={pv: t for pv, t in last.items() if t})
        self._drop(channels, erase=True)

    def _drop(self, channels: Sequence[Channel], *, erase: bool) -> None:
        for channel in channels:
            pv = channel.spec.pv
            self.standings.drop(pv)
            self.wishes.append(Wish(pv, channel.spec.provider, None, erase))

    def _check_writable(self) -> None:
        if self.read_only:
            name = self._settings.shown_name
            raise ReadOnlyError(f"the archiver {name} is past its end: extend it first")


def _end(settings: Settings, registry: Registry, now_ns: int) -> int | None:
    """Return when the archiver ends: as the settings say when they say something new."""
    said = f"{settings.until} {settings.lasting}".strip()
    if said != (registry.setting("end_said") or ""):
        ends_ns = parse_time(settings.until) if settings.until else None
        if settings.lasting:
            ends_ns = now_ns + int(parse_duration(settings.lasting) * NANOSECONDS)
        text = "" if ends_ns is None else str(ends_ns)
        registry.set({"end_said": said, "ends_ns": text})
    text = registry.setting("ends_ns")
    return int(text) if text else None
