"""A running archiver: its store, its registry, and the two threads that work for it."""

from __future__ import annotations

import contextlib
import sys
import threading
import traceback
from collections.abc import Callable, Mapping

from linacre.archiver.model import NANOSECONDS, Provider
from linacre.archiver.reading.query import Query
from linacre.archiver.recording.control import ArchiverControl
from linacre.archiver.recording.keeper import rebuild
from linacre.archiver.recording.recorder import MakeSource, Recorder
from linacre.archiver.registry.registry import COPY_NAME, Registry
from linacre.archiver.service import Event
from linacre.archiver.settings import Settings
from linacre.archiver.store.files import Files, OsFiles
from linacre.archiver.store.store import Store
from linacre.base.clock import Clock, SystemClock
from linacre.base.errors import LinacreError

TURN_S = 0.1
REST_S = 1.0
"""Between two looks whether there is maintenance to do."""
REST_AFTER_FAILURE_S = 10.0
COPY_S = 86400.0

OnFailure = Callable[[str, BaseException], None]


class Archiver:
    """One archiver on a folder; raises `LinacreError` where another process has the folder."""

    def __init__(
        self,
        settings: Settings,
        sources: Mapping[Provider, MakeSource],
        *,
        clock: Clock | None = None,
        files: Files | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        settings.data.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            # First, since the store's lock keeps a second archiver from the registry too.
            self.store = Store.of(settings, files=files or OsFiles(), clock=self._now_ns)
            stack.callback(self.store.close)
            self.registry = Registry.open(settings.data, now_ns=self._now_ns)
            stack.callback(self.registry.close)
            rebuild(self.registry, self.store, self._now_ns())
            self.control = ArchiverControl(
                settings,
                providers=frozenset(sources),
                registry=self.registry,
                store=self.store,
                clock=self._clock,
            )
            self.recorder = Recorder(
                self.control,
                sources,
                registry=self.registry,
                store=self.store,
                clock=self._clock,
            )
            self.reader = Query(self.store.snapshot, self.registry)
            stack.pop_all()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._max_age_s = settings.max_age_s
        self._copy = settings.data / COPY_NAME
        self._pruned_s = self._clock.monotonic()

    def start(self, on_failure: OnFailure) -> None:
        """Begin to work; `on_failure` is told of a thread that ends with an error."""
        for name, work in (("recorder", self._record), ("maintenance", self._maintain)):
            thread = threading.Thread(
                target=_guarded, args=(name, work, on_failure), name=name, daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Take what came, make it safe, and end; maintenance ends at its next step."""
        self._stopping.set()
        self.control.wake.set()
        self.store.hurry()
        for thread in self._threads:
            thread.join()
        if not self._threads:
            self.recorder.close()
        self.store.close()
        self.registry.close()

    def maintain(self) -> bool:
        """Look once after the store and the registry; False where some of it failed."""
        done = self.store.maintain(self.registry.erased())
        # The copy has what was deleted still, and its room.
        if self.registry.give_back() or self._copy_is_due():
            try:
                self.registry.copy()
            except LinacreError as error:
                self._report(error)
                done = False
        if self._max_age_s is not None and self._clock.monotonic() - self._pruned_s > COPY_S:
            self._pruned_s = self._clock.monotonic()
            self.registry.forget_events(self._now_ns() - int(self._max_age_s * NANOSECONDS))
        return done

    def _record(self) -> None:
        while not self._stopping.is_set():
            begun = self._clock.monotonic()
            self.recorder.turn()
            self.control.wake.wait(max(0.0, begun + TURN_S - self._clock.monotonic()))
        # The sources are closed by the thread that made them.
        self.recorder.close()

    def _maintain(self) -> None:
        rest_s = REST_S
        while not self._stopping.wait(rest_s):
            try:
                rest_s = REST_S if self.maintain() else REST_AFTER_FAILURE_S
            except Exception as error:
                # Samples go on being taken: a month that cannot be merged is no reason to stop.
                traceback.print_exception(error, file=sys.stderr)
                self._report(error)
                rest_s = REST_AFTER_FAILURE_S

    def _report(self, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"
        print(f"linacre-archiver: maintenance: {text}", file=sys.stderr, flush=True)
        self.registry.note(Event("", self._now_ns(), "maintenance_failed", {"why": text}))

    def _copy_is_due(self) -> bool:
        try:
            age_s = self._clock.now() - self._copy.stat().st_mtime
        except FileNotFoundError:
            return True
        # A copy from the future was made before the clock was set back.
        return not 0 <= age_s < COPY_S

    def _now_ns(self) -> int:
        return int(self._clock.now() * NANOSECONDS)


def _guarded(name: str, work: Callable[[], None], on_failure: OnFailure) -> None:
    try:
        work()
    except BaseException as error:
        on_failure(name, error)
