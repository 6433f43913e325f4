"""A whole archiver without IOCs, as a process that can be killed: DATA SCALE ORIGIN.

Sample k of each PV has the time k * TICK_NS and the value k, so that what lacks and what is there
twice shows in the data. The archiver's clock runs SCALE times as fast, so that hours and days end.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from linacre.archiver.model import (
    ChannelSpec,
    Drained,
    Kind,
    Notice,
    NoticeKind,
    Provider,
    ScalarBatch,
)
from linacre.archiver.recording.running import Archiver
from linacre.archiver.settings import Settings

PVS = 20
TICK_S = 0.01


class FastClock:
    """The archiver's clock: `origin` is when, in real time, both clocks agree."""

    def __init__(self, origin: float, scale: float) -> None:
        self.origin, self.scale = origin, scale

    def now(self) -> float:
        return self.origin + (time.time() - self.origin) * self.scale

    def monotonic(self) -> float:
        return time.monotonic()

    @property
    def tick_ns(self) -> int:
        return int(TICK_S * self.scale * 1e9)


class Ticks:
    """A source of a counter for each PV."""

    def __init__(self, ids, clock: FastClock) -> None:
        self.ids, self.clock = ids, clock
        self.series, self.next = {}, {}
        self.notices = []

    def add(self, spec: ChannelSpec) -> None:
        now_ns = int(self.clock.now() * 1e9)
        series = self.series[spec.pv] = self.ids.series(spec.pv, Kind.INT64, "counter")
        tick = self.clock.tick_ns
        self.next[spec.pv] = max(now_ns // tick, spec.after_ns // tick + 1)
        self.notices.append(Notice(NoticeKind.CONNECTED, spec.pv, now_ns, series, {"host": "x"}))

    def remove(self, pv: str) -> None:
        self.series.pop(pv, None)

    def drain(self) -> Drained:
        notices, self.notices = self.notices, []
        batches = []
        newest = int(self.clock.now() * 1e9) // self.clock.tick_ns
        for pv, series in self.series.items():
            k = np.arange(self.next[pv], newest + 1, dtype=np.int64)
            if n := len(k):
                self.next[pv] = newest + 1
                zeros = np.zeros(n, np.int32)
                batches.append(
                    ScalarBatch(
                        series=np.full(n, series.id, np.int32),
                        time=k * self.clock.tick_ns,
                        value=k,
                        severity=zeros.astype(np.int8),
                        status=zeros.astype(np.int16),
                        tag=zeros,
                    )
                )
        return Drained(notices, batches, [])

    def close(self) -> list[Notice]:
        self.series.clear()
        return []


def main() -> None:
    data, scale, origin = Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    clock = FastClock(origin, scale)
    specs = tuple(ChannelSpec(pv=f"P{i}") for i in range(PVS))
    archiver = Archiver(
        Settings(data=data, pvs=specs), {Provider.CA: lambda ids: Ticks(ids, clock)}, clock=clock
    )

    def fail(name: str, error: BaseException) -> None:
        print(f"FAILED {name}: {error!r}", flush=True)

    archiver.start(fail)
    while archiver.control.info().samples == 0:
        time.sleep(0.005)
    print("READY", flush=True)
    time.sleep(600)


if __name__ == "__main__":
    main()
