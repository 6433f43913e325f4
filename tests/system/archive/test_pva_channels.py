"""Channels of pvAccess as they come, go, flood and change, from a real server."""

from __future__ import annotations

import math
import time
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from p4p import Value
from p4p.nt import NTScalar
from pva_support import NS, Gathered, Ids, Served, first, opened, post

from linacre.archiver.channels import pva as pva_channels
from linacre.archiver.channels.pva import PvaSource
from linacre.archiver.model import Method, NoticeKind

NAN = math.nan


def test_a_field_that_is_not_there_is_refused_and_told() -> None:
    pvs = {
        "PLAIN": opened(NTScalar("d").type, {"value": 1.5}),
        "OTHER": opened(NTScalar("d").type, {"value": 2.5}),
    }
    with Served(pvs) as served, Gathered(served) as gathered:
        gathered.add("PLAIN", fields=("value.x",))
        gathered.add("OTHER")
        (told,) = gathered.until_told(NoticeKind.REFUSED, "PLAIN")
        assert told["why"] == "it has no field value.x; it has value, alarm, timeStamp"
        assert gathered.until_values("OTHER", 1) == [2.5]


def test_metadata_and_its_changes_are_told() -> None:
    of = NTScalar("d", display=True, control=True, valueAlarm=True, form=True).type
    pv = opened(
        of,
        {
            "value": 1.0,
            "display": {
                "limitLow": -10,
                "limitHigh": 10,
                "description": "Current",
                "units": "A",
                "precision": 3,
            },
            "control": {"limitLow": -5, "limitHigh": 5},
            "valueAlarm": {
                "lowAlarmLimit": NAN,
                "lowWarningLimit": -4,
                "highWarningLimit": 4,
                "highAlarmLimit": NAN,
            },
        },
    )
    with Served({"X": pv}) as served, Gathered(served) as gathered:
        gathered.add("X")
        gathered.until_values("X", 1)
        (told,) = gathered.told(NoticeKind.METADATA, "X")
        assert told == {
            "units": "A",
            "precision": 3,
            "display": (-10.0, 10.0),
            "control": (-5.0, 5.0),
            "warning": (-4.0, 4.0),
            "alarm": None,
            "labels": (),
            "description": "Current",
        }
        # Only metadata: no sample, and nothing dropped.
        pv.post(Value(of, {"display.units": "kA"}))
        gathered.until(lambda: gathered.told(NoticeKind.METADATA, "X")[-1]["units"] == "kA")
        post(pv, {"value": 2.0})
        assert gathered.until_values("X", 2) == [1.0, 2.0]
        assert gathered.source.drops() == {}


def test_times_that_cannot_be_are_dropped_and_counted() -> None:
    old = time.time_ns() - 5 * 3600 * NS
    pv = opened(NTScalar("d").type, {"value": 0.0}, old)
    with Served({"X": pv}) as served, Gathered(served) as gathered:
        gathered.add("X")
        # A set point that nobody touched for hours.
        gathered.until_values("X", 1)
        now = time.time_ns()
        for value, at in [
            (1.0, now - 31 * 60 * NS),
            (2.0, now + 31 * 60 * NS),
            (3.0, 0),
            (4.0, now),
            (5.0, now),
            (6.0, now - 1),
            (7.0, now + 1),
        ]:
            post(pv, {"value": value}, at)
        assert gathered.until_values("X", 3) == [0.0, 4.0, 7.0]
        right = {"past": 1, "future": 1, "before_1991": 1, "not_increasing": 2}
        assert gathered.source.drops() == {"X": right}
        told = gathered.until_told(NoticeKind.DROPPED, "X")
        assert set(told[0]) <= {*right, "stamp_ns"}


def test_a_type_that_changes_begins_another_series() -> None:
    pv = opened(NTScalar("d").type, {"value": 1.5})
    with Served({"X": pv}) as served, Gathered(served) as gathered:
        gathered.add("X")
        gathered.until_values("X", 1)
        pv.close()
        gathered.until_told(NoticeKind.LOST, "X")
        pv.open(first(NTScalar("s").type, {"value": "on"}))
        assert gathered.until_values("X", 2) == [1.5, "on"]
        pv.close()
        pv.open(first(NTScalar("d").type, {"value": 2.5}))
        assert gathered.until_values("X", 3) == [1.5, "on", 2.5]
        changed = [told["changed"] for told in gathered.told(NoticeKind.CONNECTED, "X")]
        assert changed == [False, True, True]
        assert [series.id for series in gathered.ids.known.values()] == [1, 2]
        assert len(gathered.told(NoticeKind.LOST, "X")) == 2


def test_a_value_that_is_stored_already_is_neither_stored_again_nor_a_drop() -> None:
    at = time.time_ns()
    pv = opened(NTScalar("d").type, {"value": 1.5}, at)
    with Served({"X": pv}) as served, Gathered(served) as gathered:
        gathered.add("X", after_ns=at)
        gathered.until_told(NoticeKind.CONNECTED, "X")
        post(pv, {"value": 2.5}, at + 1)
        assert gathered.until_values("X", 1) == [2.5]
        assert gathered.source.drops() == {}


def test_scan_takes_the_newest_once_a_period() -> None:
    clock = [time.time_ns() // NS * NS]
    pv = opened(NTScalar("i").type, {"value": 0}, clock[0])
    with Served({"X": pv}) as served, Gathered(served, clock=lambda: clock[0]) as gathered:
        gathered.add("X", method=Method.SCAN, period_s=10.0)
        gathered.until_values("X", 1)
        channel = gathered.source._channels["X"]
        for k in range(1, 31):
            clock[0] += NS
            post(pv, {"value": k}, clock[0])
            _until(lambda k=k: _held(channel) == k)
            gathered.drain()
        found = gathered.values("X")
        assert len(found) in (3, 4)
        assert all(b - a == 10 for a, b in pairwise(found[1:]))
        assert gathered.source.drops() == {}
        gathered.add("X")
        clock[0] += NS
        post(pv, {"value": 99}, clock[0])
        gathered.until(lambda: gathered.values("X")[-1] == 99)


def _held(channel: Any) -> int | None:
    return None if channel.held is None else channel.held[0]["value"]


def test_a_flood_is_counted_and_stops_no_other_pv() -> None:
    flood = opened(NTScalar("i").type, {"value": 0})
    calm = opened(NTScalar("i").type, {"value": 0})
    served = Served({"FLOOD": flood, "CALM": calm})
    with served, Gathered(served, max_events=400) as gathered:
        for pv in ("FLOOD", "CALM"):
            gathered.add(pv)
            gathered.until_values(pv, 1)
        start = time.time_ns()
        channel = gathered.source._channels["FLOOD"]
        for k in range(1000):
            post(flood, {"value": k + 1}, start + k)
            if k % 20 == 0:
                _until(lambda k=k: channel.waiting + channel.overflowed + bool(channel.spilled) > k)
        post(calm, {"value": 1})
        gathered.until_values("CALM", 2)
        gathered.until(lambda: gathered.source.drops())
        assert gathered.values("FLOOD")[:101] == list(range(101))
        dropped = gathered.source.drops()["FLOOD"]["buffer"]
        gathered.until(
            lambda: (
                len(gathered.values("FLOOD")) + gathered.source.drops()["FLOOD"]["buffer"] == 1001
            )
        )
        assert dropped >= 800
        assert gathered.values("FLOOD")[-1] == 1000
        assert gathered.told(NoticeKind.DROPPED, "FLOOD")


def _until(what: Any) -> None:
    end = time.monotonic() + 10
    while not what():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_large_arrays_fit_or_are_counted() -> None:
    of = NTScalar("ad").type
    pvs = {"W": opened(of, {"value": np.zeros(200_000)}), "X": opened(of, {"value": [1.0]})}
    with Served(pvs) as served, Gathered(served, max_blob_bytes=4_000_000) as gathered:
        gathered.add("W")
        gathered.add("X")
        gathered.until_values("W", 1)
        gathered.until_values("X", 1)
        for k in range(1, 4):
            post(pvs["W"], {"value": np.full(200_000, float(k))})
            gathered.until(lambda k=k: gathered.values("W")[-1][0] == k)
        assert len(gathered.values("W")) == 4
        post(pvs["X"], {"value": np.zeros(1_000_000)})
        gathered.until(lambda: gathered.source.drops().get("X") == {"buffer": 1})
        assert len(gathered.told(NoticeKind.CONNECTED, "W")) == 1


def test_names_that_do_not_exist_and_names_that_are_none() -> None:
    pv = opened(NTScalar("d").type, {"value": 1.5})
    with Served({"X": pv}) as served, Gathered(served) as gathered:
        for k in range(1000):
            gathered.add(f"NOBODY:HAS:{k}")
        for wrong in ("", "a\nb", "x" * 2000, "\udc80"):
            gathered.add(wrong)
        gathered.add("X")
        assert gathered.until_values("X", 1) == [1.5]
        refused = [n.pv for n in gathered.notices if n.kind is NoticeKind.REFUSED]
        assert refused == ["", "a\nb", "x" * 2000, "\udc80"]


def test_a_pv_that_is_removed_gives_no_more_and_can_be_added_again() -> None:
    pv = opened(NTScalar("i").type, {"value": 1})
    with Served({"X": pv}) as served, Gathered(served) as gathered:
        gathered.add("X")
        gathered.until_values("X", 1)
        gathered.source.remove("X")
        post(pv, {"value": 2})
        gathered.drain()
        gathered.source.remove("X")
        gathered.add("X")
        assert gathered.until_values("X", 2) == [1, 2]


def test_what_a_drain_has_no_time_for_comes_with_the_next_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pva_channels, "DRAIN_S", 0.0)
    pvs = {f"X{k}": opened(NTScalar("i").type, {"value": k}) for k in range(10)}
    with Served(pvs) as served, Gathered(served) as gathered:
        for name in pvs:
            gathered.add(name)
        inbox = gathered.source._inbox
        _until(lambda: len([e for e in inbox._events if not isinstance(e[1], Exception)]) == 10)
        rounds = 0
        while gathered.source.drain().more:
            rounds += 1
            if rounds == 1:
                # While what it has waits still.
                gathered.source.remove("X9")
                gathered.add("X9")
        assert rounds >= 9
        for k, (name, pv) in enumerate(pvs.items()):
            post(pv, {"value": 100 + k})
            gathered.until(lambda k=k, name=name: gathered.values(name)[-1:] == [100 + k])
        assert gathered.source.drops() == {}


def test_a_server_that_is_restarted_is_found_again() -> None:
    first_pv = opened(NTScalar("i").type, {"value": 1})
    served = Served({"X": first_pv})
    with Gathered(served) as gathered:
        gathered.add("X")
        gathered.until_values("X", 1)
        served.server.stop()
        gathered.until_told(NoticeKind.LOST, "X")
        with Served({"X": opened(NTScalar("i").type, {"value": 2})}, port=served.port):
            assert gathered.until_values("X", 2) == [1, 2]
            assert [t["changed"] for t in gathered.told(NoticeKind.CONNECTED, "X")] == [False] * 2


def test_nothing_of_pvaccess_is_loaded_before_a_pv_is_added() -> None:
    source = PvaSource(Ids())
    assert source.drain().notices == []
    source.close()
