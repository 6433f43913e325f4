"""What clients see of a swap of twins: `linacre bench swap -n 20`.

One IOC and its twin are exchanged n times by `linacre ioc swap`, while four watchers stand at the
desk: one asks by ARP who has the address, one is a new Channel Access client each 20 ms, and two
are connected monitors of a PV that changes ten times a second, through libca and p4p. Plain
restarts of the IOC in the same run are the measure for the monitors.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from common.conditions import conditions, say
from common.facility import BenchFacility, bench_facility, build_first, ioc, prefix, require_root
from common.inits import init_of
from common.report import Keep, Result, report, rounded
from common.watchers import Watcher, watching
from linacre.base.errors import LinacreError
from linacre.base.processes import ProcessId, all_processes

NAME = "bench-swap"
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


def _run(options: argparse.Namespace, keep: Keep) -> None:
    with bench_facility(NAME, subnet=options.subnet) as facility, ExitStack() as stack:
        _bring_up(facility)
        desk = init_of(facility, "desk-controls")
        address = str(facility.subnet.network_address + 257)
        broadcast = str(facility.subnet.broadcast_address)
        pvs = {"arp": "-", "search": "WHO", "ca": "COUNT", "pva": "COUNT"}
        watchers = {
            role: stack.enter_context(watching(role, desk, address, broadcast, prefix(0) + pv))
            for role, pv in pvs.items()
        }
        _settle(watchers, time.monotonic())
        before = _programs(facility)
        restarts: list[Event] = []
        for number in range(options.restarts):
            restarts.append(_restart(facility, watchers, number))
            keep(_after_restarts(restarts))
        _own_values(facility)
        middle = _programs(facility)
        swaps: list[Event] = []
        for number in range(options.n):
            swaps.append(_swap(facility, watchers, number))
            keep(_after_swaps(swaps) | _arp(watchers["arp"], swaps))
        keep(_unchanged(facility, before, middle, options.n))


def _bring_up(facility: BenchFacility) -> None:
    facility.write(1)
    small, other = facility.folder / "small", facility.folder / "twin"
    other.mkdir()
    (other / "st.cmd").write_text((small / "st.cmd").read_text())
    (small / "small.db").write_text(_DB.format(who=1))
    (other / "small.db").write_text(_DB.format(who=2))
    facility.run("up", "--yes")
    facility.run("ioc", "twin", ioc(0), "--source", str(other), "--yes")


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
    """A swap or a restart: when its command began, when all had settled, and what was seen."""

    begun: float
    settled: float
    command_s: float
    gaps: dict[str, float]
    """The longest time in which a client saw nothing, in seconds."""
    cables_s: float = 0.0
    is_first_read_right: bool = False
    """The first new client after it got the value of the machine that came in."""


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
    return Event(begun, settled, ended - begun, _gaps(watchers, begun, settled))


def _swap(facility: BenchFacility, watchers: dict[str, Watcher], number: int) -> Event:
    _wait_a_while()
    begun = time.monotonic()
    told = json.loads(facility.run("ioc", "swap", ioc(0), "--yes", "--json"))
    ended = time.monotonic()
    settled = _settle(watchers, ended)
    say(f"swap {number + 1}: {told['live']} after {settled - begun:.1f} s")
    return Event(
        begun,
        settled,
        ended - begun,
        _gaps(watchers, begun, settled),
        cables_s=told["took_s"],
        is_first_read_right=_first_read(watchers["search"], ended) == _who(told["live"]),
    )


def _own_values(facility: BenchFacility) -> None:
    """Give each twin a set point of its own."""
    put = f"{prefix(0)}SETI"
    facility.run("exec", "--", "caput", put, str(_OWN["live"]))
    facility.run("exec", "--network", "controls-twins", "--", "caput", put, str(_OWN["twin"]))


def _after_restarts(restarts: list[Event]) -> Result:
    return {"gap_after_restart_s": _spread_of_gaps(restarts)}


def _after_swaps(swaps: list[Event]) -> Result:
    return {
        "command_s": _spread([each.command_s for each in swaps]),
        "cables_s": _spread([each.cables_s for each in swaps]),
        "gap_s": _spread_of_gaps(swaps),
        "first_read_after_from_the_right_twin": sum(each.is_first_read_right for each in swaps),
    }


def _spread(values: list[float]) -> Result:
    return {"median": rounded(statistics.median(values)), "longest": rounded(max(values))}


def _gaps(watchers: dict[str, Watcher], begin: float, end: float) -> dict[str, float]:
    clients = {"new_client": "search", "pva_monitor": "pva", "ca_monitor": "ca"}
    return {name: watchers[role].gap(begin, end) for name, role in clients.items()}


def _spread_of_gaps(events: list[Event]) -> Result:
    return {name: _spread([each.gaps[name] for each in events]) for name in events[0].gaps}


def _arp(watcher: Watcher, swaps: list[Event]) -> Result:
    begin, end = swaps[0].begun, swaps[-1].settled
    asked = [each for each in watcher.seen if begin <= each.get("at", 0) < end]
    counts = [len(each["owners"]) for each in asked]
    return {
        "arp": {
            "questions": len(counts),
            "answered_by_one": counts.count(1),
            "answered_by_none": counts.count(0),
            "answered_by_more": sum(count > 1 for count in counts),
            "addresses_seen": len({owner for each in asked for owner in each["owners"]}),
        }
    }


def _first_read(watcher: Watcher, after: float) -> float | None:
    return next(
        (
            each["value"]
            for each in [*watcher.seen]
            if each.get("begun", 0) > after and "value" in each
        ),
        None,
    )


def _who(machine: str) -> float:
    return 2.0 if machine.endswith("-twin") else 1.0


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
