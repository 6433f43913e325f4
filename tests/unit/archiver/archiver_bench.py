"""An archiver that is worked by hand, turn by turn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from archiver_fakes import SECOND, FakeClock, FakeSource

from linacre.archiver.model import ChannelSpec, Provider
from linacre.archiver.recording.running import Archiver
from linacre.archiver.service import ChannelState
from linacre.archiver.settings import Settings
from linacre.archiver.store.faults import FaultyFiles

SPECS = (ChannelSpec(pv="A"), ChannelSpec(pv="B"))


class Bench:
    """An archiver that is worked by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.files = FaultyFiles()
        self.sources: list[FakeSource] = []
        self.settings = Settings(data=folder, owner="me", pvs=SPECS)
        self.archiver: Archiver | None = None

    def make(self, ids) -> FakeSource:
        self.sources.append(FakeSource(ids, self.clock))
        return self.sources[-1]

    def open(self, **changes) -> Archiver:
        self.archiver = Archiver(
            replace(self.settings, **changes),
            {Provider.CA: self.make},
            clock=self.clock,
            files=self.files,
        )
        self.archiver.recorder.turn()
        return self.archiver

    def close(self) -> None:
        if self.archiver is not None:
            self.archiver.stop()
            self.archiver = None

    @property
    def source(self) -> FakeSource:
        return self.sources[-1]

    @property
    def now(self) -> int:
        return int(self.clock.now() * SECOND)

    def turn(self, seconds: float = 0.1) -> None:
        self.clock.move(seconds)
        self.archiver.recorder.turn()

    def values(self, pv: str) -> list[object]:
        table = self.archiver.reader.samples(pv, 0, 2**62)
        return table["value"].to_pylist()

    def state(self, pv: str) -> ChannelState:
        (found,) = self.archiver.control.status(pv)
        return found.state
