"""Waveforms at 100 Hz through Channel Access into the archive: MB/s stored, CPU, bytes on disk."""

from __future__ import annotations

import time

import numpy as np

from common import archive_store, caches
from common.archive_options import Options
from common.archiver import Archiver, archiver
from common.ca_iocs import wave_ioc
from common.conditions import say
from common.report import Keep, Result, rounded

ELEMENTS = (1_000, 100_000)
HZ = 100
_SETTLE_S = 2.0
_LIMIT_S = 60.0
_MEMORY = "2GiB"
"""A second of 100,000 doubles at 100 Hz is 80 MB."""
CONDITIONS = {
    "waveforms": f"one PV of float64 at {HZ} Hz, a digitiser's traces of 14 bits with noise in the "
    "last three, posted by a Python soft IOC on the same host; the archiver has "
    f"--memory {_MEMORY}",
}


def run(options: Options, keep: Keep) -> None:
    for elements in ELEMENTS:
        keep({f"{elements} doubles": _one(elements, options)})


def _one(elements: int, options: Options) -> Result:
    say(f"archive: waveforms of {elements} doubles")
    folder = options.folder / f"waves-{elements}"
    with (
        wave_ioc(elements, hz=HZ) as ioc,
        archiver(folder, environment={}, options=("--memory", _MEMORY)) as running,
    ):
        (pv,) = ioc.pvs
        running.add([pv])
        running.until(lambda: running.samples() > 0, "the first waveform", limit_s=_LIMIT_S)
        time.sleep(_SETTLE_S)
        figures = _measure(running, min(options.seconds, 20.0), elements)
        start_ns, end_ns = figures.pop("from_ns"), figures.pop("to_ns")
        # What comes after the last second of the clock may not be in the archive yet.
        running.until(lambda: running.newest(pv) > end_ns, "the last waveform", limit_s=_LIMIT_S)
    begun = time.perf_counter()
    cpu = time.process_time()
    archive_store.merge(folder)
    merged = time.process_time() - cpu
    with archive_store.open_archive(folder) as reader:
        firsts = [
            float(batch.column("value").values[int(at)].as_py())
            for batch in reader.stream(pv, start_ns, end_ns)
            for at in batch.column("value").offsets.to_numpy()[:-1]
        ]
    steps = np.diff(firsts)
    total = caches.size(folder, "*.parquet")
    return figures | {
        "repeated_or_skipped_by_the_ioc": int(np.count_nonzero(steps != 1)),
        "merge_s": rounded(time.perf_counter() - begun),
        "merging_cpu_ms_a_waveform": rounded(merged / max(len(firsts), 1) * 1000),
        "bytes_an_element": rounded(total / max(len(firsts), 1) / elements),
    }


def _measure(running: Archiver, seconds: float, elements: int) -> Result:
    drops = running.drops()
    cpu, stored, begun = running.cpu(), running.samples(), time.monotonic()
    from_ns = time.time_ns()
    time.sleep(seconds)
    cpu, stored = running.cpu() - cpu, running.samples() - stored
    took = time.monotonic() - begun
    return {
        "from_ns": from_ns,
        "to_ns": time.time_ns(),
        "stored_hz": rounded(stored / took),
        "stored_mb_s": rounded(stored * elements * 8 / took / 1e6),
        "cores": rounded(cpu / took),
        "cpu_ms_a_waveform": rounded(cpu / max(stored, 1) * 1000),
        "dropped": running.drops() - drops,
        "peak_memory_bytes": running.peak_bytes(),
    }
