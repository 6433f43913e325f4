"""Bursts over Channel Access: the last value always arrives, and what we lose is counted."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from burst_support import BURST, DATABASE, burst, until_served
from ca_support import Ioc, IocMaker, Taker, capture, iocs, make_taker, softioc, taker

from linacre.archiver.model import ChannelSpec, Drop, Method, NoticeKind

__all__ = ["capture", "iocs", "make_taker", "softioc", "taker"]


@pytest.fixture
def ioc(iocs: IocMaker) -> Ioc:
    ioc = iocs.softioc(DATABASE)
    until_served(ioc, 5064)
    return ioc


def until_last(taker: Taker, pv: str, value: int) -> None:
    taker.until(f"{pv} is {value}", lambda: taker.values(pv)[-1:] == [value])


def test_the_last_value_of_each_burst_arrives(ioc: Ioc, taker: Taker) -> None:
    taker.add("N", "M")
    taker.until_sampled("N", "M")
    for k in range(4):
        last = burst(ioc, 1 + k * BURST)
        for pv in ("N", "M"):
            until_last(taker, pv, last)
    assert taker.source.drops() == {}


def test_the_last_value_arrives_where_the_server_stood_still(ioc: Ioc, taker: Taker) -> None:
    taker.add("N")
    taker.until_sampled("N")
    last = burst(ioc, 1)
    taker.until_sampled("N", n=2)
    ioc.signal(signal.SIGSTOP)
    taker.take()
    ioc.signal(signal.SIGCONT)
    until_last(taker, "N", last)


def test_a_restart_in_the_middle_is_told_and_its_last_value_arrives(ioc: Ioc, taker: Taker) -> None:
    taker.add("N")
    taker.until_sampled("N")
    burst(ioc, 1, 10 * BURST)
    taker.until_sampled("N", n=2)
    ioc.kill()
    taker.until("the loss is told", lambda: taker.of(NoticeKind.LOST, "N"))
    ioc.start()
    taker.until("it is back", lambda: len(taker.of(NoticeKind.CONNECTED, "N")) == 2)
    until_last(taker, "N", burst(ioc, 100_001))


def test_stopped_and_begun_again_in_the_middle(ioc: Ioc, taker: Taker) -> None:
    last = burst(ioc, 1, 10 * BURST)
    for k in range(20):
        taker.add("N")
        there = lambda k=k: len(taker.of(NoticeKind.CONNECTED, "N")) > k  # noqa: E731
        taker.until("a connection", there)
        taker.source.remove("N")
    taker.add("N")
    until_last(taker, "N", last)


def test_without_room_the_newest_is_kept_and_the_others_are_counted(
    ioc: Ioc, make_taker: Callable[..., Taker]
) -> None:
    slow, quick = make_taker(max_events=40), make_taker()
    for each in (slow, quick):
        each.add("N", "CALM")
        each.until_sampled("N", "CALM")
    last = burst(ioc, 1)
    until_last(quick, "N", last)
    events = lambda: slow.source.counters("N").last_ns == quick.samples["N"][-1].time  # noqa: E731
    quick.until("the other has the last too", events)
    until_last(slow, "N", last)
    assert len(slow.values("N")) == 1 + 10 + 1
    counted = slow.source.counters("N")
    assert counted.drops == {Drop.BUFFER: counted.events - 12}
    assert slow.of(NoticeKind.DROPPED, "N")


def test_a_scan_has_the_last_value_of_a_burst(ioc: Ioc, taker: Taker) -> None:
    taker.source.add(ChannelSpec(pv="N", method=Method.SCAN, period_s=0.2))
    taker.until_sampled("N")
    until_last(taker, "N", burst(ioc, 1))
    taker.add("N")
    until_last(taker, "N", burst(ioc, 1 + BURST))
