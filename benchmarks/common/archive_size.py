"""Bytes a sample on the disk, all columns, after the archiver has merged what it had."""

from __future__ import annotations

import math
import shutil

from common import archive_store, caches
from common.archive_options import Options
from common.archive_signals import SHAPES, Shape
from common.conditions import say
from common.report import Keep, Result, rounded
from linacre.archiver.model import NANOSECONDS

_ROWS = 2_000_000
_DAYS = 3
CONDITIONS = {
    "size": f"each sort of signal in an archive of its own, {_DAYS} days of as many PVs as make "
    "about two million samples, merged into a month's segment; time, value, severity, status, "
    "tag and name; times are those of a scan, 10 to 200 us late",
}


def run(options: Options, keep: Keep) -> None:
    for name, shape in SHAPES.items():
        keep({name: _one(name, shape, options)})


def _one(name: str, shape: Shape, options: Options) -> Result:
    folder = options.folder / f"size-{name}"
    days = min(_DAYS, options.days)
    pvs = max(1, math.ceil(_ROWS / (days * 86400 * NANOSECONDS / shape.period_ns)))
    if name == "enum":
        # It is posted only where it changes.
        pvs *= 20
    say(f"archive: size of {pvs} PVs, {name}")
    rows = archive_store.make_of(folder, shape, pvs=pvs, days=days)
    total, rollups = caches.size(folder / "long"), caches.size(folder / "long", "rollup-*")
    index = caches.size(folder / "long", "index.bin")
    shutil.rmtree(folder)
    return {
        "what": shape.what,
        "pvs": pvs,
        "samples": rows,
        "bytes_a_sample": rounded(total / rows),
        "of_samples": rounded((total - rollups - index) / rows),
        "of_rollups": rounded(rollups / rows),
        "of_index": rounded(index / rows),
    }
