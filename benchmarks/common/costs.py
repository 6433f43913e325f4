"""What a command costs: its time, and the CPU of who works for it."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from common import processes
from common.conditions import say
from common.facility import BenchFacility, failed
from common.report import Result, rounded

_TOLD_BYTES = 2000
"""Of what a command printed that ended with another status than 0, this much is told."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One run of a command; CPU is user and system time, in seconds."""

    began: float
    """Seconds since the Unix epoch, before its process was started."""
    ended: float
    client_cpu_s: float
    """The command's own, and of what it has started and waited for."""
    daemon_cpu_s: float | None
    """The Incus daemon's and of its helpers; None where it has ended with the command."""
    host_cpu_s: float
    """All that the host did in this time, other programs too."""
    status: int = 0

    @property
    def wall_s(self) -> float:
        """How long it took."""
        return self.ended - self.began


def timed(facility: BenchFacility, *arguments: str, allowed: Collection[int] = (0,)) -> Cost:
    """Run `linacre ... -f FILE` and return its cost; `LinacreError` for a status not allowed."""
    daemon, busy = _daemon_cpu(facility), processes.cpu_busy()
    with tempfile.TemporaryFile() as output:
        began = time.time()
        child = subprocess.Popen(facility.argv(*arguments), stdin=subprocess.DEVNULL, stdout=output)
        try:
            _, status, used = os.wait4(child.pid, 0)
        except BaseException:
            child.terminate()
            child.wait()
            raise
        ended = time.time()
        if status:
            output.seek(0)
            say(output.read()[-_TOLD_BYTES:].decode(errors="replace"))
    child.returncode = os.waitstatus_to_exitcode(status)
    busy = processes.cpu_busy() - busy
    if child.returncode not in allowed:
        raise failed(arguments)
    return Cost(
        began=began,
        ended=ended,
        client_cpu_s=used.ru_utime + used.ru_stime,
        daemon_cpu_s=_since(daemon, _daemon_cpu(facility)),
        host_cpu_s=busy,
        status=child.returncode,
    )


def _daemon_cpu(facility: BenchFacility) -> dict[int, float]:
    pids = processes.daemons(facility.paths.incus)
    return {pid: processes.cpu_of([pid]) for pid in pids}


def _since(before: dict[int, float], after: dict[int, float]) -> float | None:
    # A daemon that was started meanwhile had used nothing before.
    if before.keys() - after.keys():
        return None
    return sum(cpu - before.get(pid, 0.0) for pid, cpu in after.items())


def middle(costs: Sequence[Cost]) -> Result:
    """Return the medians of some runs of a command, and how long each took."""
    daemon = [each.daemon_cpu_s for each in costs if each.daemon_cpu_s is not None]
    found = {
        "s": statistics.median(each.wall_s for each in costs),
        "client_cpu_s": statistics.median(each.client_cpu_s for each in costs),
        **({"daemon_cpu_s": statistics.median(daemon)} if daemon else {}),
        "host_cpu_s": statistics.median(each.host_cpu_s for each in costs),
    }
    each_s = {"each_s": [rounded(each.wall_s) for each in costs]}
    statuses = {each.status for each in costs} - {0}
    return (
        {key: rounded(value) for key, value in found.items()}
        | (each_s if len(costs) > 1 else {})
        | ({"exit_status": max(statuses)} if statuses else {})
    )


def total(costs: Sequence[Cost]) -> Result:
    """Return the cost of commands that ran one after the other."""
    return {
        "s": rounded(sum(each.wall_s for each in costs)),
        "client_cpu_s": rounded(sum(each.client_cpu_s for each in costs)),
        "daemon_cpu_s": rounded(sum(each.daemon_cpu_s or 0.0 for each in costs)),
        "host_cpu_s": rounded(sum(each.host_cpu_s for each in costs)),
    }
