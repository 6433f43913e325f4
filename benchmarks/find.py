"""How long a search in the catalogue takes: `linacre bench find`.

A catalogue is filled with 200 IOCs of 1,000 PVs each, in SQLite and, where Debian's package
`postgresql` is installed, in a PostgreSQL that is started for it. Each pattern is looked for many
times through `Inventory.find`, as `linacre find` does.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from pathlib import Path

from common.conditions import conditions, say
from common.postgresql import programs, server
from common.report import Keep, Result, report, rounded, within
from linacre.catalogue import Catalogue, Inventory
from linacre.catalogue.model import IocEntry, RecordEntry

AREAS = ("S01", "S02", "L01", "C2V", "GUN")
KINDS = ("MAG-QUAD", "MAG-HCOR", "DIA-BPM", "VAC-IMG", "LLRF-CAV")
ENDS = ("SETI", "GETI", "RILK", "STATUS", "X", "Y", "READ:PRESSURE", "AMP:SET")
OWNERS = ("A. Brown", "B. Green", "magnets group", "RF group")
PATTERNS = {
    "exact name": "CLA-S02-MAG-QUAD-001:0001:GETI",
    "long prefix": "CLA-S02-MAG*",
    "short prefix, dense": "CLA-S02*SETI",
    "short prefix, rare": "CLA-*:0999:AMP:SET",
    "suffix, dense": "*SETI",
    "suffix, rare": "*:0999:AMP:SET",
    "middle, dense": "*S02*",
    "middle, last in order": "*S02-VAC*",
    "middle, rare": "*-153:0007*",
    "nothing": "*nosuchpv*",
    "set": "CLA-S0[12]-MAG-*:000[1-3]:GETI",
    "only a set, nothing": "*[^ -~]*",
    "owner": "*brown",
    "area": "s02",
    "everything": "*",
}


def main() -> int:
    options = _options()
    return report(
        "find",
        aim={"aim_find_ms": 50, "aim_set_records_20000_s": 1.0},
        repeat=1,
        conditions=lambda: _conditions(options),
        run=lambda keep: _run(options, keep),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="linacre bench find", description=__doc__)
    parser.add_argument("-n", type=int, default=200, help="how many IOCs (200)")
    parser.add_argument("--records", type=int, default=1000, help="PVs of each (1000)")
    parser.add_argument("--times", type=int, default=50, help="searches of each pattern (50)")
    options = parser.parse_args()
    if min(options.n, options.records, options.times) < 1:
        parser.error("-n, --records and --times are 1 or more")
    return options


def _conditions(options: argparse.Namespace) -> Result:
    return conditions(engine="none", n=options.n) | {
        "pvs": options.n * options.records,
        "times": options.times,
        "limit": 1000,
        "measured": "in the process that searches, from the call of Inventory.find to its result; "
        "the start of `linacre find` is not in it; first: with a catalogue that was just opened; "
        "cpu: mean CPU time of that process, which other programs of the host do not lengthen",
    }


def _run(options: argparse.Namespace, keep: Keep) -> None:
    with tempfile.TemporaryDirectory(prefix="linacre-bench-find-") as folder:
        for name, where in _databases(Path(folder)):
            say(f"find: {name}")
            asyncio.run(_measure(where, options, logs=Path(folder), keep=within(keep, name)))


def _databases(folder: Path) -> Generator[tuple[str, Path | str]]:
    yield "sqlite", folder / "catalogue.sqlite"
    there = programs()
    if there is None:
        say("find: PostgreSQL is left out, Debian's package postgresql is not installed")
        return
    with server(there) as running, running.database() as database:
        yield "postgresql", running.url(database)


async def _measure(
    where: Path | str, options: argparse.Namespace, *, logs: Path, keep: Keep
) -> None:
    async with await Catalogue.open(where, logs=logs) as catalogue:
        keep(await _fill(catalogue.inventory("bench"), options))
    found: Result = {}
    for title, pattern in PATTERNS.items():
        async with await Catalogue.open(where, logs=logs) as catalogue:
            found[title] = await _search(catalogue.inventory("bench"), pattern, options.times)
        keep({"patterns": found})
    worst = max(each["longest_ms"] for each in found.values())
    worst_median = max(each["median_ms"] for each in found.values())
    keep({"longest_ms": worst, "longest_median_ms": worst_median})


async def _fill(inventory: Inventory, options: argparse.Namespace) -> Result:
    iocs = [_ioc(number) for number in range(options.n)]
    set_iocs = await _timed(lambda: inventory.set_iocs(iocs))
    each: list[float] = []
    for number, ioc in enumerate(iocs):
        records = _records(number, options.records)
        each.append(await _timed(partial(inventory.set_records, ioc.name, records)))
    many = [RecordEntry(f"MANY:{n}", "ai", "one of many") for n in range(20_000)]
    await inventory.set_iocs([*iocs, _ioc(options.n)])
    name = _ioc(options.n).name
    first = await _timed(lambda: inventory.set_records(name, many))
    again = await _timed(lambda: inventory.set_records(name, many))
    await inventory.set_iocs(iocs)
    return {
        "set_iocs_s": rounded(set_iocs),
        "set_records_of_one_ioc_s": _spread(each),
        "set_records_20000_s": rounded(first),
        "set_records_20000_the_same_s": rounded(again),
        "duplicates_s": rounded(await _timed(inventory.duplicates)),
    }


def _ioc(number: int) -> IocEntry:
    area, kind = AREAS[number % len(AREAS)], KINDS[number // len(AREAS) % len(KINDS)]
    empty = dict.fromkeys(IocEntry.__dataclass_fields__, "")
    said = {
        "name": f"{area}-{kind}-{number:03d}",
        "area": area,
        "device_type": kind.lower(),
        "owner": OWNERS[number % len(OWNERS)],
        "address": f"10.64.{number // 250}.{number % 250}",
        "description": f"{kind} number {number} of {area}",
    }
    return IocEntry(**{**empty, **said})


def _records(number: int, count: int) -> list[RecordEntry]:
    area, kind = AREAS[number % len(AREAS)], KINDS[number // len(AREAS) % len(KINDS)]
    return [
        RecordEntry(
            f"CLA-{area}-{kind}-{number:03d}:{n:04d}:{ENDS[(n + number) % len(ENDS)]}",
            "ai",
            f"signal {n} of {kind} in {area}",
        )
        for n in range(count)
    ]


async def _search(inventory: Inventory, pattern: str, times: int) -> Result:
    first = await _timed(lambda: inventory.find(pattern))
    cpu = time.process_time()
    taken = [await _timed(lambda: inventory.find(pattern)) for _ in range(times)]
    cpu = (time.process_time() - cpu) / times
    found = await inventory.find(pattern)
    return {
        "pattern": pattern,
        "matches": len(found.matches),
        "more": found.more,
        "first_ms": rounded(first * 1000),
        "median_ms": rounded(statistics.median(taken) * 1000),
        "longest_ms": rounded(max(taken) * 1000),
        "cpu_ms": rounded(cpu * 1000),
    }


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    begun = time.perf_counter()
    await work()
    return time.perf_counter() - begun


def _spread(values: list[float]) -> Result:
    return {"median": rounded(statistics.median(values)), "longest": rounded(max(values))}


if __name__ == "__main__":
    raise SystemExit(main())
