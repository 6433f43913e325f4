"""What was asked of an IOC of the truth suite, burst by burst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from common.truth_log import Rows, read_log
from common.truth_plan import CLOCKS, TruthPv
from common.truth_served import TruthIoc


@dataclass
class Burst:
    """Some updates of some PVs, one soon after the other."""

    number: int
    life: int
    ahead_s: float | None = None
    """How far its stamps are ahead of the IOC's clock; None: each group's own."""
    steep: bool = False
    """Faster than a server sends: it merges updates."""
    killed: bool = False
    """The IOC was killed in it."""

    def ahead_of(self, pv: TruthPv) -> float:
        """Return how far the stamps of a PV are ahead."""
        return CLOCKS.get(pv.group, 0.0) if self.ahead_s is None else self.ahead_s


@dataclass
class Sent:
    """What an IOC sent in all its lives, and what its server told of it."""

    protocol: str
    pvs: Sequence[TruthPv]
    bursts: list[Burst] = field(default_factory=list[Burst])
    logs: list[Rows] = field(default_factory=list[Rows])
    replaced: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    """By PV: updates that the server said it had replaced in its queues."""
    repeated: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    """By PV: updates that the server sent once more, as a label of the present state changed."""
    apart: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    """Lives and PVs in which the server had values and words in different queues."""
    joins: int = 0
    """How often the archiver was connected: a server sends the present value then, once more."""
    late: list[str] = field(default_factory=list[str])
    """What was not archived when it was waited for."""

    def read(self, ioc: TruthIoc) -> None:
        """Read the logs of all lives."""
        self.logs = [read_log(path) for path in ioc.logs]

    @property
    def updates(self) -> int:
        """How many updates there were."""
        return sum(len(log) for log in self.logs)


class Counters:
    """Adds up counters of a server, which begin anew with each subscription, or each life."""

    def __init__(self, pvs: int) -> None:
        self.total = np.zeros(pvs, np.int64)
        self._before = np.zeros(pvs, np.int64)

    def take(self, told: Sequence[int]) -> None:
        """Take in what the server says now."""
        now = np.array(told, np.int64)
        self.total += np.where(now >= self._before, now - self._before, now)
        self._before = now

    def begin(self) -> None:
        """Take note that all subscriptions are new."""
        self._before[:] = 0
