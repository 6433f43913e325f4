"""Sends the updates of the truth suite into an archive: bursts, changes, restarts, clocks set."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.archiver import archiver
from common.conditions import say
from common.truth_bursts import Burst, Counters, Sent
from common.truth_plan import BEFORE_1991_NS, CLOCKS, NS, STEPS_S, plan
from common.truth_served import TruthIoc
from common.truth_values import CA_BY_VALUE
from common.truth_watch import Watch
from linacre.base.errors import LinacreError

_CLOCK_ROUNDS = 20
_CLOCK_GAP_US = 1000
_STEPS_A_CYCLE = 3
_WORDS = 4
_STILL_TIMES = 5
"""How much longer a burst is while the archiver stands still: buffers on the way take much."""
_KILL_LIMIT_S = 30.0


@dataclass(frozen=True)
class Size:
    """How much is sent, and how."""

    updates: int
    copies: int
    """PVs of each type."""
    rounds: int
    """Updates of each PV in a burst that a server can send."""
    gap_us: int
    """Between two of them."""
    steep: int
    """Updates of a PV in a burst that it cannot."""
    restarts: int


class Sending:
    """The IOC, and the archiver at present; sends until all is sent."""

    def __init__(self, ioc: TruthIoc, size: Size) -> None:
        self.ioc, self.size = ioc, size
        self.sent = Sent(ioc.protocol, plan(ioc.protocol, size.copies))
        self._replaced = Counters(len(self.sent.pvs))
        self._repeated = Counters(len(self.sent.pvs))
        self._watch: Watch | None = None
        self._connected = 0
        """How often the archiver at present has seen the IOC begin."""
        self._done = 0
        self._cycle = self._step = self._said = 0
        self._plain = self._in("plain", "types")
        self._waits = [pv.group in ("plain", "types", "slow", "slight") for pv in self.sent.pvs]

    @contextmanager
    def into(self, data: Path) -> Generator[Watch]:
        """Have an archiver run on a folder, with the IOC's PVs."""
        pvs = self.sent.pvs
        if self.ioc.life < 0:
            self._live()
        with archiver(data, environment=self.ioc.environment) as running:
            self._watch = watch = Watch(running, self.ioc.protocol, pvs)
            self._connected = 0
            self._replaced.begin()
            watch.add()
            self._join()
            yield watch
            self._tell_watched(False)
            self._watch = None

    def until(self, share: float) -> None:
        """Send until this share of all updates is sent."""
        restarts = self.size.restarts
        while self._done < share * self.size.updates:
            self._send_cycle()
            due = self._done * (restarts + 1) // self.size.updates
            if self.ioc.life < min(due, restarts):
                self._restart()

    def finish(self) -> Sent:
        """Return what was sent."""
        self.sent.replaced, self.sent.repeated = self._replaced.total, self._repeated.total
        self.sent.read(self.ioc)
        return self.sent

    # -- What is sent

    def _send_cycle(self) -> None:
        assert self._watch is not None
        cycle, self._cycle = self._cycle, self._cycle + 1
        more: dict[str, Any] = {}
        if cycle % 3 == 1:
            self._say_anew(self._plain)
        if cycle % 5 == 3:
            self._said += 1
            more["said"] = self._words()
        self._burst(self._plain, self.size.rounds, self.size.gap_us, 0.0, **more)
        self._settle()
        self._send_clocks(cycle)
        self._send_words(cycle)
        if cycle % 4 == 2:
            if cycle % 8 == 6:
                with self._watch.standing_still():
                    rounds = _STILL_TIMES * self.size.steep
                    self._burst(self._wide(), rounds, 0, 0.0, steep=True)
            else:
                self._burst(self._plain[cycle % 7 :: 7], self.size.steep, 0, 0.0, steep=True)
        self._settle()
        self._show()

    def _send_clocks(self, cycle: int) -> None:
        for group in ("slow", "slight", "fast"):
            if group != "fast" and cycle % 2:
                self._say_anew(self._in(group))
            self._burst(self._in(group), _CLOCK_ROUNDS, _CLOCK_GAP_US, CLOCKS[group])
        steps = self._in("steps")
        for _ in range(_STEPS_A_CYCLE):
            ahead = STEPS_S[self._step % len(STEPS_S)]
            self._step += 1
            self._burst(steps, _CLOCK_ROUNDS, _CLOCK_GAP_US, ahead)
        if cycle % 4 == 3:
            unset_s = BEFORE_1991_NS / NS - time.time()
            self._burst(steps, _CLOCK_ROUNDS, _CLOCK_GAP_US, round(unset_s))

    def _send_words(self, cycle: int) -> None:
        """Say something else again and again, with some values between."""
        chosen = self._plain[cycle % 3 :: 3]
        for _ in range(_WORDS):
            self._say_anew(chosen)
            self._burst(chosen, 3, _CLOCK_GAP_US, 0.0)

    def _burst(
        self, chosen: Sequence[int], rounds: int, gap_us: int, ahead_s: float, **more: Any
    ) -> None:
        burst = self._next(ahead_s=ahead_s, steep=bool(more.get("steep")))
        what = {"steep": False, **more, "chosen": list(chosen), "rounds": rounds, "gap_us": gap_us}
        answer = self.ioc.ask("burst", burst=burst.number, ahead_s=ahead_s, **what)
        self._done += answer["sent"]

    def _wide(self) -> Sequence[int]:
        """Return some PVs of which a connection that nobody reads holds the fewest updates."""
        wanted = ("double", "long") if self.ioc.protocol == "ca" else ("d[]", "l[]", "L[]", "s[]")
        return [k for k in self._plain if self.sent.pvs[k].types[0] in wanted][:4]

    def _say_anew(self, chosen: Sequence[int]) -> None:
        self._said += 1
        self.ioc.ask("say", chosen=list(chosen), said=self._words())

    def _words(self) -> int:
        # Beside the first of each life, which are small.
        return 100 + self._said

    # -- Lives of the IOC

    def _live(self) -> None:
        """Begin the next life of the IOC; something is sent before anybody listens."""
        left = self.size.updates - self._done
        room = left + 40 * (len(self.sent.pvs) * self.size.rounds + self.size.steep)
        self.ioc.start(room)
        burst = self._next(ahead_s=None)
        own = [CLOCKS.get(pv.group, 0.0) for pv in self.sent.pvs]
        self.ioc.ask("begin", ahead_s=own, burst=burst.number)
        self._burst(self._plain, 5, 100, 0.0)

    def _join(self) -> None:
        """Wait until the archiver has the present values."""
        assert self._watch is not None
        self._connected += 1
        self.sent.joins += 1
        self._watch.until_connected(self._connected)
        self._settle()
        self._tell_watched(True)

    def _restart(self) -> None:
        """Kill the IOC while it sends, and let it begin anew."""
        burst = self._next(ahead_s=0.0)
        log = self.ioc.logs[-1]
        before = _rows_of(log)
        rounds, gap_us = self.size.rounds, self.size.gap_us
        self.ioc.tell(
            "burst", burst=burst.number, ahead_s=0.0, steep=False, chosen=list(self._plain),
            rounds=rounds, gap_us=gap_us,
        )  # fmt: skip
        end = time.monotonic() + _KILL_LIMIT_S
        while _rows_of(log) < before + len(self._plain) * rounds // 3:
            if time.monotonic() > end:
                raise LinacreError(f"the IOC sends nothing in {_KILL_LIMIT_S:g} s")
            time.sleep(0.002)
        self.ioc.kill()
        burst.killed = True
        self._done += _rows_of(log) - before
        self._replaced.begin()
        self._repeated.begin()
        self._live()
        self._join()

    def _tell_watched(self, is_watched: bool) -> None:
        if self.ioc.protocol == "pva":
            self.ioc.ask("watched", is_watched=is_watched)

    # -- Waiting

    def _settle(self) -> None:
        """Wait until what was sent is archived, and take the server's counters."""
        assert self._watch is not None
        last: list[int] = self.ioc.ask("last")["last_ns"]
        expected = [ns if waits else 0 for ns, waits in zip(last, self._waits, strict=True)]
        late = self._watch.until_stored(expected, merged=self._may_merge)
        number = self.sent.bursts[-1].number
        self.sent.late += [f"{pv}: the last of burst {number} did not come" for pv in late]
        counts = self.ioc.ask("counts")
        self._replaced.take(counts["replaced"])
        self._repeated.take(counts["repeated"])
        self.sent.apart |= {(self.ioc.life, number) for number in counts["apart"]}

    def _may_merge(self, number: int) -> bool:
        of = self.sent.pvs[number].type_in(self.ioc.life)
        return self.ioc.protocol == "ca" and of not in CA_BY_VALUE

    # -- Small things

    def _next(self, *, ahead_s: float | None, steep: bool = False) -> Burst:
        burst = Burst(len(self.sent.bursts), self.ioc.life, ahead_s, steep)
        self.sent.bursts.append(burst)
        return burst

    def _in(self, *groups: str) -> list[int]:
        return [number for number, pv in enumerate(self.sent.pvs) if pv.group in groups]

    def _show(self) -> None:
        say(
            f"truth: {self.ioc.protocol}: {self._done:,} of {self.size.updates:,} updates, "
            f"burst {self.sent.bursts[-1].number}, life {self.ioc.life + 1}"
        )


def _rows_of(log: Path) -> int:
    with log.open("rb") as file:
        return int.from_bytes(os.pread(file.fileno(), 8, 0), "little")
