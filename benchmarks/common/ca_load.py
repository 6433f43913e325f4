"""The CPU that an event of Channel Access costs those who take it.

Three clients, one after the other in this process, of the same IOC: a callback in C that writes a
row to a ring, the archiver's source drained into nothing, and aioca with a callback that counts.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import linacre.archiver.channels
from common.ca_iocs import PERIOD_S, FastIoc, fast_ioc, wave_ioc
from common.conditions import say
from common.processes import cpu_of
from linacre.archiver.channels.ca import CaSource
from linacre.archiver.model import ChannelSpec, Kind, Series
from linacre.base.errors import LinacreError
from linacre.epics.libca import find_libca

SETTLE_S = 1.0
LIMIT_S = 60.0
AIOCA_PVS = 400
"""So few that Python keeps up."""
_CHANNELS = Path(linacre.archiver.channels.__file__).parent


@dataclass(frozen=True)
class Cost:
    """What one client used in its window."""

    pvs: int
    events: int
    events_hz: float
    cpu_us_per_event: float
    """Of this whole process."""
    cpu_share: float
    """Of one core."""
    ioc_cpu_share: float


@dataclass(frozen=True)
class WaveCost:
    """What taking waveforms used, and how much came."""

    elements: int
    events_hz: float
    mb_per_s: float
    cpu_share: float
    """Of one core, for this whole process."""
    lost: int
    """Waveforms that did not come: the server keeps one copy, so a late event is of the newest."""


@dataclass(frozen=True)
class CaLoad:
    """The three costs."""

    bare_c: Cost
    source: Cost
    aioca: Cost
    lost: int
    """Events that the archiver's source lacked, in a window of its own."""
    dropped: int
    """Of those, the ones that it refused."""


def measure(ioc: FastIoc, *, seconds: float = 5.0) -> CaLoad:
    """Measure the three clients, each for so long; `LinacreError` where one cannot connect."""
    bare_c = _bare_c(ioc, seconds)
    say(f"bare C: {bare_c}")
    source, lost, dropped = _source(ioc, seconds)
    say(f"source: {source}, {lost} lost, {dropped} dropped")
    aioca = asyncio.run(_aioca(ioc, seconds))
    say(f"aioca: {aioca}")
    return CaLoad(bare_c=bare_c, source=source, aioca=aioca, lost=lost, dropped=dropped)


def measure_waves(ioc: FastIoc, *, seconds: float = 5.0) -> WaveCost:
    """Measure the archiver's source with waveforms, whose first elements count."""
    source = CaSource(_Ids())
    heads: dict[int, list[float]] = {}
    elements = 0

    def take(batch: Any) -> None:
        nonlocal elements
        for series, start in zip(batch.series, batch.offset, strict=False):
            head = np.frombuffer(batch.data, np.float64, 1, int(start))[0]
            heads.setdefault(int(series), []).append(float(head))
        elements = int(batch.count[0])

    try:
        for pv in ioc.pvs:
            source.add(ChannelSpec(pv=pv))
        _wait("waveforms of all PVs", lambda: _drained(source) > 3 * len(ioc.pvs))
        _drain_for(source, SETTLE_S, lambda _: None)
        window = _Window(ioc, len(ioc.pvs), source.totals().events)
        _drain_for(source, seconds, take)
        cost = window.close(source.totals().events)
    finally:
        source.close()
    return WaveCost(
        elements=elements,
        events_hz=cost.events_hz,
        mb_per_s=round(cost.events_hz * elements * 8 / 1e6, 1),
        cpu_share=cost.cpu_share,
        lost=int(sum(seen[-1] - seen[0] + 1 - len(seen) for seen in heads.values())),
    )


def _wait(what: str, look: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT_S
    while not look():
        if time.monotonic() > end:
            raise LinacreError(f"not within {LIMIT_S} s: {what}")
        time.sleep(PERIOD_S)


class _Window:
    """What is used from its making until `close`."""

    def __init__(self, ioc: FastIoc, pvs: int, events: int) -> None:
        self._pvs, self._events, self._pid = pvs, events, ioc.pid
        self._ioc_cpu = cpu_of([ioc.pid])
        self._cpu, self._begun = time.process_time(), time.monotonic()

    def close(self, events: int) -> Cost:
        cpu, took = time.process_time() - self._cpu, time.monotonic() - self._begun
        n = max(events - self._events, 1)
        return Cost(
            pvs=self._pvs,
            events=n,
            events_hz=round(n / took),
            cpu_us_per_event=round(cpu / n * 1e6, 3),
            cpu_share=round(cpu / took, 4),
            ioc_cpu_share=round((cpu_of([self._pid]) - self._ioc_cpu) / took, 3),
        )


def _bare_c(ioc: FastIoc, seconds: float) -> Cost:
    with tempfile.TemporaryDirectory() as folder:
        library = _compiled(Path(folder))
        names = (ctypes.c_char_p * len(ioc.pvs))(*(pv.encode() for pv in ioc.pvs))
        if not library.bare_begin(str(find_libca()).encode(), names, len(names)):
            raise LinacreError("libca cannot be used")
        try:
            _wait("events of all PVs", lambda: library.bare_events() > 3 * len(names))
            time.sleep(SETTLE_S)
            window = _Window(ioc, len(names), library.bare_events())
            time.sleep(seconds)
            return window.close(library.bare_events())
        finally:
            library.bare_end()


def _compiled(folder: Path) -> Any:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise LinacreError("no C compiler: apt-get install gcc")
    source, target = Path(__file__).with_name("bare_ca.c"), folder / "bare_ca.so"
    command = [compiler, "-O2", "-shared", "-fPIC", f"-I{_CHANNELS}", "-o", str(target)]
    subprocess.run([*command, str(source), "-ldl"], check=True)
    library: Any = ctypes.CDLL(str(target))
    library.bare_events.restype = ctypes.c_int64
    library.bare_end.restype = None
    return library


class _Ids:
    def __init__(self) -> None:
        self._n = 0

    def series(self, pv: str, kind: Kind, native: str) -> Series:
        self._n += 1
        return Series(self._n, pv, kind, native)


def _source(ioc: FastIoc, seconds: float) -> tuple[Cost, int, int]:
    source = CaSource(_Ids())
    try:
        for pv in ioc.pvs:
            source.add(ChannelSpec(pv=pv))
        _wait("events of all PVs", lambda: _drained(source) > 3 * len(ioc.pvs))
        _drain_for(source, SETTLE_S, lambda _: None)
        window = _Window(ioc, len(ioc.pvs), source.totals().events)
        _drain_for(source, seconds, lambda _: None)
        cost = window.close(source.totals().events)
        before = sum(source.totals().drops.values())
        lost = _lost(source, len(ioc.pvs), seconds)
        return cost, lost, sum(source.totals().drops.values()) - before
    finally:
        source.close()


def _drained(source: CaSource) -> int:
    while source.drain().more:
        pass
    return source.totals().events


def _drain_for(source: CaSource, seconds: float, take: Callable[[Any], None]) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        drained = source.drain()
        for batch in (*drained.scalars, *drained.blobs):
            take(batch)
        if not drained.more:
            time.sleep(PERIOD_S)


def _lost(source: CaSource, pvs: int, seconds: float) -> int:
    """Return how many of the numbers that the records count to did not come."""
    first, last = np.zeros(pvs + 1), np.zeros(pvs + 1)
    counts = np.zeros(pvs + 1, np.int64)

    def take(batch: Any) -> None:
        value = batch.value.view(np.float64)
        last[batch.series] = value
        new = counts[batch.series] == 0
        # The earliest is written last.
        first[batch.series[new][::-1]] = value[new][::-1]
        counts[:] += np.bincount(batch.series, minlength=pvs + 1)

    source.drain()
    _drain_for(source, seconds, take)
    seen = counts > 0
    return int((last - first + 1 - counts)[seen].sum())


async def _aioca(ioc: FastIoc, seconds: float) -> Cost:
    from aioca import FORMAT_TIME, camonitor, purge_channel_caches

    pvs, events = list(ioc.pvs[:AIOCA_PVS]), 0

    def count(_: object) -> None:
        nonlocal events
        events += 1

    monitors = [camonitor(pv, count, format=FORMAT_TIME, all_updates=True) for pv in pvs]
    try:
        end = time.monotonic() + LIMIT_S
        while events < 3 * len(pvs):
            if time.monotonic() > end:
                raise LinacreError("aioca does not connect")
            await asyncio.sleep(PERIOD_S)
        window = _Window(ioc, len(pvs), events)
        await asyncio.sleep(seconds)
        return window.close(events)
    finally:
        for monitor in monitors:
            monitor.close()
        # Its channels would tell a loop that is closed of the IOC's end.
        purge_channel_caches()


def main() -> int:
    """Print the costs as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    with fast_ioc(options.records) as ioc:
        result = {"scalars": asdict(measure(ioc, seconds=options.seconds))}
    for elements in (1_000, 100_000):
        with wave_ioc(elements) as ioc:
            cost = measure_waves(ioc, seconds=options.seconds)
        result[f"waveforms_of_{elements}"] = asdict(cost)
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
