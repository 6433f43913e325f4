"""Why an update of the truth suite is not in the archive, as its log and the archive tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from common.truth_bursts import Burst
from common.truth_log import UNWATCHED, Rows
from common.truth_plan import CLOCKS, NS, TruthPv
from linacre.archiver.model import AHEAD_NS, DRIFT_NS, OLDEST_NS, Drop

Bools = npt.NDArray[np.bool_]


class Reason(StrEnum):
    """Why an update was not archived; those of `Drop` are told by the archive itself."""

    NOT_CONNECTED = "not_connected"
    """Sent while nobody was subscribed: before a connection was made."""
    KILLED = "killed"
    """On its way when its server was killed: later than all that came of that life."""
    MERGED = "merged_by_server"
    """Before one of its burst that came: a newer one took its place in a server's queue."""
    EARLIER_STAMP = "earlier_stamp"
    """Its value came with an earlier one's stamp: of an array a server has the newest only."""
    BEFORE_1991 = Drop.BEFORE_1991.value
    PAST = Drop.PAST.value
    FUTURE = Drop.FUTURE.value
    AHEAD = Drop.AHEAD.value
    NOT_INCREASING = Drop.NOT_INCREASING.value


TOLD = tuple(Reason(drop.value) for drop in Drop if drop.value in set(Reason))
"""Those of which the archive has counts."""


@dataclass
class Missing:
    """The updates of one PV that are not archived."""

    by_reason: dict[Reason, int] = field(default_factory=dict[Reason, int])
    counted: int = 0
    """Of those that were merged: the ones that the server counts."""
    unexplained: list[int] = field(default_factory=list[int])
    """Their places among the PV's updates."""


@dataclass(frozen=True)
class Found:
    """What is known of one PV's updates; all arrays have one length n, in the order of sending."""

    pv: TruthPv
    rows: Rows
    life: npt.NDArray[np.int64]
    is_archived: Bools
    """With its own stamp."""
    is_moved: Bools
    """Its value is archived with an earlier stamp."""
    bursts: Sequence[Burst]
    may_merge: Bools
    """Whether a server may replace it by a newer one of its burst."""
    is_counted: Bools
    """Whether the server counts it then."""


def missing_of(found: Found) -> Missing:
    """Say of each update that is not archived why."""
    rows, stamp = found.rows, found.rows["stamp"]
    came = found.is_archived | found.is_moved
    left = ~found.is_archived
    result = Missing()

    def give(reason: Reason, which: Bools) -> Bools:
        nonlocal left
        chosen = left & which
        if count := int(np.count_nonzero(chosen)):
            result.by_reason[reason] = count
        left = left & ~chosen
        return chosen

    ahead_ns, killed = _of_bursts(found)
    give(Reason.NOT_CONNECTED, (rows["flags"] & UNWATCHED) > 0)
    give(Reason.BEFORE_1991, stamp < OLDEST_NS)
    give(Reason.FUTURE, ahead_ns > DRIFT_NS)
    give(Reason.PAST, ahead_ns < -DRIFT_NS)
    give(Reason.AHEAD, ahead_ns > AHEAD_NS)
    give(Reason.NOT_INCREASING, stamp <= _newest_before(stamp, found.is_archived))
    give(Reason.EARLIER_STAMP, found.is_moved)
    # Of a clock that is set, the only copy may have come with the stamp of a burst before.
    group = np.where(found.is_counted | (found.pv.group not in CLOCKS), rows["burst"], found.life)
    merged = give(Reason.MERGED, found.may_merge & later_in(came, group.astype(np.int64)))
    give(Reason.KILLED, killed & ~later_in(came, found.life))
    result.counted = int(np.count_nonzero(merged & found.is_counted & ~killed))
    result.unexplained = np.flatnonzero(left).tolist()
    return result


def disagreement(
    missing: Missing, told: Mapping[str, int], *, replaced: int, again: int, is_counted: bool
) -> str:
    """Say where the counts of archive and server are not those of the log; empty: they agree.

    `replaced` is what the server counted, all that it merged where `is_counted`. So many may have
    been sent `again`, and refused once more.
    """
    if strange := sorted(told.keys() - set(TOLD)):
        return f"the archive tells of samples refused as {', '.join(strange)}"
    refused = {reason: missing.by_reason.get(reason, 0) for reason in TOLD}
    for reason, count in refused.items():
        # What is to be refused may have been merged before it was sent.
        if is_counted and abs(count - told.get(reason, 0)) > replaced + again:
            return f"{reason}: {count} by the log, {told.get(reason, 0)} by the archive"
    by_log = sum(refused.values()) + missing.counted
    by_counts = sum(told.values()) + replaced
    if by_counts - by_log > again or (is_counted and by_counts < by_log):
        return (
            f"{by_log} refused or merged by the log, {by_counts} by the counts of the archive and "
            f"the server"
        )
    return ""


def _of_bursts(found: Found) -> tuple[npt.NDArray[np.float64], Bools]:
    """Return by how much each stamp was ahead of the IOC's clock, ns, and where it was killed."""
    numbers = found.rows["burst"]
    ahead_s = np.array([burst.ahead_of(found.pv) for burst in found.bursts])
    killed = np.array([burst.killed for burst in found.bursts])
    return ahead_s[numbers] * NS, killed[numbers]


def _newest_before(stamp: npt.NDArray[np.int64], is_archived: Bools) -> npt.NDArray[np.int64]:
    """Return the newest time that was archived of what was sent before each update."""
    accepted = np.where(is_archived, stamp, 0)
    running = np.maximum.accumulate(accepted) if len(accepted) else accepted
    return np.concatenate([np.zeros(1, np.int64), running[:-1]]) if len(running) else running


def later_in(is_archived: Bools, group: npt.NDArray[np.int64]) -> Bools:
    """Whether a later update of the same group was archived; groups follow one another."""
    last = np.full(int(group.max()) + 1 if len(group) else 1, -1, np.int64)
    places = np.flatnonzero(is_archived)
    np.maximum.at(last, group[places], places)
    return np.arange(len(group)) < last[group]
