"""The time from `ioc create` to the first PV answered: `linacre bench create -n 10`.

A facility with some IOCs is up. n more are created one after the other, each by the command line
from Linacre's own template, while a client on this host asks for its first PV each 20 ms as any
new Channel Access client does: search by broadcast, connect, read.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from datetime import datetime
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from common.conditions import conditions, say
from common.facility import BenchFacility, bench_facility, build_first, require_root
from common.report import Keep, Result, report, rounded
from linacre.base.errors import LinacreError

NAME = "bench-create"
_WATCH = Path(__file__).parent / "common" / "watch.py"
_LIMIT_S = 60.0


def main() -> int:
    options = _options()
    return report(
        "create",
        aim={"aim_first_pv_s": 2.0},
        repeat=1,
        conditions=lambda: _conditions(options),
        run=lambda keep: _run(options, keep),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="linacre bench create", description=__doc__)
    parser.add_argument("-n", type=int, default=10, help="how many are created (10)")
    parser.add_argument("--beside", type=int, default=5, help="IOCs that are up before (5)")
    parser.add_argument("--template", choices=("softioc", "python"), default="softioc")
    parser.add_argument("--subnet", type=IPv4Network, default=IPv4Network("10.63.80.0/20"))
    options = parser.parse_args()
    if options.n < 1 or options.beside < 0:
        parser.error("-n is 1 or more, --beside 0 or more")
    return options


def _conditions(options: argparse.Namespace) -> Result:
    require_root("create")
    build_first()
    return conditions(engine="incus", n=options.n) | {
        "beside": options.beside,
        "template": options.template,
        "clock": "from before the process of the command is started until the client on this host "
        "has the value of the first PV",
        "client": "a new one each 20 ms: search by broadcast, connect, read",
    }


def _run(options: argparse.Namespace, keep: Keep) -> None:
    with bench_facility(NAME, subnet=options.subnet) as facility:
        facility.write(options.beside)
        facility.run("up", "--yes")
        created: list[dict[str, Any]] = []
        for number in range(options.n):
            created.append(_create(facility, options.template, number))
            keep(_figures(created))


def _create(facility: BenchFacility, template: str, number: int) -> dict[str, Any]:
    name, prefix = f"new{number}", f"BENCH-NEW{number}:"
    broadcast = str(facility.subnet.broadcast_address)
    watch = [sys.executable, "-Wignore", str(_WATCH), "search", "-", broadcast, f"{prefix}SETI"]
    with subprocess.Popen(
        watch, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as client:
        try:
            begun, cpu = time.monotonic(), _children_cpu_s()
            told = json.loads(
                facility.run(
                    *("ioc", "create", name, "--template", template),
                    *("--set", f"PREFIX={prefix}", "--json"),
                )
            )
            ended = time.monotonic()
            cpu_s = _children_cpu_s() - cpu
            answered = _first_value(client)
        finally:
            client.kill()
    if told["ioc"] != name or not told["is_running"]:
        raise LinacreError(f"{name} was not brought up in the benchmark: {told}")
    say(f"{name}: first PV after {answered - begun:.2f} s, command {ended - begun:.2f} s")
    return {
        "first_pv_s": answered - begun,
        "command_s": ended - begun,
        "command_cpu_s": cpu_s,
        "steps": _steps(facility),
        "load_average": os.getloadavg()[0],
    }


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _first_value(client: subprocess.Popen[str]) -> float:
    assert client.stdout is not None
    end = time.monotonic() + _LIMIT_S
    for line in client.stdout:
        seen = json.loads(line) if line.startswith("{") else {}
        if "value" in seen:
            return float(seen["at"])
        if time.monotonic() > end:
            break
    raise LinacreError(f"the new IOC's first PV was not answered within {_LIMIT_S:.0f} s")


def _steps(facility: BenchFacility) -> dict[str, float]:
    """Return how long each kind of step took."""
    return {
        each["key"].split()[0]: _at(each["ended_at"]) - _at(each["started_at"])
        for each in facility.last_task()["steps"]
        if each["state"] == "done"
    }


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _figures(created: list[dict[str, Any]]) -> Result:
    def spread(values: list[float]) -> Result:
        ordered = sorted(values)
        return {
            "shortest": rounded(ordered[0]),
            "median": rounded(ordered[len(ordered) // 2]),
            "longest": rounded(ordered[-1]),
        }

    figures = ("first_pv_s", "command_s", "command_cpu_s", "load_average")
    steps = {key for each in created for key in each["steps"]}
    return {
        **{key: spread([each[key] for each in created]) for key in figures},
        "steps_s": {
            key: spread([each["steps"][key] for each in created if key in each["steps"]])
            for key in sorted(steps)
        },
    }


if __name__ == "__main__":
    sys.exit(main())
