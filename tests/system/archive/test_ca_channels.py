from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ca_support import IocMaker, Taker, capture, iocs, make_taker, softioc, taker

from linacre.archiver.model import ChannelSpec, Drop, Kind, Method, NoticeKind

__all__ = ["capture", "iocs", "make_taker", "softioc", "taker"]

COUNTER = """
record(calc, "T:COUNT") { field(SCAN, ".1 second") field(CALC, "VAL+1") field(EGU, "turns") }
"""
TYPES: dict[str, tuple[Kind, Kind, list[Any]]] = {
    "STRING": (Kind.STRING, Kind.STRING_ARRAY, ["one", "zwei µ", ""]),
    "SHORT": (Kind.INT32, Kind.INT16_ARRAY, [-32768, 32767, 5]),
    "FLOAT": (Kind.FLOAT32, Kind.FLOAT32_ARRAY, [-0.5, 1e30, 3]),
    "ENUM": (Kind.ENUM, Kind.INT32_ARRAY, [3, 65535, 0]),
    "CHAR": (Kind.INT32, Kind.BYTES, [1, 127, 5]),
    "UCHAR": (Kind.INT32, Kind.BYTES, [255, 0, 5]),
    "LONG": (Kind.INT32, Kind.INT32_ARRAY, [-(2**31), 2**31 - 1, 5]),
    "DOUBLE": (Kind.FLOAT64, Kind.FLOAT64_ARRAY, [-1.5e300, 1e-300, 3]),
}


def test_every_type_round_trips(iocs: IocMaker, taker: Taker) -> None:
    database = ""
    for name, (_, _, values) in TYPES.items():
        for n in (1, 10):
            shown = json.dumps(values[: min(n, 3)], ensure_ascii=False)
            database += f'record(waveform, "T:{name}:{n}") {{ field(FTVL, "{name}") '
            database += f'field(NELM, "{n}") field(INP, {{const:{shown}}}) field(PINI, "YES") }}\n'
    iocs.softioc(database)
    pvs = [f"T:{name}:{n}" for name in TYPES for n in (1, 10)]
    taker.add(*pvs)
    taker.until_sampled(*pvs)
    series = {n.pv: n.series for n in taker.of(NoticeKind.CONNECTED)}
    for name, (kind, array_kind, values) in TYPES.items():
        expected = np.float32(values).tolist() if name == "FLOAT" else values
        one, many = f"T:{name}:1", f"T:{name}:10"
        assert [series[pv] and series[pv].kind for pv in (one, many)] == [kind, array_kind]
        assert taker.values(one) == expected[:1]
        assert taker.values(many) == [bytes(values) if array_kind is Kind.BYTES else expected]
    assert taker.source.totals().drops == {}


def test_alarms_and_metadata_and_their_changes(iocs: IocMaker, taker: Taker) -> None:
    ioc = iocs.softioc(
        """
        record(ao, "T:A") {
            field(VAL, "1") field(PINI, "YES") field(EGU, "mm") field(PREC, "3")
            field(HOPR, "10") field(LOPR, "-10") field(DRVH, "5") field(DRVL, "-5")
            field(HIHI, "4") field(HHSV, "MAJOR") field(HIGH, "3") field(HSV, "MINOR")
            field(LOLO, "-4") field(LLSV, "MAJOR") field(LOW, "-3") field(LSV, "MINOR")
        }
        record(mbbo, "T:E") {
            field(VAL, "1") field(PINI, "YES") field(ZRST, "off") field(ONST, "on")
        }
        record(longout, "T:L") { field(VAL, "1") field(PINI, "YES") field(EGU, "turns") }
        record(stringout, "T:S") { field(VAL, "text") field(PINI, "YES") }
        """
    )
    taker.add("T:A", "T:E", "T:L", "T:S")
    taker.until_sampled("T:A", "T:E", "T:L", "T:S")
    taker.until("metadata", lambda: len(taker.of(NoticeKind.METADATA)) == 4)
    told = {n.pv: n.detail for n in taker.of(NoticeKind.METADATA)}
    assert not any(told["T:S"].values()), "a text has no words"
    assert told["T:A"] == {
        "units": "mm",
        "precision": 3,
        "display": (-10, 10),
        "control": (-5, 5),
        "warning": (-3, 3),
        "alarm": (-4, 4),
        "labels": (),
        "description": "",
    }
    assert told["T:E"]["labels"] == ("off", "on")
    assert told["T:L"]["units"] == "turns"
    ioc.type('dbpf T:A.EGU "um"', 'dbpf T:E.ZRST "closed"', "dbpf T:A 4.5")
    taker.until("changes", lambda: len(taker.of(NoticeKind.METADATA)) == 6)
    assert taker.of(NoticeKind.METADATA, "T:A")[-1].detail["units"] == "um"
    assert taker.of(NoticeKind.METADATA, "T:E")[-1].detail["labels"] == ("closed", "on")
    taker.until_sampled("T:A", n=2)
    last = taker.samples["T:A"][-1]
    assert (last.value, last.severity, last.status) == (4.5, 2, 3)
    assert (taker.values("T:E"), taker.values("T:S")) == ([1], ["text"])


def test_a_restarted_ioc_goes_on_in_its_series(iocs: IocMaker, taker: Taker) -> None:
    ioc = iocs.softioc(COUNTER)
    taker.add("T:COUNT")
    taker.until_sampled("T:COUNT", n=10)
    ioc.kill()
    taker.until("the loss", lambda: taker.of(NoticeKind.LOST))
    before = len(taker.samples["T:COUNT"])
    ioc.start()
    taker.until_sampled("T:COUNT", n=before + 20)
    first, second = taker.of(NoticeKind.CONNECTED)
    assert first.series == second.series
    assert second.detail == {
        "host": f"{ioc.address}:5064",
        "native": "DBR_DOUBLE",
        "count": 1,
        "changed": False,
    }
    for part in (taker.values("T:COUNT")[:before], taker.values("T:COUNT")[before:]):
        assert part == [part[0] + k for k in range(len(part))], "nothing twice, nothing lost"
    assert len(taker.of(NoticeKind.METADATA)) == 1


def test_another_type_after_a_restart(iocs: IocMaker, taker: Taker) -> None:
    ioc = iocs.softioc('record(ai, "T:X") { field(VAL, "1.5") field(PINI, "YES") }')
    taker.add("T:X")
    taker.until_sampled("T:X")
    later = (
        ('record(stringin, "T:X") { field(VAL, "text") field(PINI, "YES") }', "text"),
        (
            'record(waveform, "T:X") { field(FTVL, "DOUBLE") field(NELM, "3")'
            ' field(INP, {const:[1,2]}) field(PINI, "YES") }',
            [1.0, 2.0],
        ),
    )
    for database, value in later:
        ioc.kill()
        iocs.write(database)
        ioc.start()
        taker.until(f"{value}", lambda value=value: taker.values("T:X")[-1:] == [value])
    told = taker.of(NoticeKind.CONNECTED)
    kinds = [(n.series and n.series.kind, n.detail["changed"]) for n in told]
    assert kinds == [
        (Kind.FLOAT64, False),
        (Kind.STRING, True),
        (Kind.FLOAT64_ARRAY, True),
    ]
    assert [sample.series for sample in taker.samples["T:X"]] == [1, 2, 3]


def test_bad_times(iocs: IocMaker, taker: Taker) -> None:
    ioc = iocs.python()
    taker.add("T:L")
    taker.until("a connection", lambda: taker.of(NoticeKind.CONNECTED))
    taker.until("its first event", lambda: taker.source.counters("T:L").events)
    now = float(int(time.time()))
    for value, at in enumerate(
        (now, now, now - 1, now - 3600, now + 3600, 650_000_000.0, now + 9), start=1
    ):
        ioc.type(f"number.set({value}, timestamp={at})")
        events = value + 1
        taker.until(f"event {events}", lambda e=events: taker.source.counters("T:L").events >= e)
    taker.take()
    kept = [s for s in taker.samples["T:L"] if s.value]
    assert [(s.value, s.time) for s in kept] == [(1, now * 1e9), (7, (now + 9) * 1e9)]
    drops = dict(taker.source.drops()["T:L"])
    # The first event, of a record that has never been processed, is the same on no two IOCs.
    assert drops.pop(Drop.BEFORE_1991) in (1, 2)
    assert drops == {Drop.NOT_INCREASING: 2, Drop.PAST: 1, Drop.FUTURE: 1}
    assert taker.of(NoticeKind.DROPPED, "T:L")


def test_a_flood_stops_nobody_else(iocs: IocMaker, make_taker: Callable[..., Taker]) -> None:
    taker = make_taker(max_events=400)
    ioc = iocs.python()
    taker.add("T:FLOOD", "T:SLOW")
    taker.until("both", lambda: len(taker.of(NoticeKind.CONNECTED)) == 2)
    ioc.type("for k in range(1, 20001): flood.set(k); k % 1000 or slow.set(k)")
    seen = lambda: taker.source.counters("T:FLOOD").drops.get(Drop.BUFFER, 0)  # noqa: E731
    end = time.monotonic() + 120
    while taker.values("T:SLOW")[-1:] != [20000]:
        assert time.monotonic() < end
        # A slow reader: hundreds of events come between two drains.
        time.sleep(0.1)
        before = len(taker.samples.get("T:FLOOD", ()))
        taker.take()
        assert len(taker.samples.get("T:FLOOD", ())) - before <= 100
    assert seen()
    slow = [v for v in taker.values("T:SLOW") if v]
    # An IOC that processes a record late sends a newer value, or one for two: what it sent came.
    assert slow == sorted(slow)
    assert set(slow) <= set(range(1000, 20001, 1000))
    assert taker.source.counters("T:SLOW").drops.keys() <= {Drop.BEFORE_1991}
    taker.until("telling", lambda: taker.of(NoticeKind.DROPPED, "T:FLOOD"))


def test_ten_thousand_names_that_do_not_exist(
    iocs: IocMaker, taker: Taker, record_property: Callable[[str, object], None]
) -> None:
    begun = time.process_time()
    taker.add(*(f"NO:SUCH:PV:{n}" for n in range(10_000)))
    iocs.softioc(COUNTER)
    taker.add("T:COUNT")
    taker.until_sampled("T:COUNT", n=50)
    values = taker.values("T:COUNT")
    assert values == [values[0] + k for k in range(len(values))]
    assert {n.pv for n in taker.notices} == {"T:COUNT"}
    assert taker.longest_s < 1
    record_property("cpu_s_of_10000_missing", time.process_time() - begun)
    for n in range(10_000):
        taker.source.remove(f"NO:SUCH:PV:{n}")
    taker.until_sampled("T:COUNT", n=len(taker.values("T:COUNT")) + 5)


def test_a_waveform_of_16_megabytes(iocs: IocMaker, taker: Taker) -> None:
    ioc = iocs.python()
    taker.add("T:WAVE")
    taker.until("a connection", lambda: taker.of(NoticeKind.CONNECTED))
    ioc.type("wave.set(np.arange(2_000_000) / 8)", "wave.set(np.arange(3) / 8)")
    taker.until("three", lambda: taker.values("T:WAVE")[-1:] == [[0.0, 0.125, 0.25]])
    large = [v for v in taker.values("T:WAVE") if len(v) == 2_000_000]
    if not large:  # the server may send only the newest
        ioc.type("wave.set(np.arange(2_000_000) / 8)")
        taker.until("all", lambda: len(taker.values("T:WAVE")[-1]) == 2_000_000)
        large = taker.values("T:WAVE")[-1:]
    assert np.array_equal(large[0], np.arange(2_000_000) / 8)
    assert Drop.BUFFER not in taker.source.counters("T:WAVE").drops


def test_removed_and_added_again(iocs: IocMaker, taker: Taker) -> None:
    iocs.softioc(COUNTER)
    for n in range(1, 4):
        newest = taker.samples["T:COUNT"][-1].time if n > 1 else 0
        taker.source.add(ChannelSpec(pv="T:COUNT", after_ns=newest))
        taker.until_sampled("T:COUNT", n=5 * n)
        taker.source.remove("T:COUNT")
        taker.take()
        count = len(taker.samples["T:COUNT"])
        taker.take()
        assert len(taker.samples["T:COUNT"]) == count
    assert len({sample.series for sample in taker.samples["T:COUNT"]}) == 1


def test_a_scan_takes_one_sample_a_period(iocs: IocMaker, taker: Taker) -> None:
    iocs.softioc(COUNTER)
    taker.source.add(ChannelSpec(pv="T:COUNT", method=Method.SCAN, period_s=0.5))
    taker.until_sampled("T:COUNT", n=6)
    times = [sample.time for sample in taker.samples["T:COUNT"]]
    assert 2.2e9 < times[-1] - times[0] < 2.9e9
    assert taker.source.totals().drops == {}


def test_an_ioc_that_hangs_stops_nobody_else(iocs: IocMaker, taker: Taker) -> None:
    many = [f"H:{n}" for n in range(2000)]
    hung = iocs.softioc(
        "".join(f'record(ai, "{pv}") {{ field(PINI, "YES") }}\n' for pv in many), name="hung"
    )
    taker.add(*many)
    taker.until_sampled(*many)
    hung.signal(signal.SIGSTOP)
    for pv in many:
        taker.source.remove(pv)
    taker.add(*many)
    iocs.softioc(COUNTER)
    taker.add("T:COUNT")
    taker.until_sampled("T:COUNT", n=20)
    assert taker.longest_s < 2, "nobody waits for a server"
    begun = time.monotonic()
    taker.source.close()
    assert time.monotonic() - begun < 10


def test_access_given_and_taken(iocs: IocMaker, taker: Taker, tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    closed, opened = "ASG(DEFAULT) { RULE(0, NONE) }\n", "ASG(DEFAULT) { RULE(1, READ) }\n"
    rules.write_text(closed)
    ioc = iocs.softioc(COUNTER, before=f'asSetFilename("{rules}")\n')
    taker.add("T:COUNT")
    taker.until("the refusal", lambda: taker.of(NoticeKind.REFUSED))
    assert "no access" in taker.of(NoticeKind.REFUSED)[0].detail["why"]
    rules.write_text(opened)
    ioc.type("asInit")
    taker.until_sampled("T:COUNT", n=3)
    rules.write_text(closed)
    ioc.type("asInit")
    taker.until("another refusal", lambda: len(taker.of(NoticeKind.REFUSED)) == 2)


@pytest.mark.parametrize("ending", ["", "source.close()", "del source"])
def test_a_program_ends_quietly_while_samples_come(
    iocs: IocMaker, capture: Path, ending: str
) -> None:
    ioc = iocs.softioc(COUNTER)
    program = (
        "import time\n"
        "from pathlib import Path\n"
        "from linacre.archiver.channels._capture import load\n"
        "from linacre.archiver.channels.ca import CaSource\n"
        "from linacre.archiver.model import ChannelSpec, Series\n"
        "class Ids:\n"
        "    def series(self, pv, kind, native): return Series(1, pv, kind, native)\n"
        f"source = CaSource(Ids(), library=lambda: load(Path({str(capture)!r})))\n"
        "source.add(ChannelSpec(pv='T:COUNT'))\n"
        "while not source.drain().scalars: time.sleep(0.01)\n"
        f"{ending}\n"
    )
    environment = os.environ | {
        "EPICS_CA_ADDR_LIST": ioc.address,
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
    }
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, timeout=40
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == b""
