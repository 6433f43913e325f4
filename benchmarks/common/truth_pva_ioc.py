"""An IOC of pvAccess for the truth suite: `truth_pva_ioc.py FOLDER LIFE COPIES ROOM`.

p4p's server, that is pvxs'. It is told what to do as truth_ca_ioc.py is.
"""

from __future__ import annotations

import os
import struct
import sys
import time
from pathlib import Path
from typing import Any

# Run as a program: what is beside it is found as the other parts find it.
sys.path.insert(0, str(Path(__file__).parents[1]))

from p4p import Type, Value
from p4p.nt import NTEnum, NTScalar, NTTable
from p4p.nt.common import alarm, timeStamp
from p4p.server import Server
from p4p.server.raw import SharedPV

from common.truth_log import HEAD, ROW, UNWATCHED, LogWriter
from common.truth_obeying import obey
from common.truth_plan import NS, plan
from common.truth_said import Said, pva_fields
from common.truth_values import SIZE, element, is_array, pool

_ROW = struct.Struct("<qIHHHBBB3x")
_COUNT = struct.Struct("<q")
assert _ROW.size == ROW.itemsize
_POINT = [("x", "d"), ("n", "i"), ("on", "?")]


def type_of(name: str) -> Any:
    """Return the structure of a type of the suite."""
    if name == "choice":
        return NTEnum().type
    if name == "table":
        return NTTable([("x", "d"), ("name", "s")]).type
    if name == "point":
        fields = [("value", ("S", None, _POINT)), ("descriptor", "s")]
        return Type([*fields, ("alarm", alarm), ("timeStamp", timeStamp)], id="truth:point:1.0")
    code = f"a{element(name)}" if is_array(name) else name
    more = {} if is_array(name) else {"valueAlarm": True}
    return NTScalar(code, display=True, control=True, form=True, **more).type


class ServedPv:
    """One PV: what it sends next, and the value that is sent."""

    def __init__(self, number: int, of: str, said: int) -> None:
        self.number, self.of, self.said = number, of, said
        self.next, self.last_ns = 0, 0
        self.values = pool(of).values
        # A structure within is set as a whole; a table's columns too.
        self.field = "value.index" if of == "choice" else "value"
        self.type = type_of(of)
        self.pv = SharedPV()
        self.value = Value(self.type, {})
        self._say()

    def say(self, said: int) -> None:
        """Say something else with the next update."""
        self.said = said
        self._say()

    def _say(self) -> None:
        for field, what in pva_fields(self.of, Said(self.said)).items():
            self.value[field] = what


class PvaIoc:
    """The IOC in one of its lives."""

    def __init__(self, folder: Path, life: int, copies: int, room: int) -> None:
        self._pvs = [
            ServedPv(number, pv.type_in(life), life)
            for number, pv in enumerate(plan("pva", copies))
        ]
        self._names = [pv.name for pv in plan("pva", copies)]
        self._log = LogWriter(folder / f"pva-{life}.log", room)
        self._rows = 0
        self._flags = UNWATCHED
        self._server: Any = None

    def begin(self, ahead_s: list[float], burst: int) -> None:
        """Give each PV a value, whose time is ahead by so much, and begin to serve."""
        for pv, ahead in zip(self._pvs, ahead_s, strict=True):
            self._prepare(pv, round(ahead * NS), burst)
            pv.pv.open(pv.value)
            pv.value.unmark()
        address, port = os.environ["TRUTH_ADDRESS"].split(":")
        conf = {
            "EPICS_PVAS_INTF_ADDR_LIST": address,
            "EPICS_PVAS_SERVER_PORT": port,
            "EPICS_PVAS_BROADCAST_PORT": "0",
            "EPICS_PVAS_AUTO_BEACON_ADDR_LIST": "NO",
        }
        served = {name: pv.pv for name, pv in zip(self._names, self._pvs, strict=True)}
        self._server = Server(providers=[served], conf=conf, useenv=False)

    def watched(self, is_watched: bool) -> None:
        """Take note whether clients are subscribed, as far as is known."""
        self._flags = 0 if is_watched else UNWATCHED

    def burst(
        self, chosen: list[int], rounds: int, gap_us: int, burst: int, **how: Any
    ) -> dict[str, int]:
        """Send a burst; with `said`, say something else in its middle."""
        ahead_ns, before = round(how["ahead_s"] * NS), self._rows
        pvs = [self._pvs[number] for number in chosen]
        if self._rows + len(pvs) * rounds > self._log.room:
            raise ValueError("the log has no room for these updates")
        if how["steep"]:
            for pv in pvs:
                for _ in range(rounds):
                    self._send(pv, ahead_ns, burst)
            return {"sent": self._rows - before}
        at_s = time.monotonic()
        for number in range(rounds):
            if "said" in how and number == rounds // 2:
                self.say(chosen, how["said"])
            for pv in pvs:
                self._send(pv, ahead_ns, burst)
            at_s += gap_us / 1e6
            if (left_s := at_s - time.monotonic()) > 0:
                time.sleep(left_s)
        return {"sent": self._rows - before}

    def say(self, chosen: list[int], said: int) -> None:
        """Say something else of some PVs with their next updates."""
        for number in chosen:
            self._pvs[number].say(said)

    def last(self) -> dict[str, list[int]]:
        """Tell the time of each PV's last update."""
        return {"last_ns": [pv.last_ns for pv in self._pvs]}

    def counts(self) -> dict[str, list[int]]:
        """Tell nothing: pvxs' server has no such counters."""
        nothing = [0] * len(self._pvs)
        return {"replaced": nothing, "repeated": nothing, "apart": []}

    def _send(self, pv: ServedPv, ahead_ns: int, burst: int) -> None:
        self._prepare(pv, ahead_ns, burst)
        pv.pv.post(pv.value)
        pv.value.unmark()

    def _prepare(self, pv: ServedPv, ahead_ns: int, burst: int) -> None:
        """Log the next update of a PV, and make its value ready."""
        k, value = pv.next, pv.value
        stamp = time.time_ns() + ahead_ns
        if stamp == pv.last_ns:
            stamp += 1
        severity, status = k & 3, k % 8
        row = (stamp, burst, pv.number, k, pv.said, severity, status, self._flags)
        _ROW.pack_into(self._log.memory, HEAD + self._rows * _ROW.size, *row)
        self._rows += 1
        _COUNT.pack_into(self._log.memory, 0, self._rows)
        value[pv.field] = pv.values[k]
        value["alarm.severity"], value["alarm.status"] = severity, status
        value["timeStamp.secondsPastEpoch"] = stamp // NS
        value["timeStamp.nanoseconds"] = stamp % NS
        pv.next, pv.last_ns = (k + 1) % SIZE, stamp


def main() -> None:
    folder, life, copies, room = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    ioc = PvaIoc(folder, life, copies, room)
    acts = {
        name: getattr(ioc, name) for name in ("begin", "burst", "say", "last", "counts", "watched")
    }
    obey(acts, sys.stdout)


if __name__ == "__main__":
    main()
