"""The time from `archiver create` to 100 first samples: `linacre bench archiver -n 5`.

A facility with IOCs is up, with PVs that change at 1 Hz. n archivers of all those PVs are created
one after the other, each by the command line, while a client on this host asks for the samples of
all PVs over HTTP until each has one; the archiver is deleted then.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from common.conditions import conditions, say
from common.facility import BenchFacility, bench_facility, build_first, prefix, require_root
from common.report import Keep, Result, report, rounded
from linacre.base.errors import LinacreError
from linacre.kinds.image import archiver_recipe

NAME = "bench-archiver"
PORT = 17665
_ADDRESS = 240
"""The archiver's place in the subnet: IOCs stand behind it."""
_LIMIT_S = 60.0
_PERIOD_S = 0.05
_EACH = 10
"""PVs of an IOC."""


def main() -> int:
    options = _options()
    return report(
        "archiver",
        aim={"aim_all_samples_s": 5.0},
        repeat=1,
        conditions=lambda: _conditions(options),
        run=lambda keep: _run(options, keep),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="linacre bench archiver", description=__doc__)
    parser.add_argument("-n", type=int, default=5, help="how many are created (5)")
    parser.add_argument("--pvs", type=int, default=100, help="how many PVs each takes (100)")
    parser.add_argument("--subnet", type=IPv4Network, default=IPv4Network("10.63.96.0/20"))
    options = parser.parse_args()
    if options.n < 1:
        parser.error("-n is 1 or more")
    if options.pvs not in range(_EACH, 20 * _EACH + 1, _EACH):
        parser.error(f"--pvs is {_EACH} to {20 * _EACH}, in tens: each IOC has {_EACH}")
    return options


def _conditions(options: argparse.Namespace) -> Result:
    require_root("archiver")
    build_first()
    return conditions(engine="incus", n=options.n) | {
        "archiver_image_digest": archiver_recipe().digest(),
        "pvs": options.pvs,
        "iocs": options.pvs // _EACH,
        "clock": "from before the process of the command is started until GET /api/v1/samples has "
        "answered a sample of each PV",
        "client": f"a new connection each {_PERIOD_S * 1000:.0f} ms, for all PVs at once",
        "image": "is there: made by linacre archiver prepare before",
    }


def _run(options: argparse.Namespace, keep: Keep) -> None:
    database = "".join(
        f'record(calc, "$(P)VALUE{number}") {{ field(SCAN, "1 second") field(CALC, "VAL+1") }}\n'
        for number in range(_EACH)
    )
    with bench_facility(NAME, subnet=options.subnet, database=database) as facility:
        facility.write(options.pvs // _EACH)
        facility.run("up", "--yes")
        facility.run("archiver", "prepare")
        created: list[dict[str, Any]] = []
        for number in range(options.n):
            created.append(_create(facility, options.pvs, number))
            keep(_figures(created))


def _create(facility: BenchFacility, pvs: int, number: int) -> dict[str, Any]:
    name = f"arch{number}"
    address = facility.subnet.network_address + _ADDRESS
    names = [f"{prefix(ioc)}VALUE{n}" for ioc in range(pvs // _EACH) for n in range(_EACH)]
    command = ("archiver", "create", name, "--pvs", "BENCH-*:VALUE*", "--address", str(address))
    load_average = os.getloadavg()[0]
    with Watch(address, names) as watch:
        begun, begun_at = time.monotonic(), time.time()
        told = json.loads(facility.run(*command, "--json"))
        ended = time.monotonic()
        watch.wait()
    if told["pvs"] != pvs or not told["is_running"]:
        raise LinacreError(f"{name} was not brought up in the benchmark: {told}")
    about = watch.ask("")
    channels = watch.ask("/pvs?limit=1000")["pvs"]
    steps = _steps(facility, begun_at)
    facility.run("archiver", "delete", name, "--purge", "--yes")
    found = {
        "all_samples_s": watch.all_at - begun,
        "command_s": ended - begun,
        "port_open_s": watch.open_at - begun,
        "first_answer_s": watch.answered_at - begun,
        "first_sample_s": watch.first_at - begun,
        "program_started_s": about["started_ns"] / 1e9 - begun_at,
        "connected_s": max(each["first_connected_ns"] for each in channels) / 1e9 - begun_at,
        "steps": steps,
        "load_average": load_average,
    }
    say(
        f"{name}: {pvs} samples after {found['all_samples_s']:.2f} s; program "
        f"{found['program_started_s']:.2f} s, connected {found['connected_s']:.2f} s, first answer "
        f"{found['first_answer_s']:.2f} s, command {found['command_s']:.2f} s"
    )
    return found


def _steps(facility: BenchFacility, begun_at: float) -> dict[str, Result]:
    """Return when each kind of step began and ended, in seconds from the start."""
    return {
        each["key"].split()[0]: {
            "from": _at(each["started_at"]) - begun_at,
            "until": _at(each["ended_at"]) - begun_at,
        }
        for each in facility.last_task()["steps"]
        if each["state"] == "done"
    }


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


class Watch:
    """Asks an archiver that is not there yet until it has a sample of each PV, in a thread."""

    def __init__(self, address: IPv4Address, pvs: list[str]) -> None:
        self._address = str(address)
        self._pvs = frozenset(pvs)
        self._query = urllib.parse.urlencode([("pv", pv) for pv in pvs])
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._end = time.monotonic() + _LIMIT_S
        self.said = ""
        self.open_at = self.answered_at = self.first_at = self.all_at = 0.0

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end = 0.0
        self._thread.join()

    def wait(self) -> None:
        """Wait until it is done; `LinacreError` where it takes too long."""
        self._thread.join()
        if not self.all_at:
            said = f" (HTTP status {self.said})" if self.said else ""
            raise LinacreError(f"no sample of some PVs within {_LIMIT_S:.0f} s{said}")

    def ask(self, path: str) -> Any:
        """Return the JSON of an answer."""
        url = f"http://{self._address}:{PORT}/api/v1{path}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)

    def _work(self) -> None:
        while time.monotonic() < self._end and not self.all_at:
            try:
                self._look()
            except OSError:
                # Nobody answers at its address yet.
                time.sleep(_PERIOD_S)

    def _look(self) -> None:
        if not self.open_at:
            socket.create_connection((self._address, PORT), timeout=1).close()
            self.open_at = time.monotonic()
        try:
            rows = self.ask(f"/samples?{self._query}")["rows"]
        except urllib.error.HTTPError as error:
            # An archive that has nothing yet of a PV does not know it.
            self.answered_at = self.answered_at or time.monotonic()
            self.said = str(error.code)
            time.sleep(_PERIOD_S)
            return
        now = time.monotonic()
        found = {row[0] for row in rows}
        self.answered_at = self.answered_at or now
        if found:
            self.first_at = self.first_at or now
        if found == self._pvs:
            self.all_at = now
        else:
            time.sleep(_PERIOD_S)


def _figures(created: list[dict[str, Any]]) -> Result:
    figures = [key for key in created[0] if key != "steps"]
    steps = sorted({key for each in created for key in each["steps"]})
    return {
        **{key: _spread([each[key] for each in created]) for key in figures},
        "steps": {
            key: {
                edge: _spread(
                    [each["steps"][key][edge] for each in created if key in each["steps"]]
                )
                for edge in ("from", "until")
            }
            for key in steps
        },
    }


def _spread(values: list[float]) -> Result:
    ordered = sorted(values)
    return {
        "shortest": rounded(ordered[0]),
        "median": rounded(ordered[len(ordered) // 2]),
        "longest": rounded(ordered[-1]),
    }


if __name__ == "__main__":
    sys.exit(main())
