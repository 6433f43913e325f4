"""What the archiver costs and how fast it answers: `linacre bench archive`.

Parts, all of them unless `--only` names some: `events` (Channel Access scalars: stored a second,
CPU an event, beside a bare C callback and aioca), `waveforms`, `size` (bytes a sample on the disk),
`reading` (one PV among many, by the reader and over HTTP) and `startup`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from common import (
    archive_events,
    archive_options,
    archive_reading,
    archive_size,
    archive_waves,
    caches,
)
from common.archive_options import Options
from common.conditions import conditions, say
from common.report import Keep, Result, report, within

_AIM = {
    "aim_cpu_us_an_event": 1.0,
    "aim_events_hz": 200_000,
    "aim_cores_at_200000_hz": 0.25,
    "aim_bytes_a_slow_sample": 3.0,
    "aim_30_days_in_1000_bins_cold_s": 0.3,
    "aim_a_day_as_arrow_s": 0.1,
}
ALL_PARTS = archive_options.PARTS
PARTS: dict[str, Callable[[Options, Keep], None]] = {
    "size": archive_size.run,
    "reading": archive_reading.run,
    "waveforms": archive_waves.run,
    "events": archive_events.run,
}


def main() -> int:
    parser = _parser()
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="linacre-bench-archive-", dir=given.folder) as folder:
        options = Options.of(given, Path(folder), parser.error)
        return report(
            "archive",
            aim=_AIM,
            repeat=1,
            conditions=lambda: _conditions(options),
            run=lambda keep: _run(options, keep),
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="linacre bench archive", description=__doc__)
    add = parser.add_argument
    add("--only", action="append", default=[], metavar="PART", help=", ".join(ALL_PARTS))
    add("--days", type=float, default=30.0, help="how long the archive that is read is (30)")
    add("--others", default="1,100,10000", help="other PVs in it, for each archive (1,100,10000)")
    add("--seconds", type=float, default=40.0, help="how long events are stored (40)")
    add("--rate", type=int, default=200_000, help="events a second that are asked of the IOC")
    add("--folder", type=Path, help="where archives are made; the place for temporary files")
    return parser


def _conditions(options: Options) -> Result:
    stat = os.statvfs(options.folder)
    return conditions(engine="none", n=max(options.others)) | {
        "options": options.told(),
        "disk_free_bytes": stat.f_bavail * stat.f_frsize,
        "cold": f"{caches.how()}; and a reader that was just opened, its opening counted; over "
        "HTTP the same with the archiver running on",
        "warm": "the median of repeated reads by one reader",
        "cpu_counted": "user and system time of the archiver's whole process: taking, journal, "
        "turning journals into segments, and what it merged meanwhile",
        **archive_reading.CONDITIONS,
        **archive_size.CONDITIONS,
        **archive_waves.CONDITIONS,
        **archive_events.CONDITIONS,
    }


def _run(options: Options, keep: Keep) -> None:
    for part, run in PARTS.items():
        if options.has(part):
            say(f"archive: {part}")
            run(options, within(keep, part))


if __name__ == "__main__":
    raise SystemExit(main())
