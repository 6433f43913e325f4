"""What clients see of a swap of twins: `linacre bench swap -n 20`.

One IOC and its twin are exchanged n times by `linacre ioc swap`, while four watchers stand at the
desk: one asks by ARP who has the address, one is a new Channel Access client each 20 ms, and two
are connected monitors of a PV that changes ten times a second, through libca and p4p. Plain
restarts of the IOC in the same run are the measure for the monitors.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from itertools import pairwise
from pathlib import Path
from typing import Any

from common.conditions import conditions, say
from common.facility import BenchFacility, bench_facility, build_first, ioc, prefix, require_root
from common.report import Keep, Result, report, rounded
from linacre.base.errors import LinacreError
from linacre.base.processes import ProcessId, all_processes
from linacre.engines.incus.connection import IncusSettings
from linacre.engines.incus.engine import IncusEngine

NAME = "bench-swap"
_WATCH = Path(__file__).parent / "common" / "watch.py"
_SETTLE_LIMIT_S = 60.0
_QUIET_S = 2.0
_GOVERNOR_S = 10.0
_OWN = {"live": 11.0, "twin": 22.0}
_DB = """\
record(ao, "$(P)SETI") {{ field(VAL, "0") field(PINI, "YES") }}
record(ai, "$(P)WHO") {{ field(VAL, "{who}") field(PINI, "YES") }}
record(calc, "$(P)COUNT") {{ field(SCAN, ".1 second") field(CALC, "VAL+1") }}
"""


def main() -> int:
    options = _options()
    return report(
        "swap",
        aim={
            "aim_new_client_gap_s": 0.2,
            "aim_pva_monitor_gap_s": 1.2,
            "aim_ca_monitor_gap": "no worse than after a plain restart of the IOC in this run",
        },
        repeat=1,
        conditions=lambda: _conditions(options),
        run=lambda keep: _run(options, keep),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="linacre bench swap", description=__doc__)
    parser.add_argument("-n", type=int, default=20, help="how many swaps (20)")
    parser.add_argument("--restarts", type=int, help="how many restarts beside (as many)")
    parser.add_argument("--subnet", type=IPv4Network, default=IPv4Network("10.63.64.0/20"))
    options = parser.parse_args()
    options.restarts = options.restarts or options.n
    if options.n < 1 or options.restarts < 1:
        parser.error("-n and --restarts are 1 or more")
    return options


def _conditions(options: argparse.Namespace) -> Result:
    require_root("swap")
    build_first()
    return conditions(engine="incus", n=options.n) | {
        "clients": "at the desk: ARP each 10 ms; a new Channel Access client each 20 ms (search "
        "by broadcast, connect, read); libca and p4p monitors of a PV that changes at 10 Hz",
        "gap": "the longest time between two updates (monitors), or between the beginnings of two "
        "new clients that got their value, from a swap or restart to the next",
        "restarts": options.restarts,
        "phase": "each swap and restart after a random wait of up to 10 s: libca looks anew for "
        "what it lost at the ticks of a clock of that period",
    }


@dataclass
class Watcher:
    """A watcher and what it has seen."""

    process: subprocess.Popen[str]
    seen: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def read(self) -> None:
        """Take what it tells, to its end."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                self.seen.append(json.loads(line))

    def times(self) -> list[float]:
        """Return when there was something to see."""
        return sorted(each.get("begun", each["at"]) for each in [*self.seen] if "at" in each)

    def gap(self, begin: float, end: float) -> float:
        """Return the longest time in which nothing was seen, from just before `begin` to `end`."""
        times = self.times()
        before = [at for at in times if at < begin][-1:]
        inside = [at for at in times if begin <= at < end]
        marks = [*before, *inside, *([] if inside else [end])]
        return max((b - a for a, b in pairwise(marks)), default=end - begin)


@contextmanager
def _watcher(role: str, desk: int, *arguments: str) -> Generator[Watcher]:
    argv = ["nsenter", f"--net=/proc/{desk}/ns/net", sys.executable, "-Wignore", str(_WATCH)]
    process = subprocess.Popen(
        [*argv, role, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    watcher = Watcher(process)
    thread = threading.Thread(target=watcher.read, daemon=True)
    thread.start()
    try:
        yield watcher
    finally:
        process.kill()
        process.wait()
        thread.join(timeout=5)


def _run(options: argparse.Namespace, keep: Keep) -> None:
    with bench_facility(NAME, subnet=options.subnet) as facility, ExitStack() as stack:
        _bring_up(facility)
        desk = _init_of(facility, "desk-controls")
        address = str(facility.subnet.network_address + 257)
        broadcast = str(facility.subnet.broadcast_address)
        pvs = {"arp": "-", "search": "WHO", "ca": "COUNT", "pva": "COUNT"}
        watchers = {
            role: stack.enter_context(_watcher(role, desk, address, broadcast, prefix(0) + pv))
            for role, pv in pvs.items()
        }
        _settle(watchers, time.monotonic())
        before = _programs(facility)
        restarts = [_restart(facility, watchers, n) for n in range(options.restarts)]
        _own_values(facility)
        middle = _programs(facility)
        swaps = [_swap(facility, watchers, n) for n in range(options.n)]
        keep(_figures(watchers, swaps, restarts) | _unchanged(facility, before, middle, options.n))


def _bring_up(facility: BenchFacility) -> None:
    facility.write(1)
    small, other = facility.folder / "small", facility.folder / "twin"
    other.mkdir()
    (other / "st.cmd").write_text((small / "st.cmd").read_text())
    (small / "small.db").write_text(_DB.format(who=1))
    (other / "small.db").write_text(_DB.format(who=2))
    facility.run("up", "--yes")
    facility.run("ioc", "twin", ioc(0), "--source", str(other), "--yes")


def _init_of(facility: BenchFacility, machine: str) -> int:
    async def ask() -> int:
        engine = IncusEngine(facility.name, facility.paths, IncusSettings())
        await engine.open()
        try:
            found = {each.name: each.pid for each in await engine.machines()}
        finally:
            await engine.close()
        pid = found[machine]
        if pid is None:
            raise LinacreError(f"{machine} does not run in the benchmark")
        return pid

    return asyncio.run(ask())


def _programs(facility: BenchFacility) -> dict[str, ProcessId]:
    """Return the softIoc process of both twins."""
    found: dict[str, ProcessId] = {}
    for identity, line in all_processes():
        if "softIoc" not in line.split(" ")[0]:
            continue
        groups = Path(f"/proc/{identity.pid}/cgroup").read_text()
        for machine in (ioc(0), f"{ioc(0)}-twin"):
            if f"lxc.payload.linacre-{facility.name}_{machine}\n" in groups:
                found[machine] = identity
    return found


def _settle(watchers: dict[str, Watcher], since: float) -> float:
    """Wait until every client gets values again, and for a while more; return when that was."""
    end = time.monotonic() + _SETTLE_LIMIT_S
    for role in ("search", "ca", "pva"):
        while not [at for at in watchers[role].times()[-3:] if at > since]:
            if time.monotonic() > end:
                raise LinacreError(f"the {role} client got no value in {_SETTLE_LIMIT_S:.0f} s")
            time.sleep(0.05)
    time.sleep(_QUIET_S)
    return time.monotonic()


@dataclass(frozen=True)
class Event:
    """A swap or a restart: when its command began and ended, and when all had settled."""

    begun: float
    ended: float
    settled: float
    cables_s: float = 0.0
    live: str = ""


def _wait_a_while() -> None:
    """Wait up to a period of libca's disconnect governor, else all fall into one phase of it."""
    time.sleep(random.uniform(0, _GOVERNOR_S))


def _restart(facility: BenchFacility, watchers: dict[str, Watcher], number: int) -> Event:
    _wait_a_while()
    begun = time.monotonic()
    facility.run("ioc", "restart", ioc(0))
    ended = time.monotonic()
    settled = _settle(watchers, ended)
    say(f"restart {number + 1}: all serve after {settled - begun:.1f} s")
    return Event(begun, ended, settled)


def _swap(facility: BenchFacility, watchers: dict[str, Watcher], number: int) -> Event:
    _wait_a_while()
    begun = time.monotonic()
    told = json.loads(facility.run("ioc", "swap", ioc(0), "--yes", "--json"))
    ended = time.monotonic()
    settled = _settle(watchers, ended)
    say(f"swap {number + 1}: {told['live']} after {settled - begun:.1f} s")
    return Event(begun, ended, settled, told["took_s"], told["live"])


def _own_values(facility: BenchFacility) -> None:
    """Give each twin a set point of its own."""
    put = f"{prefix(0)}SETI"
    facility.run("exec", "--", "caput", put, str(_OWN["live"]))
    facility.run("exec", "--network", "controls-twins", "--", "caput", put, str(_OWN["twin"]))


def _figures(watchers: dict[str, Watcher], swaps: list[Event], restarts: list[Event]) -> Result:
    return {
        "command_s": _spread([each.ended - each.begun for each in swaps]),
        "cables_s": _spread([each.cables_s for each in swaps]),
        "gap_s": {
            "new_client": _gaps(watchers["search"], swaps),
            "pva_monitor": _gaps(watchers["pva"], swaps),
            "ca_monitor": _gaps(watchers["ca"], swaps),
        },
        "gap_after_restart_s": {
            "new_client": _gaps(watchers["search"], restarts),
            "pva_monitor": _gaps(watchers["pva"], restarts),
            "ca_monitor": _gaps(watchers["ca"], restarts),
        },
        "arp": _arp(watchers["arp"], swaps),
        "first_read_after_from_the_right_twin": [
            _first_read(watchers["search"], each) for each in swaps
        ].count(True),
    }


def _spread(values: list[float]) -> Result:
    return {"median": rounded(statistics.median(values)), "longest": rounded(max(values))}


def _gaps(watcher: Watcher, events: list[Event]) -> Result:
    return _spread([watcher.gap(each.begun, each.settled) for each in events])


def _arp(watcher: Watcher, swaps: list[Event]) -> Result:
    begin, end = swaps[0].begun, swaps[-1].settled
    asked = [each for each in watcher.seen if begin <= each.get("at", 0) < end]
    counts = [len(each["owners"]) for each in asked]
    return {
        "questions": len(counts),
        "answered_by_one": counts.count(1),
        "answered_by_none": counts.count(0),
        "answered_by_more": sum(count > 1 for count in counts),
        "addresses_seen": len({owner for each in asked for owner in each["owners"]}),
    }


def _values(watcher: Watcher) -> list[dict[str, Any]]:
    return [each for each in watcher.seen if "begun" in each and "value" in each]


def _first_read(watcher: Watcher, event: Event) -> bool:
    wanted = 2.0 if event.live.endswith("-twin") else 1.0
    values = (each["value"] for each in _values(watcher) if each["begun"] > event.ended)
    return next(values, None) == wanted


def _unchanged(
    facility: BenchFacility,
    before: dict[str, ProcessId],
    middle: dict[str, ProcessId],
    n: int,
) -> Result:
    get = ("exec", "--", "caget", "-t", f"{prefix(0)}SETI")
    live = float(facility.run(*get))
    facility.run("ioc", "swap", ioc(0), "--yes")
    other = float(facility.run(*get))
    values = (live, other) if n % 2 == 0 else (other, live)
    return {
        "processes_unchanged_by_swaps": _programs(facility) == middle,
        "process_of_the_twin_unchanged_by_all": (
            middle[f"{ioc(0)}-twin"] == before[f"{ioc(0)}-twin"]
        ),
        "own_values_kept": values == (_OWN["live"], _OWN["twin"]),
    }


if __name__ == "__main__":
    sys.exit(main())
