"""Bursts of every type over pvAccess: sample by sample, in order, with the labels of the time."""

from __future__ import annotations

import struct
import time
from typing import Any

import pytest
from p4p.nt import NTEnum, NTScalar
from pva_support import Gathered, Served, as_stored, opened, post

from linacre.archiver.model import Drop, NoticeKind

LONG = 200
"""Updates in a row: no more than a server keeps for us, so that none may be missing."""


def numbered(code: str, k: int) -> Any:
    """Return a value of a type that tells its place in a row, at the ends of its range too."""
    if code == "?":
        return bool(k % 2)
    if code == "s":
        # Empty, and longer than any record's.
        return "" if k % 50 == 0 else f"{k} ü" * (1 + 2000 * (k % 50 == 1))
    if code in "fd":
        return k + 0.5
    bits = 8 * struct.calcsize(f"={code.replace('l', 'q').replace('L', 'Q')}")
    highest = 2 ** (bits - 1) - 1 if code.islower() else 2**bits - 1
    return highest - k % 100 if k % 2 else k % 100


@pytest.mark.parametrize("code", "?bBhHiIlLfds")
def test_a_burst_of_each_type_comes_value_by_value(code: str) -> None:
    pvs = {
        "X": opened(NTScalar(code).type, {"value": numbered(code, 0)}),
        "A": opened(NTScalar(f"a{code}").type, {"value": []}),
    }
    given = [numbered(code, k) for k in range(LONG)]
    arrays = [given[: k % 8] for k in range(LONG)]
    with Served(pvs) as served, Gathered(served) as gathered:
        for pv in pvs:
            gathered.add(pv)
            gathered.until_values(pv, 1)
        at = time.time_ns()
        for k in range(1, LONG):
            post(pvs["X"], {"value": given[k]}, at + k)
            post(pvs["A"], {"value": arrays[k]}, at + k)
        assert gathered.until_values("X", LONG) == [as_stored(code, each) for each in given]
        stored = [as_stored(code, each) for each in arrays]
        assert gathered.until_values("A", LONG) == stored
        assert gathered.source.drops() == {}


def test_labels_that_change_in_a_burst_are_told_in_their_order() -> None:
    of = NTEnum().type
    label = lambda k: [f"{k} {name}" for name in ("off", "on", "fault")]  # noqa: E731
    pv = opened(of, {"value": {"index": 0, "choices": label(0)}})
    with Served({"E": pv}) as served, Gathered(served) as gathered:
        gathered.add("E")
        gathered.until_values("E", 1)
        at = time.time_ns()
        for k in range(1, LONG):
            changed = {"value.choices": label(k)} if k % 10 == 0 else {}
            post(pv, {"value.index": k % 3, **changed}, at + k)
        assert gathered.until_values("E", LONG) == [k % 3 for k in range(LONG)]
        told = [list(each["labels"]) for each in gathered.told(NoticeKind.METADATA, "E")]
        assert told == [label(k) for k in range(0, LONG, 10)]


def test_labels_that_change_where_there_is_no_room_are_not_lost() -> None:
    of = NTEnum().type
    pv = opened(of, {"value": {"index": 0, "choices": ["off", "on"]}})
    with Served({"E": pv}) as served, Gathered(served, max_events=8) as gathered:
        gathered.add("E")
        gathered.until_values("E", 1)
        channel = gathered.source._channels["E"]
        post(pv, {"value.index": 1})
        post(pv, {"value.index": 0})
        post(pv, {"value": {"index": 1, "choices": ["out", "in"]}})
        post(pv, {"value.index": 0})
        end = time.monotonic() + 10
        while channel.overflowed < 1:
            assert time.monotonic() < end
            time.sleep(0.001)
        assert gathered.until_values("E", 4) == [0, 1, 0, 0]
        assert gathered.told(NoticeKind.METADATA, "E")[-1]["labels"] == ("out", "in")
        assert gathered.source.drops() == {"E": {Drop.BUFFER: 1}}
