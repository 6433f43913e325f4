"""What commands cost as a facility grows: `linacre bench scale -n 15,50,100,200,500`.

A facility of small IOCs grows from size to size, and at each the commands of a day are run some
times: wall time, CPU of the command and of the Incus daemon, and the memory of it all.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path

from common import processes
from common.caches import how, settle
from common.conditions import conditions, memory, say
from common.costs import Cost, middle, timed, total
from common.facility import (
    BenchFacility,
    bench_facility,
    build_first,
    database,
    ioc,
    prefix,
    require_root,
)
from common.growth import Batch, boundaries, cell, first_and_last, growth, sizes_of, table
from common.report import Keep, Result, report, rounded, within
from linacre.engines.incus.machines import LAYOUT

NAME = "bench-scale"
_RECORDS = 20
_SETTLED_S = 2.0
_ONE = 0
"""The IOC that a command about one IOC is about; it has a source folder of its own."""
_AIM = {
    "aim_200": {
        **{"status": 2.0, "plan": 1.5, "ioc show": 1.0, "doctor": 6.0},
        **{"ioc restart without_own_start_s": 1.0, "up": 120.0, "up, nothing to do": 2.5},
    },
    "aim_growth_200_to_500": 3.0,
    "aim_up_last_to_first": 1.5,
    "aim_available_used_bytes_500": 9_000_000_000,
}


def main() -> int:
    options = _options()
    return report(
        "scale",
        aim=_AIM,
        repeat=1,
        conditions=lambda: _conditions(options),
        run=lambda keep: _run(options, keep),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="linacre bench scale", description=__doc__)
    add = parser.add_argument
    add("-n", type=sizes_of, default="15,50,100,200,500", metavar="N,...", help="how many IOCs")
    add("--times", type=int, default=3, help="runs of each command, of which the median is told")
    add("--batch", type=int, default=50, help="how many IOCs an up adds at most (50)")
    add("--subnet", type=IPv4Network, default=IPv4Network("10.63.112.0/20"))
    options = parser.parse_args()
    if min(options.times, options.batch) < 1:
        parser.error("--times and --batch are 1 or more")
    return options


def _conditions(options: argparse.Namespace) -> Result:
    require_root("scale")
    build_first()
    return conditions(engine="incus", n=max(options.n)) | {
        "sizes": options.n,
        "times": options.times,
        "batch": options.batch,
        "ioc": f"kind softioc, {_RECORDS} records, one of them scanned at 1 Hz",
        "s": "wall time of a command, from before its process was started to its end; the median",
        "client_cpu_s": "user and system time of the command and of what it waited for",
        "daemon_cpu_s": "the same of the Incus daemon and of its helpers that have ended",
        "host_cpu_s": "what the whole host worked meanwhile, machines and other programs too",
        "own_start_s": "of the IOC: from its procServ's start until it has booted",
        "available_used_bytes": "MemAvailable before anything was up, less the present; both "
        f"times {how()}, then steady to 1 MiB for 3 s",
    }


def _run(options: argparse.Namespace, keep: Keep) -> None:
    sizes: dict[str, Result] = {}
    keep_size = within(keep, "sizes")
    with bench_facility(
        NAME, subnet=options.subnet, database=database(_RECORDS), most=max(options.n)
    ) as facility:
        # Before it takes minutes to come to the size that the subnet has no room for.
        facility.write(max(options.n), apart=(_ONE,))
        scale = Scale(facility, options)
        keep({"up_empty": scale.begin()})
        try:
            for size in options.n:
                say(f"scale: {size} IOCs")
                figures = sizes[str(size)] = {}
                scale.measure(size, partial(_take, figures, within(keep_size, str(size))))
                keep({"growth": growth(sizes)})
        finally:
            say(table(sizes))


def _take(figures: Result, keep: Keep, more: Result) -> None:
    figures.update(more)
    keep(more)


class Scale:
    """A facility that grows, and what is measured on it."""

    def __init__(self, facility: BenchFacility, options: argparse.Namespace) -> None:
        self._facility = facility
        self._times: int = options.times
        self._batch: int = options.batch
        self._sizes: tuple[int, ...] = options.n
        settle()
        self._before = memory()["MemAvailable"]
        self._others_before = self._pss_of_others()
        self._ups: list[Cost] = []
        self._batches: list[Batch] = []
        self._edits = 0

    def begin(self) -> Result:
        """Bring it up with no IOC: the daemon, the pool, the image and the desk."""
        self._facility.write(0)
        self._ups.append(timed(self._facility, "up", "--yes"))
        return middle(self._ups)

    def measure(self, size: int, keep: Keep) -> None:
        """Grow to a size and measure every command; it is up at the end unless none follows."""
        keep({"up": self._grow(size)})
        facility, one = self._facility, ioc(_ONE)
        looks: dict[str, Callable[[], Cost]] = {
            "status": lambda: timed(facility, "status"),
            "status --json": lambda: timed(facility, "status", "--json"),
            # It looks at the host too, where something may be wrong that is not the facility's.
            "doctor": lambda: timed(facility, "doctor", allowed=(0, 1)),
            "plan": lambda: timed(facility, "plan"),
            "ioc show": lambda: timed(facility, "ioc", "show", one),
            "ioc history": lambda: timed(facility, "ioc", "history", one),
            "find": lambda: timed(facility, "find", f"{prefix(_ONE)}*"),
            "task list": lambda: timed(facility, "task", "list"),
            "up, nothing to do": lambda: timed(facility, "up", "--yes"),
        }
        for command, look in looks.items():
            keep({command: _told(command, middle([look() for _ in range(self._times)]))})
        for command, change in {
            "up, one IOC changed": self._change,
            "ioc restart": lambda: timed(facility, "ioc", "restart", one),
        }.items():
            keep({command: _told(command, self._with_own_start(change))})
        keep({"memory": self._memory(size)})
        keep({"down": _told("down", middle([timed(facility, "down")]))})
        if size != self._sizes[-1]:
            again = middle([timed(facility, "up", "--yes")])
            keep({"up, after down": _told("up, after down", again)})

    def _grow(self, size: int) -> Result:
        begun = there = self._batches[-1].after if self._batches else 0
        added: list[Cost] = []
        for number in boundaries(self._sizes, self._batch):
            if not there < number <= size:
                continue
            self._facility.write(number, apart=(_ONE,))
            cost = timed(self._facility, "up", "--yes")
            say(f"  up from {there} to {number}: {cost.wall_s:.2f} s")
            self._batches.append(Batch(there, number, cost.wall_s))
            added.append(cost)
            there = number
        self._ups += added
        return (
            total(self._ups)
            | {f"added_{key}": value for key, value in total(added).items()}
            | {"added": size - begun}
            | first_and_last(self._batches, size=size, batch=self._batch)
            | {
                "batches": [
                    {"from": each.before, "to": each.after, "s": rounded(each.s)}
                    for each in self._batches
                    if each.before >= begun
                ]
            }
        )

    def _change(self) -> Cost:
        self._edits += 1
        file = self._facility.source(_ONE, apart=(_ONE,)) / "small.db"
        file.write_text(f"{self._facility.database}# change {self._edits}\n")
        return timed(self._facility, "up", "--yes")

    def _with_own_start(self, command: Callable[[], Cost]) -> Result:
        costs: list[Cost] = []
        own: list[float] = []
        for _ in range(self._times):
            # Its supervisor starts nothing again within a second of the start before.
            _until_up_for(self._facility.name, ioc(_ONE), _SETTLED_S)
            costs.append(command())
            own.append(_own_start(self._facility.name, ioc(_ONE)))
        rest = [cost.wall_s - start for cost, start in zip(costs, own, strict=True)]
        return middle(costs) | {
            "without_own_start_s": rounded(statistics.median(rest)),
            "own_start_s": rounded(statistics.median(own)),
        }

    def _memory(self, size: int) -> Result:
        settle()
        used = self._before - memory()["MemAvailable"]
        others = self._pss_of_others() - self._others_before
        pss = sum(each.pss for each in processes.machine_processes(self._facility.name))
        daemon = processes.rss_of(processes.daemons(self._facility.paths.incus))
        say(f"  memory: {used / 1e6:.0f} MB, {used / size / 1e6:.1f} MB a machine")
        return {
            "available_used_bytes": used,
            "available_used_bytes_a_machine": round(used / size),
            # Of machines alone: what other programs take meanwhile is not in it.
            "machines_pss_bytes": pss,
            "machines_pss_bytes_a_machine": round(pss / size),
            "daemon_rss_bytes": daemon,
            "other_programs_growth_bytes": others,
        }

    def _pss_of_others(self) -> int:
        machines = {each.pid for each in processes.machine_processes(self._facility.name)}
        ours = machines | {os.getpid(), *processes.daemons(self._facility.paths.incus)}
        return sum(pss for pid, pss in processes.pss_by_pid().items() if pid not in ours)


def _told(command: str, figures: Result) -> Result:
    own = f", {figures['own_start_s']:.2f} s of it the IOC's" if "own_start_s" in figures else ""
    say(f"  {command}: {cell(figures)}{own}")
    return figures


def _until_up_for(facility: str, machine: str, seconds: float) -> None:
    """Wait until the program in a machine has been up for a while."""
    found = processes.machine_processes(facility, machine=machine)
    started = max(each.started_at for each in found if each.name == "procServ")
    time.sleep(max(0.0, started + seconds - time.time()))


def _own_start(facility: str, machine: str) -> float:
    """Return how long an IOC took from its procServ's start until it had booted."""
    found = processes.machine_processes(facility, machine=machine)
    (procserv,) = (each for each in found if each.name == "procServ")
    booted = Path(f"/proc/{procserv.pid}/root{LAYOUT.run}/booted")
    return booted.stat().st_mtime - procserv.started_at


if __name__ == "__main__":
    sys.exit(main())
