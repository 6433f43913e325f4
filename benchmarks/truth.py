"""Whether an archive tells the truth: `linacre bench truth`.

An IOC of its own, one of Channel Access and one of pvAccess, sends updates of every type in bursts,
and logs each: with changes of words and of types, restarts, stamps of clocks that are set. The
log and the archive are compared sample by sample. What the archive has not is counted by its
reason; what has none, or is not as it was sent, ends the benchmark with status 1.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from common import truth_run
from common.conditions import conditions, say
from common.report import Keep, Result, report, within
from common.truth_sending import Size
from linacre.base.errors import LinacreError

PROTOCOLS = ("ca", "pva")
_AIM = {"aim_wrong": 0}


def main() -> int:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="linacre-bench-truth-", dir=options.folder) as folder:
        return report(
            "truth",
            aim=_AIM,
            repeat=1,
            conditions=lambda: _conditions(options),
            run=lambda keep: _run(options, Path(folder), keep),
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="linacre bench truth", description=__doc__)
    add = parser.add_argument
    add("-n", type=int, default=10_000_000, help="updates in all, half of each (10000000)")
    add("--only", choices=PROTOCOLS, help="all of one protocol: ca or pva")
    add("--copies", type=int, default=0, help="PVs of each type (1 for each 500,000 updates)")
    add("--restarts", type=int, default=4, help="how often each IOC is killed (4)")
    add("--folder", type=Path, help="where archives are made; the place for temporary files")
    options = parser.parse_args()
    if options.n < 1:
        parser.error("-n is 1 or more")
    return options


def _protocols(options: argparse.Namespace) -> tuple[str, ...]:
    return PROTOCOLS if options.only is None else (options.only,)


def _size(options: argparse.Namespace, protocol: str) -> Size:
    updates = options.n // len(_protocols(options))
    copies = options.copies or max(1, min(10, updates // 500_000))
    if protocol == "ca":
        return Size(updates, copies, 500, 1000, 3000, options.restarts)
    return Size(updates, copies, 200, 1000, 3000, options.restarts)


def _conditions(options: argparse.Namespace) -> Result:
    return conditions(engine="none", n=options.n) | {
        "sizes": {name: vars(_size(options, name)) for name in _protocols(options)},
        "ca": "EPICS's own database and server; of each update value, alarm and time are put into "
        "the record and its monitors are told, by a loop in C that writes the log first",
        "pva": "p4p's server, that is pvxs', which logs each update in Python before it posts it",
        "beside": "IOC and archiver share the host; a burst begins when the one before is archived",
    }


def _run(options: argparse.Namespace, folder: Path, keep: Keep) -> None:
    wrong = 0
    for protocol in _protocols(options):
        say(f"truth: {protocol}")
        part = within(keep, protocol)
        wrong += truth_run.run(protocol, _size(options, protocol), folder, part)
    if wrong:
        raise LinacreError(f"log and archive disagree in {wrong} places: see `named` and `late`")


if __name__ == "__main__":
    raise SystemExit(main())
