"""Reading one PV among many, by the store's reader and over HTTP; and the archiver's start."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from common import archive_store, caches
from common.archive_options import Options
from common.archiver import Archiver, archiver, nowhere
from common.conditions import say
from common.report import Keep, Result, rounded
from linacre.archiver import Archive
from linacre.archiver.model import NANOSECONDS
from linacre.archiver.service import Reader

BINS = 1000
CONDITIONS = {
    "reading": "one PV of float64 with three noisy digits at 10 Hz; the other PVs are float64 "
    "with a sample a minute, in the same segments; segments are written by the store's own writer "
    "as an archiver has them at this hour: months that are over, days, hours",
    "http, client": "the same asked of a running archiver: by http.client, the whole answer taken "
    "before it is read; and by Archive(url), which reads while it comes",
    "startup": "from the start of the process to its first answer over HTTP, and to its answer "
    "with a bin of data; with all PVs in its registry, none of which is found",
}
_COLD, _WARM, _LONG_ROWS = 3, 7, 5_000_000
_STARTS = 3
Ask = Callable[[int, int], pa.Table]


@dataclass(frozen=True)
class Span:
    """A length of time that is asked for, up to the archive's end."""

    name: str
    seconds: float


def spans(days: float) -> list[Span]:
    """Return 1 h, 1 day and 30 days, or as much of it as the archive has."""
    found = [Span("1 h", 3600), Span("1 day", 86400), Span("30 days", 30 * 86400)]
    within = [span for span in found if span.seconds <= days * 86400]
    return within or [Span(f"{days:g} days", days * 86400)]


def run(options: Options, keep: Keep) -> None:
    figures: Result = {}
    for others in options.others:
        folder = options.folder / f"others-{others}"
        made = archive_store.make(folder, days=options.days, others=others)
        named = figures[f"{others} others"] = {"archive": made.told}
        named |= _over_http(made, options)
        keep(figures)
        # After the archiver has run: it made the registry, of which the reader has a look too.
        if "reading" in options.parts:
            say(f"archive: reading by the reader, {others} other PVs")
            named["reader"] = _by_reader(made, options.days)
            keep(figures)
        shutil.rmtree(folder)
    keep(growth(figures, options))


def _by_reader(made: archive_store.Made, days: float) -> Result:
    def cold(span: Span, kind: str) -> tuple[float, pa.Table]:
        begun = time.perf_counter()
        with archive_store.open_archive(made.folder) as reader:
            table = _ask(reader, made, kind)(*made.last(span.seconds))
            return time.perf_counter() - begun, table

    caches.drop(made.folder)
    begun = time.perf_counter()
    with archive_store.open_archive(made.folder) as reader:
        reader.samples(made.pv, made.end_ns, made.end_ns)
        opened = time.perf_counter() - begun
        return {"opening, cold": {"cold_s": _fine(opened)}} | {
            f"{span.name}, {kind}": _times(
                lambda span=span, kind=kind: cold(span, kind),
                lambda span=span, kind=kind: _ask(reader, made, kind)(*made.last(span.seconds)),
                made.folder,
            )
            for span in spans(days)
            for kind in ("bins", "samples")
        }


def _ask(reader: Reader, made: archive_store.Made, kind: str) -> Ask:
    if kind == "bins":
        return lambda start, end: reader.bins(made.pv, start, end, BINS)
    return lambda start, end: reader.samples(made.pv, start, end)


def _over_http(made: archive_store.Made, options: Options) -> Result:
    figures: Result = {}
    environment = nowhere()
    with archiver(made.folder, environment=environment) as running:
        running.until(lambda: running.info()["pvs"] > made.others, "its PVs", limit_s=60)
        if "reading" in options.parts:
            say(f"archive: reading over HTTP, {made.others} other PVs")
            figures["http"] = _by_http(running, _plainly(running, made), made, options.days)
            say(f"archive: reading by Archive(url), {made.others} other PVs")
            with Archive(running.url) as archive:
                ask = partial(_ask, archive.reader, made)
                figures["client"] = _by_http(running, ask, made, options.days)
    if "startup" in options.parts:
        say(f"archive: start-up, {made.others} other PVs")
        cold = [_start(made, environment, drop=True) for _ in range(_STARTS)]
        warm = [_start(made, environment, drop=False) for _ in range(_STARTS)]
        figures["startup"] = {
            "cold": {
                key: rounded(statistics.median(each[key] for each in cold)) for key in cold[0]
            },
            "warm": {
                key: rounded(statistics.median(each[key] for each in warm)) for key in warm[0]
            },
        }
    return figures


def _plainly(running: Archiver, made: archive_store.Made) -> Callable[[str], Ask]:
    """Ask as any program does that takes the whole answer before it looks at it."""
    return lambda kind: (
        lambda start, end: running.read(made.pv, start, end, BINS if kind == "bins" else 0)
    )


def _by_http(
    running: Archiver, ask: Callable[[str], Ask], made: archive_store.Made, days: float
) -> Result:
    def read(span: Span, kind: str) -> pa.Table:
        return ask(kind)(*made.last(span.seconds))

    def cold(span: Span, kind: str) -> tuple[float, pa.Table]:
        begun = time.perf_counter()
        table = read(span, kind)
        return time.perf_counter() - begun, table

    return {
        f"{span.name}, {kind}": _times(
            lambda span=span, kind=kind: cold(span, kind),
            lambda span=span, kind=kind: read(span, kind),
            made.folder,
            cpu=running.cpu,
        )
        for span in spans(days)
        for kind in ("bins", "samples")
    }


def _times(
    cold: Callable[[], tuple[float, pa.Table]],
    warm: Callable[[], pa.Table],
    folder: Path,
    *,
    cpu: Callable[[], float] = time.process_time,
) -> Result:
    caches.drop(folder)
    first, table = cold()
    rows = len(table)
    # A month of samples takes long enough that one more says as much as five.
    often = 1 if rows > _LONG_ROWS else _COLD - 1
    colds = [first]
    for _ in range(often):
        caches.drop(folder)
        colds.append(cold()[0])
    warm()
    used = cpu()
    warms: list[float] = []
    for _ in range(often if rows > _LONG_ROWS else _WARM):
        begun = time.perf_counter()
        warm()
        warms.append(time.perf_counter() - begun)
    used = (cpu() - used) / len(warms)
    return {
        "rows": rows,
        "cold_s": _fine(statistics.median(colds)),
        "warm_s": _fine(statistics.median(warms)),
        "warm_cpu_s": _fine(used),
    }


def _start(
    made: archive_store.Made, environment: dict[str, str], *, drop: bool
) -> dict[str, float]:
    if drop:
        caches.drop(made.folder)
    begun = time.perf_counter()
    with archiver(made.folder, environment=environment) as running:
        answered = time.perf_counter() - begun
        end = made.end_ns
        running.read(made.pv, end - 60 * NANOSECONDS, end, 1)
        data = time.perf_counter() - begun
        return {"answer_s": answered, "data_s": data, "cpu_s": running.cpu()}


def _medians(starts: Sequence[Mapping[str, float]]) -> Result:
    return {key: rounded(statistics.median(one[key] for one in starts)) for key in starts[0]}


def growth(figures: Result, options: Options) -> Result:
    """Return by what factor reading takes longer with most other PVs than with fewest."""
    least, most = min(options.others), max(options.others)
    if least == most or "reading" not in options.parts:
        return {}
    few, many = figures[f"{least} others"], figures[f"{most} others"]
    return {
        f"growth from {least} to {most} others": {
            way: {
                what: {
                    key: rounded(many[way][what][key] / max(each[key], 1e-6))
                    for key in ("cold_s", "warm_s")
                    if key in each
                }
                for what, each in few[way].items()
            }
            for way in ("reader", "http", "client")
        }
    }


def _fine(seconds: float) -> float:
    """Return seconds to 0.1 ms."""
    return round(seconds, 4)
