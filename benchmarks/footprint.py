"""Memory of the host that an IOC's machine costs, beside the IOC itself: `linacre bench footprint`.

The figure is (MemAvailable before - after) / n, caches dropped both times, less the mean PSS of
the IOC's process and of its procServ. Before is the facility up with its daemon and its desk and
no IOC, so that what is there once is not counted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from dataclasses import dataclass
from ipaddress import IPv4Network

from common.caches import settle
from common.conditions import conditions, memory, say
from common.facility import RECORDS, BenchFacility, bench_facility, build_first, require_root
from common.processes import Process, daemons, machine_processes, pss_by_pid
from common.report import Keep, Result, report, rounded
from linacre.base.errors import LinacreError

NAME = "bench-footprint"
OF_THE_IOC = ("softIoc", "procServ")
_KERNEL = ("SReclaimable", "SUnreclaim", "KernelStack", "PageTables", "Percpu")
_MEMORY = ("MemAvailable", "MemFree", "AnonPages", "Mapped", "Cached", "Buffers", *_KERNEL)
_NOISE_BYTES = 200_000


def main() -> int:
    options = _options()
    return report(
        "footprint",
        aim={"aim_bytes": 8_000_000},
        repeat=options.repeat,
        conditions=lambda: _conditions(options.n),
        run=lambda keep: _run(options, keep),
    )


def _conditions(n: int) -> Result:
    require_root("footprint")
    build_first()
    return conditions(engine="incus", n=n) | {
        "before": "the facility up with its daemon and its desk, no IOC",
        "after": f"the same with n IOCs of kind softioc, {RECORDS} records each, all booted",
        "caches": "sync; 3 > /proc/sys/vm/drop_caches, then steady to 1 MiB for 3 s",
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="linacre bench footprint", description=__doc__)
    parser.add_argument("-n", type=int, default=20, help="how many IOCs (20)")
    parser.add_argument("--repeat", type=int, default=1, help="how often; medians are printed")
    parser.add_argument("--subnet", type=IPv4Network, default=IPv4Network("10.63.16.0/20"))
    options = parser.parse_args()
    if options.n < 1 or options.repeat < 1:
        parser.error("-n and --repeat are 1 or more")
    return options


@dataclass(frozen=True)
class Look:
    """The host at one moment."""

    memory: dict[str, int]
    """/proc/meminfo, in bytes."""
    machines: list[Process]
    daemon: int
    """PSS of the Incus daemon, in bytes."""
    others: int
    """PSS of all that is neither a machine's, nor the daemon's, nor this benchmark's."""


def _run(options: argparse.Namespace, keep: Keep) -> None:
    with bench_facility(NAME, subnet=options.subnet, most=options.n) as facility:
        facility.write(0)
        facility.run("up", "--yes")
        before = _look(facility)
        facility.write(options.n)
        facility.run("up", "--yes")
        after = _look(facility)
        result = figures(before, after, n=options.n)
        noise = result["other_programs_growth_total_bytes"] / options.n
        if abs(noise) > _NOISE_BYTES:
            say(
                f"other programs changed by {noise / 1e6:+.1f} MB a machine, which is in the figure"
            )
        keep(result)


def _look(facility: BenchFacility) -> Look:
    settle()
    now = memory()
    pss = pss_by_pid()
    machines = machine_processes(facility.name)
    daemon = sum(pss.get(pid, 0) for pid in daemons(facility.paths.incus))
    ours = sum(process.pss for process in machines) + daemon + pss.get(os.getpid(), 0)
    return Look(
        memory=now,
        machines=machines,
        daemon=daemon,
        others=sum(pss.values()) - ours,
    )


def figures(before: Look, after: Look, *, n: int) -> Result:
    """Return the figures of one run, in bytes for one machine unless their name says more."""
    old = {process.machine for process in before.machines}
    new = [process for process in after.machines if process.machine not in old]
    if (found := len({process.machine for process in new})) != n:
        raise LinacreError(f"{found} machines of {n} were found among the host's processes")
    ioc = [process for process in new if process.name in OF_THE_IOC]
    ioc_pss = sum(process.pss for process in ioc) / n
    ioc_private = sum(process.pss - process.pss_file for process in ioc) / n
    all_pss = sum(process.pss for process in new) / n
    change = {key: (after.memory[key] - before.memory[key]) / n for key in _MEMORY}
    used, used_free = -change["MemAvailable"], -change["MemFree"]
    result = {
        # The figure asked for.
        "machine_bytes": used - ioc_pss,
        # MemAvailable counts pages of mapped files as available and PSS counts them as used:
        # the two ways of counting them alike.
        "machine_bytes_by_memfree": used_free - ioc_pss,
        "machine_bytes_without_files": used - ioc_private,
        # Of what belongs to machines alone: other programs disturb it least.
        "machine_bytes_by_parts": all_pss - ioc_pss + sum(change[key] for key in _KERNEL),
        "available_used_bytes": used,
        "free_used_bytes": used_free,
        "ioc_and_procserv_pss_bytes": ioc_pss,
        "ioc_and_procserv_pss_without_files_bytes": ioc_private,
        "other_processes_pss_bytes": all_pss - ioc_pss,
        "kernel_and_daemon_bytes": used_free - all_pss,
        "daemon_growth_total_bytes": after.daemon - before.daemon,
        "other_programs_growth_total_bytes": after.others - before.others,
    }
    rows: Result = {key: rounded(value) for key, value in result.items()}
    return rows | {
        "meminfo_change_bytes": {key: round(value) for key, value in change.items()},
        "pss_by_process_bytes": _by_name(new, n, files=True),
        "pss_by_process_without_files_bytes": _by_name(new, n, files=False),
    }


def _by_name(processes: list[Process], n: int, *, files: bool) -> dict[str, int]:
    """Return the PSS of each program in a machine, the sum of its processes, averaged."""
    total: dict[str, int] = defaultdict(int)
    for process in processes:
        pss = process.pss if files else process.pss - process.pss_file
        total["lxc monitor" if process.is_monitor else process.name] += pss
    return {name: round(pss / n) for name, pss in sorted(total.items(), key=lambda each: -each[1])}


if __name__ == "__main__":
    sys.exit(main())
