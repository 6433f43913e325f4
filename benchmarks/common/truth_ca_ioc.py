"""An IOC of Channel Access for the truth suite: `truth_ca_ioc.py FOLDER LIFE COPIES ROOM`.

EPICS's own database and server; the updates are sent by truth_post.so. It does what it is told by
lines of JSON, and answers each with a line; it ends with its standard input. `truth_served.py`
tells it.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from pathlib import Path
from typing import Any

# Run as a program: what is beside it is found as the other parts find it.
sys.path.insert(0, str(Path(__file__).parents[1]))

from common.truth_ca_records import Database, Target, Values, compiled, record_of, target_of
from common.truth_log import LogWriter
from common.truth_obeying import obey
from common.truth_plan import NS, plan
from common.truth_said import Said, ca_fields

_QUEUE = re.compile(r"^ *VAL \{ .*ev que (\S+),", re.M)
_REPLACED = re.compile(r"^ *VAL \{ (?!PROPERTY).*discarded by replacement=(\d+)", re.M)


class CaIoc:
    """The IOC in one of its lives."""

    def __init__(self, folder: Path, life: int, copies: int, room: int) -> None:
        self._pvs = plan("ca", copies)
        self._types = [pv.type_in(life) for pv in self._pvs]
        self._scratch = (folder / f"ca-{life}.out").open("w+b")
        # EPICS prints, and what it prints is no answer of ours.
        self.answers = os.fdopen(os.dup(1), "w")
        os.dup2(self._scratch.fileno(), 1)
        self._post = compiled(folder)
        self._database = Database()
        said = Said(life)
        records = folder / f"ca-{life}.db"
        records.write_text(
            "".join(
                record_of(pv.name, of, said) for pv, of in zip(self._pvs, self._types, strict=True)
            )
        )
        self._database.load(records)
        self._functions = self._database.functions()
        self._values = {of: Values(of) for of in set(self._types)}
        self._targets = (Target * len(self._pvs))(
            *(
                target_of(self._database, pv.name, of, self._values[of], number)
                for number, (pv, of) in enumerate(zip(self._pvs, self._types, strict=True))
            )
        )
        self._log = LogWriter(folder / f"ca-{life}.log", room)
        self._rows = ctypes.c_int64.from_buffer(self._log.memory)
        self._repeated = [0] * len(self._pvs)
        for target in self._targets:
            target.said = life

    def begin(self, ahead_s: list[float], burst: int) -> None:
        """Give each record a value, whose time is ahead by so much, and begin to serve."""
        for number, ahead in enumerate(ahead_s):
            self._send(
                [number], rounds=1, gap_ns=0, steep=False, ahead_ns=round(ahead * NS), burst=burst
            )
        self._database.run()

    def burst(
        self, chosen: list[int], rounds: int, gap_us: int, burst: int, **how: Any
    ) -> dict[str, int]:
        """Send a burst; with `said`, say something else in its middle."""
        ahead_ns, steep = round(how["ahead_s"] * NS), bool(how["steep"])
        before = self._rows.value
        halves = [rounds] if "said" not in how else [rounds // 2, rounds - rounds // 2]
        for number, half in enumerate(halves):
            if number:
                self.say(chosen, how["said"])
            self._send(chosen, half, gap_us * 1000, steep=steep, ahead_ns=ahead_ns, burst=burst)
        return {"sent": self._rows.value - before}

    def say(self, chosen: list[int], said: int) -> dict[str, int]:
        """Say something else of some PVs."""
        for number in chosen:
            if self._types[number] == "enum" and self._is_watched(number):
                # Its record posts its value when the label of its state is changed.
                self._repeated[number] += 1
            self._database.put(self._pvs[number].name, ca_fields(self._types[number], Said(said)))
            self._targets[number].said = said
        return {}

    def last(self) -> dict[str, list[int]]:
        """Tell the time of each PV's last update."""
        return {"last_ns": [target.last_ns for target in self._targets]}

    def counts(self) -> dict[str, list[int]]:
        """Tell how many updates of each PV the server replaced in its queues, or repeated.

        Of PVs `apart`, it has values and words in different queues.
        """
        libc: Any = ctypes.CDLL(None)
        found: list[int] = []
        apart: list[int] = []
        for number, pv in enumerate(self._pvs):
            os.ftruncate(1, 0)
            os.lseek(1, 0, os.SEEK_SET)
            self._database.list_monitors(pv.name)
            libc.fflush(None)
            text = os.pread(1, 1 << 16, 0).decode(errors="replace")
            found.append(sum(map(int, _REPLACED.findall(text))))
            if len(set(_QUEUE.findall(text))) > 1:
                apart.append(number)
        return {"replaced": found, "repeated": self._repeated, "apart": apart}

    def _is_watched(self, number: int) -> bool:
        return bool(ctypes.c_int32.from_address(self._targets[number].watchers).value)

    def _send(
        self, chosen: list[int], rounds: int, gap_ns: int, *, steep: bool, ahead_ns: int, burst: int
    ) -> None:
        if self._rows.value + len(chosen) * rounds > self._log.room:
            raise ValueError("the log has no room for these updates")
        numbers = (ctypes.c_int32 * len(chosen))(*chosen)
        self._post.truth_burst(
            *(ctypes.byref(self._functions), self._targets, numbers, len(chosen), rounds),
            *(ctypes.c_int64(gap_ns), int(steep), ctypes.c_int64(ahead_ns), ctypes.c_uint32(burst)),
            ctypes.byref(ctypes.c_char.from_buffer(self._log.memory)),
        )


def main() -> None:
    folder, life, copies, room = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    ioc = CaIoc(folder, life, copies, room)
    acts = {name: getattr(ioc, name) for name in ("begin", "burst", "say", "last", "counts")}
    obey(acts, ioc.answers)


if __name__ == "__main__":
    main()
