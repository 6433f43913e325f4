"""Time from `linacre up` until every IOC answers a client: `linacre bench bring-up`.

The image is built before and not counted; all else is: the start of the command, the daemon, the
storage pool, the import of the image, the machines, the boot of each IOC, and then one read of
each IOC's first PV through Channel Access by a client on the host, found by broadcast.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from datetime import datetime
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from common import processes
from common.conditions import conditions, say
from common.costs import Cost, timed
from common.facility import (
    RECORDS,
    BenchFacility,
    bench_facility,
    build_first,
    first_pv,
    require_root,
)
from common.report import Keep, Result, report, rounded
from linacre.base.errors import LinacreError

NAME = "bench-bring-up"
_ANSWER_LIMIT_S = 60.0


def main() -> int:
    options = _options()
    return report(
        "bring-up",
        aim={"aim_s": 60},
        repeat=options.repeat,
        conditions=lambda: _conditions(options),
        run=lambda keep: _run(options, keep),
    )


def _conditions(options: argparse.Namespace) -> Result:
    if options.engine == "incus":
        require_root("bring-up with the Incus engine")
        build_first()
    return conditions(engine=options.engine, n=options.n) | {
        "counted": "from the start of `linacre up` of a facility that is not there, to the "
        "last of n first PVs read through Channel Access from the host",
        "not_counted": "the building of the image, which was there before",
        "ioc": f"kind softioc, {RECORDS} records",
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="linacre bench bring-up", description=__doc__)
    parser.add_argument("-n", type=int, default=100, help="how many IOCs (100)")
    parser.add_argument("--repeat", type=int, default=1, help="how often; medians are printed")
    parser.add_argument("--engine", choices=("incus", "process"), default="incus")
    parser.add_argument("--subnet", type=IPv4Network, default=IPv4Network("10.63.32.0/20"))
    options = parser.parse_args()
    if options.n < 1 or options.repeat < 1:
        parser.error("-n and --repeat are 1 or more")
    return options


def _run(options: argparse.Namespace, keep: Keep) -> None:
    with bench_facility(NAME, subnet=options.subnet, engine=options.engine) as facility:
        facility.write(options.n)
        with _reader() as reader:
            up = timed(facility, "up", "--yes")
            keep({"up_s": rounded(up.wall_s), "cpu_s": _cpu(up, facility)})
            answers = _read_all(reader, facility, options.n)
        say(f"up in {up.wall_s:.1f} s, all answered {max(answers):.1f} s later")
        keep({"total_s": rounded(up.wall_s + max(answers)), "answer_s": rounded(max(answers))})
        keep(_split(facility, began=up.began))


def _cpu(up: Cost, facility: BenchFacility) -> dict[str, float]:
    """Return who used the CPU while it came up."""
    cpu = {
        "all": up.host_cpu_s,
        "all_possible": up.wall_s * (os.cpu_count() or 1),
        "up": up.client_cpu_s,
        "daemon": up.daemon_cpu_s or 0.0,
        "machines": processes.cpu_of_machines(facility.name),
    }
    return {key: rounded(value) for key, value in cpu.items()}


def _reader() -> subprocess.Popen[str]:
    # epicscorelibs imports setuptools, which may have a warning for somebody else.
    argv = [
        sys.executable,
        "-Wignore::FutureWarning",
        str(Path(__file__).parent / "common" / "reader.py"),
    ]
    reader = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert reader.stdout is not None
    if reader.stdout.readline() != "ready\n":
        raise LinacreError("the Channel Access client of the benchmark did not start (see above)")
    return reader


def _read_all(reader: subprocess.Popen[str], facility: BenchFacility, n: int) -> list[float]:
    """Return the seconds, from now, to the value of each IOC's first PV."""
    order = {
        "environment": facility.client_environment(),
        "pvs": [first_pv(number) for number in range(n)],
        "limit_s": _ANSWER_LIMIT_S,
    }
    said, _ = reader.communicate(json.dumps(order) + "\n")
    found: list[float | None] = json.loads(said or "[]")
    answered = [seconds for seconds in found if seconds is not None]
    if len(answered) != n:
        raise LinacreError(f"{len(answered)} of {n} IOCs answered in {_ANSWER_LIMIT_S:.0f} s")
    return answered


def _split(facility: BenchFacility, *, began: float) -> Result:
    """Return where the time went, from the journalled steps and the processes' own start times."""
    task = facility.last_task()
    steps = {step["key"]: step for step in task["steps"]}
    phases = {"command_and_daemon_s": _epoch(task["started_at"]) - began}
    for action in ("prepare", "network", "image", "create", "start", "record"):
        chosen = [step for key, step in steps.items() if key.split()[0] == action]
        if chosen:
            first = min(_epoch(step["started_at"]) for step in chosen)
            last = max(_epoch(step["ended_at"]) for step in chosen)
            phases[f"{action}_from_s"] = first - began
            phases[f"{action}_to_s"] = last - began
    found = processes.machine_processes(facility.name)
    return {
        "phases": {key: rounded(value) for key, value in phases.items()},
        "each": _each(steps, found),
    }


def _each(
    steps: dict[str, dict[str, Any]], found: list[processes.Process]
) -> dict[str, dict[str, float]]:
    inits = {process.machine: process.started_at for process in found if process.is_init}
    iocs = {process.machine: process.started_at for process in found if process.name == "softIoc"}
    spans: dict[str, list[float]] = {name: [] for name in ("create", "start", "boot", "ioc")}
    for key, step in steps.items():
        action, _, machine = key.partition(" ")
        if action == "create":
            spans["create"].append(_epoch(step["ended_at"]) - _epoch(step["started_at"]))
        if action == "start" and machine in inits and machine in iocs:
            spans["start"].append(inits[machine] - _epoch(step["started_at"]))
            spans["boot"].append(iocs[machine] - inits[machine])
            spans["ioc"].append(_epoch(step["ended_at"]) - iocs[machine])
    return {
        f"{name}_s": {
            "median": rounded(sorted(values)[len(values) // 2]),
            "largest": rounded(max(values)),
        }
        for name, values in spans.items()
        if values
    }


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


if __name__ == "__main__":
    sys.exit(main())
