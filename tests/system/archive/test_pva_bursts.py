"""Bursts over pvAccess: the last value always arrives, and what is known to be lost is counted."""

from __future__ import annotations

import signal
import time
from itertools import pairwise

import pytest
from burst_support import BURST, DATABASE, burst, until_served
from ca_support import Ioc, IocMaker, iocs, softioc
from p4p import Value
from p4p.nt import NTScalar
from pva_support import NS, Gathered, Served, opened, post

from linacre.archiver.model import Drop, Method, NoticeKind

__all__ = ["iocs", "softioc"]


class Reached:
    """Where an IOC's pvAccess server is."""

    def __init__(self, ioc: Ioc) -> None:
        self.settings = {
            "EPICS_PVA_NAME_SERVERS": f"{ioc.address}:5075",
            "EPICS_PVA_ADDR_LIST": "",
            "EPICS_PVA_AUTO_ADDR_LIST": "NO",
        }


@pytest.fixture
def ioc(iocs: IocMaker) -> Ioc:
    ioc = iocs.softioc(DATABASE, pvaccess=True)
    until_served(ioc, 5075)
    return ioc


def until_last(gathered: Gathered, pv: str, value: object) -> None:
    gathered.until(lambda: gathered.values(pv)[-1:] == [value])
    assert all(a[1] < b[1] for a, b in pairwise(gathered.samples[pv]))


def test_the_last_value_of_each_burst_arrives(ioc: Ioc) -> None:
    with Gathered(Reached(ioc)) as gathered:
        for pv in ("N", "M"):
            gathered.add(pv)
            gathered.until_values(pv, 1)
        for k in range(4):
            last = burst(ioc, 1 + k * BURST)
            for pv in ("N", "M"):
                until_last(gathered, pv, last)
        assert gathered.source.drops() == {}


def test_the_last_value_arrives_where_the_reader_stands_still(ioc: Ioc) -> None:
    with Gathered(Reached(ioc)) as gathered:
        for pv in ("N", "CALM"):
            gathered.add(pv)
            gathered.until_values(pv, 1)
        with gathered.source._channels["N"].popping:
            last = burst(ioc, 1, 5 * BURST)
            # Another client's word that the burst is over.
            with Gathered(Reached(ioc)) as other:
                other.add("N")
                until_last(other, "N", last)
        until_last(gathered, "N", last)


def test_the_last_value_arrives_where_the_server_stood_still(ioc: Ioc) -> None:
    with Gathered(Reached(ioc)) as gathered:
        gathered.add("N")
        gathered.until_values("N", 1)
        last = burst(ioc, 1)
        gathered.until_values("N", 2)
        ioc.signal(signal.SIGSTOP)
        gathered.drain()
        ioc.signal(signal.SIGCONT)
        until_last(gathered, "N", last)


def test_a_restart_in_the_middle_is_told_and_its_last_value_arrives(ioc: Ioc) -> None:
    with Gathered(Reached(ioc)) as gathered:
        gathered.add("N")
        gathered.until_values("N", 1)
        burst(ioc, 1, 10 * BURST)
        gathered.until_values("N", 2)
        ioc.kill()
        gathered.until_told(NoticeKind.LOST, "N")
        ioc.start()
        until_served(ioc, 5075)
        gathered.until_told(NoticeKind.CONNECTED, "N", 2)
        until_last(gathered, "N", burst(ioc, 100_001))


def test_stopped_and_begun_again_in_the_middle(ioc: Ioc) -> None:
    with Gathered(Reached(ioc)) as gathered:
        last = burst(ioc, 1, 10 * BURST)
        for k in range(20):
            gathered.add("N")
            gathered.until_told(NoticeKind.CONNECTED, "N", k + 1)
            gathered.source.remove("N")
        gathered.add("N")
        until_last(gathered, "N", last)


def test_without_room_the_newest_is_kept_and_the_others_are_counted(ioc: Ioc) -> None:
    with Gathered(Reached(ioc), max_events=40) as gathered:
        for pv in ("N", "CALM"):
            gathered.add(pv)
            gathered.until_values(pv, 1)
        last = burst(ioc, 1)
        channel = gathered.source._channels["N"]
        end = time.monotonic() + 30
        while channel.spilled is None or channel.spilled[0]["value"] != last:
            assert time.monotonic() < end
            time.sleep(0.01)
        until_last(gathered, "N", last)
        assert len(gathered.values("N")) == 1 + 10 + 1
        dropped = gathered.source.drops()["N"]
        assert set(dropped) == {Drop.BUFFER}
        assert 0 < dropped[Drop.BUFFER] <= BURST - 11
        assert gathered.until_told(NoticeKind.DROPPED, "N") == [dict(dropped)]


def test_a_scan_has_the_last_value_of_a_burst(ioc: Ioc) -> None:
    with Gathered(Reached(ioc)) as gathered:
        gathered.add("N", method=Method.SCAN, period_s=0.2)
        gathered.until_values("N", 1)
        until_last(gathered, "N", burst(ioc, 1))
        gathered.add("N")
        until_last(gathered, "N", burst(ioc, 1 + BURST))


def test_a_change_of_units_hides_no_value_of_a_scan() -> None:
    of = NTScalar("d", display=True).type
    pv = opened(of, {"value": 1.0, "display": {"units": "A"}})
    with Served({"X": pv}) as served, Gathered(served) as gathered:
        gathered.add("X", method=Method.SCAN, period_s=0.5)
        gathered.until_values("X", 1)
        post(pv, {"value": 2.0})
        pv.post(Value(of, {"display.units": "mA"}))
        until_last(gathered, "X", 2.0)
        gathered.until(lambda: gathered.told(NoticeKind.METADATA, "X")[-1]["units"] == "mA")


def test_the_newest_of_a_scan_comes_though_it_is_stopped() -> None:
    clock = [time.time_ns() // NS * NS]
    pv = opened(NTScalar("i").type, {"value": 1}, clock[0])
    with Served({"X": pv}) as served, Gathered(served, clock=lambda: clock[0]) as gathered:
        gathered.add("X", method=Method.SCAN, period_s=10.0)
        gathered.until_values("X", 1)
        gathered.drain()
        channel = gathered.source._channels["X"]
        post(pv, {"value": 2}, clock[0] + 1)
        gathered.until(lambda: channel.held is not None or len(gathered.values("X")) == 2)
        gathered.source.remove("X")
        gathered.drain()
        assert gathered.values("X") == [1, 2]
