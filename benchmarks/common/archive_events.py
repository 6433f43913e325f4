"""Channel Access scalars into the archive: what an event costs, and whether all are there."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from common import archive_store, caches
from common.archive_options import Options
from common.archiver import Archiver, archiver
from common.ca_iocs import PERIOD_S, fast_ioc
from common.ca_load import measure
from common.conditions import say
from common.processes import cpu_of
from common.report import Keep, Result, rounded
from linacre.archiver.model import NANOSECONDS

CONDITIONS = {
    "events": "a softIoc on the same host counts on each PV at 10 Hz; the archiver's window begins "
    "when all are connected; missing: counts between a PV's first and last that are not in the "
    "Parquet files, read with pyarrow; callback and aioca are clients of the same IOC, one after "
    "the other before the archiver, callback in C, aioca with fewer PVs; source is the archiver's "
    "own, with nothing behind it; merging is done after the window, in one go to a month",
}
_BESIDE_S = 6.0
_CONNECT_S, _SETTLE_S = 120.0, 5.0


def run(options: Options, keep: Keep) -> None:
    folder = options.folder / "events"
    with fast_ioc(max(1, round(options.rate * PERIOD_S))) as ioc:
        say(f"archive: {ioc.events_hz:g} events/s to a callback in C, the source, aioca")
        beside = measure(ioc, seconds=min(_BESIDE_S, options.seconds))
        keep(
            {
                "callback": asdict(beside.bare_c),
                "source": asdict(beside.source),
                "aioca": asdict(beside.aioca),
                "source_lost": beside.lost,
            }
        )
        say(f"archive: the same into an archive for {options.seconds:g} s")
        with archiver(folder, environment={}) as running:
            stored = _archive(running, ioc.pvs, ioc.pid, options.seconds)
            total = running.samples()
    from_ns, to_ns = stored.pop("from_ns"), stored.pop("to_ns")
    keep({"archiver": stored})
    say("archive: merging what was stored")
    cpu = time.process_time()
    archive_store.merge(folder)
    cpu = time.process_time() - cpu
    files = sorted(folder.rglob("float64-*.parquet"))
    rows, missing = missing_counts(files, from_ns, to_ns)
    keep(
        {
            "missing": missing,
            "missing_of": rows,
            "merging_cpu_us_an_event": rounded(cpu / total * 1e6),
            "bytes_a_sample": rounded(caches.size(folder, "*.parquet") / total),
        }
    )


def _archive(running: Archiver, pvs: Sequence[str], ioc: int, seconds: float) -> Result:
    begun = time.monotonic()
    running.add(pvs)
    running.until(
        lambda: running.info()["connected"] == len(pvs), "connections", limit_s=_CONNECT_S
    )
    connected = time.monotonic() - begun
    time.sleep(_SETTLE_S)
    before = running.drops()
    from_ns = time.time_ns()
    cpu, ioc_cpu, stored = running.cpu(), cpu_of([ioc]), running.samples()
    begun = time.monotonic()
    time.sleep(seconds)
    cpu, ioc_cpu, stored = running.cpu() - cpu, cpu_of([ioc]) - ioc_cpu, running.samples() - stored
    took = time.monotonic() - begun
    return {
        "from_ns": from_ns,
        "to_ns": from_ns + int(took * NANOSECONDS),
        "pvs": len(pvs),
        "connected_s": rounded(connected),
        "stored": stored,
        "stored_hz": rounded(stored / took),
        "cpu_us_an_event": rounded(cpu / max(stored, 1) * 1e6),
        "cores": rounded(cpu / took),
        "ioc_cores": rounded(ioc_cpu / took),
        "dropped": running.drops() - before,
        "dropped_while_connecting": before,
        "peak_memory_bytes": running.peak_bytes(),
        "seconds": rounded(took),
    }


def missing_counts(files: Sequence[Path], from_ns: int, to_ns: int) -> tuple[int, int]:
    """Return the samples in a time of PVs that count by one, and how many of the counts lack."""
    data = ds.dataset([str(file) for file in files])
    time_ns = ds.field("time")
    within = (time_ns >= from_ns) & (time_ns < to_ns)
    table = data.to_table(columns=["pv", "value"], filter=within)
    pv = table.column("pv").cast(pa.string())
    by_pv = pa.table({"pv": pv, "value": table.column("value")}).group_by("pv")
    found = by_pv.aggregate([("value", "min"), ("value", "max"), ("value", "count")])
    least, most, count = (
        found.column(f"value_{name}").to_numpy() for name in ("min", "max", "count")
    )
    return table.num_rows, int(np.sum(most - least + 1 - count))
