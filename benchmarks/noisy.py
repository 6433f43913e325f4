"""What neighbours notice of a machine that knows no measure: `linacre bench noisy`.

Two IOCs: one is read by clients at the desk all the time, in the machine of the other something
goes wrong: it forks, leaks, fills its disk, floods the network with ARP or UDP. Each is done with
the walls and ceilings that Linacre gives, and then without them, in one run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import IPv4Network

from common.conditions import conditions, say
from common.facility import BenchFacility, bench_facility, build_first, ioc, prefix, require_root
from common.processes import named_pids
from common.report import Keep, Result, report, rounded, within
from common.watchers import Watcher, watching
from linacre.base.errors import LinacreError
from linacre.base.processes import run_tool
from linacre.engines.incus.connection import IncusSettings
from linacre.engines.incus.engine import IncusEngine
from linacre.engines.incus.names import project, volume
from linacre.engines.incus.walls_rules import CABLES, GATES, table_name

NAME = "bench-noisy"
_NOISY = ioc(1)
_BEGIN_LIMIT_S, _END_LIMIT_S = 60.0, 30.0
_DB = """\
record(ao, "$(P)SETI") { field(VAL, "0") field(PINI, "YES") }
record(calc, "$(P)COUNT") { field(SCAN, ".1 second") field(CALC, "VAL+1") }
"""
_PYTHON = "/opt/linacre/bin/python"
# What leaks is ended by the kernel at its ceiling.
_AGAIN = """\
import subprocess, sys
while True: subprocess.run([sys.executable, "-c", *sys.argv[1:]])
"""
# Bounded also where no ceiling is: the host is to live on.
_NOISES = {
    "forks": """\
import os, time
children = 0
while True:
    try:
        if os.fork() == 0:
            if children < 2500: time.sleep(600)
            os._exit(0)
        children += 1
        if children > 2500: os.waitpid(-1, os.WNOHANG)
    except OSError: time.sleep(0.001)
""",
    "leak": """\
import os
held, most = [], os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * 3 // 10
while True:
    if len(held) << 23 < most: held.append(bytearray(8 << 20))
    else: held = []
""",
    "disk": """\
import os
file = os.open("/srv/persist/fill", os.O_WRONLY | os.O_CREAT)
while True:
    try: os.write(file, os.urandom(1 << 20)); os.fsync(file)
    except OSError: os.lseek(file, 0, 0)
""",
    # Who has the address before ours (RFC 826), asked of all.
    "arp": """\
import socket, sys
mac = bytes.fromhex(open("/sys/class/net/eth0/address").read().strip().replace(":", ""))
own = socket.inet_aton(sys.argv[1])
ask = bytes.fromhex("0001080006040001") + mac + own + bytes(6) + own[:3] + bytes([own[3] - 1])
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(("eth0", 0))
while True:
    try: raw.send(bytes([255] * 6) + mac + bytes.fromhex("0806") + ask)
    except OSError: pass
""",
    # A search of Channel Access for a PV that nobody has, asked of all.
    "udp": """\
import socket, struct
search = struct.pack("!HHHHII", 0, 0, 0, 13, 0, 0)
search += struct.pack("!HHHHII", 6, 16, 5, 13, 1, 1) + b"NOBODY:HAS:IT".ljust(16, bytes(1))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
while True:
    try: udp.sendto(search, ("255.255.255.255", 5064))
    except OSError: pass
""",
}


def main() -> int:
    options = _options()
    return report(
        "noisy",
        aim={"aim_p99_ratio": 2.0},
        repeat=1,
        conditions=lambda: _conditions(options),
        run=lambda keep: _run(options, keep),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="linacre bench noisy", description=__doc__)
    add = parser.add_argument
    add("--seconds", type=float, default=8.0, help="how long each is done (8)")
    add("--rounds", type=int, default=3, help="how often, each after as long a quiet time (3)")
    add("--subnet", type=IPv4Network, default=IPv4Network("10.63.48.0/20"))
    options = parser.parse_args()
    if options.seconds < 2 or options.rounds < 1:
        parser.error("--seconds is 2 or more and --rounds 1 or more")
    return options


def _conditions(options: argparse.Namespace) -> Result:
    require_root("noisy")
    build_first()
    return conditions(engine="incus", n=options.rounds) | {
        "clients": "at the desk, of the neighbour: a read each 20 ms by a connected client, by "
        "Channel Access and by pvAccess (p4p), and a p4p monitor of a PV that changes at 10 Hz",
        "seconds": options.seconds,
        "ratio": "of the p99 while something is done to that of the quiet time before it in the "
        "same round; the median of the rounds",
        "without": "no nftables' tables of the facility, no ceiling on processes, memory and disk",
    }


class Noisy:
    """The machine that makes noises, and the clients of its neighbour."""

    def __init__(self, facility: BenchFacility, runner: asyncio.Runner) -> None:
        self._facility = facility
        self._runner = runner
        # Held open throughout: each that is opened anew lays the walls again.
        self._engine = IncusEngine(facility.name, facility.paths, IncusSettings())
        self.clients: dict[str, Watcher] = {}

    def begin(self, stack: ExitStack) -> None:
        """Reach the machines, and have clients see values."""
        self._runner.run(self._engine.open())
        stack.callback(lambda: self._runner.run(self._engine.close()))
        inits = {each.name: each.pid for each in self._runner.run(self._engine.machines())}
        desk = inits["desk-controls"]
        if desk is None:
            raise LinacreError("the desk does not run in the benchmark")
        subnet = self._facility.subnet
        address, broadcast = str(subnet.network_address + 257), str(subnet.broadcast_address)
        for role, pv in {"caget": "SETI", "pvget": "SETI", "pva": "COUNT"}.items():
            watcher = watching(role, desk, address, broadcast, prefix(0) + pv)
            self.clients[role] = stack.enter_context(watcher)
        end = time.monotonic() + _BEGIN_LIMIT_S
        while not all(each.times() for each in self.clients.values()):
            if time.monotonic() > end:
                raise LinacreError("the clients at the desk get no values")
            time.sleep(0.1)

    def round(self, noise: str, seconds: float) -> dict[str, dict[str, Result]]:
        """Return what clients saw in a quiet time, and while a noise was made."""
        found: dict[str, dict[str, Result]] = {}
        begun = time.monotonic()
        time.sleep(seconds)
        found["quiet"] = _seen(self.clients, begun, time.monotonic())
        with self._made(noise):
            # What forks and leaks comes to its ceiling first.
            time.sleep(1.0)
            begun = time.monotonic()
            time.sleep(seconds)
            found["noisy"] = _seen(self.clients, begun, time.monotonic())
        time.sleep(2.0)
        return found

    @contextmanager
    def _made(self, noise: str) -> Generator[None]:
        own = str(self._facility.subnet.network_address + 258)
        argv = [_PYTHON, "-c", _AGAIN, _NOISES[noise], own]
        self._inside('setsid "$@" >/dev/null 2>&1 &', *argv)
        try:
            yield
        finally:
            self._end()
            self._inside("rm -f /srv/persist/fill")

    def _end(self) -> None:
        """End the noise from the host: at its ceiling the machine takes no further command."""
        end = time.monotonic() + _END_LIMIT_S
        while noise := [*named_pids(self._facility.name, _NOISY, "python")]:
            if time.monotonic() > end:
                raise LinacreError(f"{len(noise)} processes of the noise do not end")
            for pid in noise:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _inside(self, script: str, *words: str) -> None:
        self._runner.run(self._engine.exec(_NOISY, ["sh", "-c", script, "sh", *words]))

    def take_walls_down(self) -> None:
        """Leave the machines without walls and ceilings, until the engine is opened anew."""
        table = table_name(self._facility.name)
        for family in (CABLES, GATES):
            self._runner.run(run_tool("nft", "delete", "table", family, table))
        self._patch(f"/1.0/instances/{_NOISY}", {"limits.memory": "", "limits.processes": ""})
        pool = f"/1.0/storage-pools/{project(self._facility.name)}"
        self._patch(f"{pool}/volumes/custom/{volume(_NOISY)}", {"size": ""})

    def _patch(self, path: str, config: dict[str, str]) -> None:
        client = self._engine._client  # pyright: ignore[reportPrivateUsage]
        self._runner.run(client.request("PATCH", path, body={"config": config}))


def _run(options: argparse.Namespace, keep: Keep) -> None:
    with (
        bench_facility(NAME, subnet=options.subnet, database=_DB) as facility,
        asyncio.Runner() as runner,
        ExitStack() as stack,
    ):
        facility.write(2)
        facility.run("up", "--yes")
        noisy = Noisy(facility, runner)
        noisy.begin(stack)
        for how in ("with", "without"):
            if how == "without":
                noisy.take_walls_down()
            keep_how = within(keep, how)
            for noise in _NOISES:
                rounds = [noisy.round(noise, options.seconds) for _ in range(options.rounds)]
                told = _told(rounds)
                say(f"{how} walls, {noise}: {told}")
                keep_how({noise: told})


def _seen(clients: dict[str, Watcher], begin: float, end: float) -> dict[str, Result]:
    """Return what clients saw in a time, in seconds."""
    found: dict[str, Result] = {}
    for role in ("caget", "pvget"):
        reads = [each for each in [*clients[role].seen] if begin <= each.get("begun", 0) < end]
        took = sorted(each["took"] for each in reads)
        # One that never came back is as long as the time that it was waited for.
        cuts = statistics.quantiles(took, n=100) if len(took) > 1 else [end - begin] * 99
        found[role] = {"p50_s": cuts[49], "p99_s": cuts[98], "reads": len(took)}
    found["monitor"] = {"longest_gap_s": clients["pva"].gap(begin, end)}
    return found


def _told(rounds: list[dict[str, dict[str, Result]]]) -> Result:
    told: Result = {}
    for role in ("caget", "pvget"):
        for which in ("p50", "p99"):
            for time_ in ("quiet", "noisy"):
                values_ms = [each[time_][role][f"{which}_s"] * 1e3 for each in rounds]
                told[f"{role}_{which}_ms_{time_}"] = rounded(statistics.median(values_ms))
        ratios = [each["noisy"][role]["p99_s"] / each["quiet"][role]["p99_s"] for each in rounds]
        told[f"{role}_p99_ratio"] = rounded(statistics.median(ratios))
    gaps = [each["noisy"]["monitor"]["longest_gap_s"] for each in rounds]
    return told | {"monitor_longest_gap_s": rounded(max(gaps))}


if __name__ == "__main__":
    sys.exit(main())
