"""What the walls at the cables cost: `linacre bench walls`.

A swap of twins, reads by a connected client, and an up of some IOCs, on a host that has the walls
and on one that cannot have them, by turns in one run. The latter is a host without `nft`: the
commands do not find it, and what stands of the walls is taken away.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path

from common.conditions import conditions, say
from common.facility import BenchFacility, bench_facility, build_first, ioc, prefix, require_root
from common.inits import init_of
from common.report import Keep, Result, report, rounded, within
from common.watchers import Watcher, watching
from linacre.base.errors import LinacreError
from linacre.base.processes import run_tool
from linacre.engines.incus.walls_rules import CABLES, GATES, table_name

NAME = "bench-walls"
_FEW = 1
_LIMIT_S = 60.0
_SETTLED_S = 0.5


def main() -> int:
    options = _options()
    return report(
        "walls",
        aim={},
        repeat=1,
        conditions=lambda: _conditions(options),
        run=lambda keep: _run(options, keep),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="linacre bench walls", description=__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=3, help="how often, with the walls and without (3)")
    add("--swaps", type=int, default=6, help="swaps in each (6)")
    add("--iocs", type=int, default=15, help="IOCs that an up makes (15)")
    add("--seconds", type=float, default=8.0, help="how long is read (8)")
    add("--subnet", type=IPv4Network, default=IPv4Network("10.63.80.0/20"))
    options = parser.parse_args()
    if min(options.rounds, options.swaps, options.iocs) < 1 or options.seconds < 1:
        parser.error("all of them are 1 or more")
    return options


def _conditions(options: argparse.Namespace) -> Result:
    require_root("walls")
    build_first()
    return conditions(engine="incus", n=options.rounds) | {
        "without": "no nft is found, and the facility's tables are taken away",
        "swaps": options.swaps,
        "iocs": options.iocs,
        "swap_command_s": "`linacre ioc swap` from its start to its end",
        "swap_cables_s": "of that the moving of the cables, as the command tells it",
        "new_client_gap_s": "between two new Channel Access clients, one each 20 ms, that got "
        "their value, over a swap",
        "caget_p50_ms": "a read by a connected client, one each 20 ms",
        "up_s": "`linacre up` that makes and starts these IOCs beside one with a twin",
        "ratio": "of the medians, with the walls to without them",
    }


@dataclass
class _Seen:
    """What was measured with the walls, or without them."""

    swap_command_s: list[float] = field(default_factory=list[float])
    swap_cables_s: list[float] = field(default_factory=list[float])
    new_client_gap_s: list[float] = field(default_factory=list[float])
    caget_p50_ms: list[float] = field(default_factory=list[float])
    up_s: list[float] = field(default_factory=list[float])

    def told(self) -> Result:
        return {key: rounded(statistics.median(found)) for key, found in vars(self).items()}


def _run(options: argparse.Namespace, keep: Keep) -> None:
    seen = {"with": _Seen(), "without": _Seen()}
    with bench_facility(NAME, subnet=options.subnet) as facility, ExitStack() as stack:
        _bring_up(facility)
        search = stack.enter_context(_client(facility, "search"))
        for number in range(options.rounds):
            for which, found in seen.items():
                say(f"walls: round {number + 1} of {options.rounds}, {which} them")
                with _walls(facility, wanted=which == "with"):
                    _measure(facility, options, search, found)
                within(keep, which)(found.told())
    keep({"ratio": _ratios(seen["with"].told(), seen["without"].told())})


def _bring_up(facility: BenchFacility) -> None:
    facility.write(_FEW)
    facility.run("up", "--yes")
    facility.run("ioc", "twin", ioc(0), "--yes")


@contextmanager
def _walls(facility: BenchFacility, *, wanted: bool) -> Generator[None]:
    """Have the walls stand, or have none and no means to lay them."""
    if wanted:
        # Whatever opens the engine lays what is not there.
        facility.run("status")
        _check_walls(facility, there=True)
        yield
        return
    path = os.environ["PATH"]
    with tempfile.TemporaryDirectory(prefix="linacre-bench-") as folder:
        os.environ["PATH"] = _path_without("nft", path, Path(folder))
        try:
            _take_away(facility)
            yield
            _check_walls(facility, there=False)
        finally:
            os.environ["PATH"] = path


def _path_without(program: str, path: str, folder: Path) -> str:
    """Return a PATH on which a program is not to be found, and all others are."""
    for place in map(Path, path.split(os.pathsep)):
        for file in place.iterdir() if place.is_dir() else ():
            link = folder / file.name
            if file.name != program and not link.is_symlink():
                link.symlink_to(file)
    return str(folder)


def _nft() -> str:
    found = shutil.which("nft", path="/usr/sbin:/usr/bin")
    if found is None:
        raise LinacreError("there is no nft on this host: it has no walls to measure")
    return found


def _take_away(facility: BenchFacility) -> None:
    for family in (CABLES, GATES):
        table = ("delete", "table", family, table_name(facility.name))
        asyncio.run(run_tool(_nft(), *table))


def _check_walls(facility: BenchFacility, *, there: bool) -> None:
    tables = asyncio.run(run_tool(_nft(), "list", "tables"))
    if (f"{CABLES} {table_name(facility.name)}" in tables) != there:
        raise LinacreError(f"the walls {'do not stand' if there else 'were laid meanwhile'}")


def _measure(
    facility: BenchFacility,
    options: argparse.Namespace,
    search: Watcher,
    found: _Seen,
) -> None:
    _settle(search, time.monotonic())
    # A swap ends its connection: it is there while it is needed.
    with _client(facility, "caget") as caget:
        _settle(caget, time.monotonic())
        begun = time.monotonic()
        time.sleep(options.seconds)
        reads = [each["took"] for each in [*caget.seen] if begun <= each.get("begun", 0)]
    found.caget_p50_ms.append(statistics.median(reads) * 1e3)
    for _ in range(options.swaps):
        begun = time.monotonic()
        told = json.loads(facility.run("ioc", "swap", ioc(0), "--yes", "--json"))
        ended = time.monotonic()
        _settle(search, ended)
        found.swap_command_s.append(ended - begun)
        found.swap_cables_s.append(told["took_s"])
        found.new_client_gap_s.append(search.gap(begun, time.monotonic()))
    facility.write(_FEW + options.iocs)
    begun = time.monotonic()
    facility.run("up", "--yes")
    found.up_s.append(time.monotonic() - begun)
    facility.write(_FEW)
    facility.run("up", "--yes", "--prune")


def _client(facility: BenchFacility, role: str) -> AbstractContextManager[Watcher]:
    address = str(facility.subnet.network_address + 257)
    broadcast = str(facility.subnet.broadcast_address)
    desk = init_of(facility, "desk-controls")
    return watching(role, desk, address, broadcast, f"{prefix(0)}SETI")


def _settle(client: Watcher, since: float) -> None:
    end = time.monotonic() + _LIMIT_S
    while not [at for at in client.times()[-1:] if at > since]:
        if time.monotonic() > end:
            raise LinacreError("a client at the desk gets no values")
        time.sleep(0.05)
    time.sleep(_SETTLED_S)


def _ratios(walled: Result, bare: Result) -> Result:
    return {key: rounded(walled[key] / bare[key]) for key in walled if bare[key]}


if __name__ == "__main__":
    sys.exit(main())
