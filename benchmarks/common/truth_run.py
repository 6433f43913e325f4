"""The truth suite of one protocol: updates are sent into an archive, and compared with it."""

from __future__ import annotations

import time
from pathlib import Path

from common import archive_store, caches
from common.conditions import say
from common.report import Keep, Result, rounded
from common.truth_bursts import Sent
from common.truth_compare import Comparison
from common.truth_sending import Sending, Size
from common.truth_served import truth_ioc
from linacre.archiver import Archive

_BY_HTTP = 17
"""Each so manyth PV is read over HTTP too."""
_SHOWN_S = 5.0


def run(protocol: str, size: Size, folder: Path, keep: Keep) -> int:
    """Send and compare; keep the figures, and return how much is wrong."""
    data = folder / protocol
    folder.mkdir(exist_ok=True)
    begun = time.monotonic()
    with truth_ioc(protocol, folder, size.copies) as ioc:
        sending = Sending(ioc, size)
        with sending.into(data):
            sending.until(0.5)
        with sending.into(data) as watch:
            sending.until(1.0)
            took = time.monotonic() - begun
            sent = sending.finish()
            keep(_sent(sent, took))
            say(f"truth: {protocol}: reading some PVs over HTTP, as they are in the journal")
            with Archive(watch.url) as remote:
                by_http = Comparison(sent, remote.reader)
                _compare(by_http, range(0, len(sent.pvs), _BY_HTTP), counts=False)
            keep({"by_http": by_http.verdict.told()})
    say(f"truth: {protocol}: merging what was stored")
    archive_store.merge(data)
    say(f"truth: {protocol}: comparing {sent.updates:,} updates with the archive")
    begun = time.monotonic()
    with archive_store.open_archive(data) as reader:
        whole = Comparison(sent, reader)
        _compare(whole, range(len(sent.pvs)), counts=True)
    keep(
        {
            **whole.verdict.told(),
            "compared_in_s": rounded(time.monotonic() - begun),
            "bytes": caches.size(data, "*.parquet"),
        }
    )
    return len(sent.late) + whole.verdict.wrong + by_http.verdict.wrong


def _compare(comparison: Comparison, numbers: range, *, counts: bool) -> None:
    shown_s = time.monotonic()
    for number in comparison.compare(numbers, counts=counts):
        if time.monotonic() - shown_s > _SHOWN_S:
            shown_s = time.monotonic()
            say(f"truth: PV {number} of {numbers.stop}, {comparison.verdict.wrong} wrong")


def _sent(sent: Sent, took: float) -> Result:
    return {
        "pvs": len(sent.pvs),
        "bursts": len(sent.bursts),
        "lives": len(sent.logs),
        "late": sent.late[:10],
        "seconds": rounded(took),
        "updates_hz": rounded(sent.updates / took),
    }
