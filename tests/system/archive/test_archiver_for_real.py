"""An archiver as a process, real IOCs, and what a client reads over HTTP."""

from __future__ import annotations

import itertools
import signal
import time

import httpx
import pyarrow as pa
import pytest
from archive_support import Bench, wait_for

from linacre.archiver.reading.folder import open_reader

COUNTER = 'record(calc, "{name}") {{ field(SCAN, ".1 second") field(CALC, "VAL+1") }}\n'
RECORDS = """\
record(ao, "T:SET") { field(VAL, "2.5") field(PINI, "YES") field(EGU, "A") field(PREC, "3")
    field(HOPR, "10") field(HIGH, "5") field(HSV, "MINOR") }
record(mbbo, "T:STATE") { field(ZRST, "off") field(ONST, "on") field(VAL, "1") field(PINI, "YES") }
record(stringout, "T:TEXT") { field(VAL, "hello") field(PINI, "YES") }
record(longout, "T:LONG") { field(VAL, "-7") field(PINI, "YES") }
record(waveform, "T:WAVE") { field(NELM, "5") field(FTVL, "DOUBLE") field(INP, [1, 2, 3])
    field(PINI, "YES") }
"""
NAMES = ("T:SET", "T:STATE", "T:TEXT", "T:LONG", "T:WAVE", "T:COUNT")
RECORDS += COUNTER.format(name="T:COUNT")


def options(*names: str) -> list[str]:
    return [word for name in names for word in ("--pv", name)]


def values(archiver, pv: str) -> list:
    return column(archiver, pv, "value")


def column(archiver, pv: str, name: str) -> list:
    found = archiver.get("/samples", pv=pv, start="-1d", end="now")
    place = found["fields"].index(name)
    return [row[place] for row in found["rows"]]


def test_all_kinds_of_values(bench: Bench) -> None:
    bench.ioc(RECORDS)
    archiver = bench.archiver(*options(*NAMES))
    archiver.start()
    wait_for("samples of all", lambda: archiver.get("")["connected"] == len(NAMES))
    wait_for("counts", lambda: len(values(archiver, "T:COUNT")) > 5)
    wanted = {"T:SET": 2.5, "T:STATE": 1, "T:TEXT": "hello", "T:LONG": -7}
    assert {pv: values(archiver, pv) for pv in wanted} == {pv: [v] for pv, v in wanted.items()}
    assert values(archiver, "T:WAVE") == [[1, 2, 3]]
    metadata = archiver.get("/metadata", pv="T:SET")
    assert (metadata["units"], metadata["precision"]) == ("A", 3)
    assert archiver.get("/metadata", pv="T:STATE")["labels"] == ["off", "on"]
    bench.iocs[0].shell("dbpf T:SET 6.5")
    wait_for("the new set point", lambda: values(archiver, "T:SET") == [2.5, 6.5])
    assert column(archiver, "T:SET", "severity") == [0, 1]
    counts = values(archiver, "T:COUNT")
    assert counts == [counts[0] + k for k in range(len(counts))]


def test_a_stop_loses_nothing_and_is_quick(bench: Bench) -> None:
    bench.ioc(RECORDS)
    archiver = bench.archiver(*options("T:COUNT", "T:SET"))
    archiver.start()
    wait_for("counts", lambda: len(values(archiver, "T:COUNT")) > 10)
    begun = time.monotonic()
    assert archiver.kill(signal.SIGTERM) == 0
    took = time.monotonic() - begun
    assert took < 5, "2 s are promised, on a machine that has nothing else to do"
    archiver.start()
    # The registry knows the PVs; what was stored is not stored again.
    before = open_reader(archiver.data).samples("T:COUNT", 0, 2**62).num_rows
    wait_for("counts", lambda: len(values(archiver, "T:COUNT")) > before + 5)
    counts = values(archiver, "T:COUNT")
    gaps = [b - a for a, b in itertools.pairwise(counts)]
    assert min(gaps) == 1
    assert sum(gap > 1 for gap in gaps) <= 1
    assert values(archiver, "T:SET") == [2.5]


def test_an_ioc_that_restarts(bench: Bench) -> None:
    ioc = bench.ioc(RECORDS)
    archiver = bench.archiver(*options("T:COUNT"))
    archiver.start()
    wait_for("counts", lambda: len(values(archiver, "T:COUNT")) > 5)
    ioc.stop()
    wait_for("it is lost", lambda: archiver.get("/pvs/T:COUNT")["state"] == "lost")
    ioc.records = RECORDS.replace('record(calc, "T:COUNT")', 'record(stringin, "T:COUNT")').replace(
        'field(CALC, "VAL+1")', 'field(VAL, "now text") field(PINI, "YES")'
    )
    ioc.start()
    wait_for("text", lambda: "now text" in values(archiver, "T:COUNT"), limit_s=60)
    assert archiver.get("/pvs/T:COUNT")["kind"] == "string"
    kinds = [e["kind"] for e in archiver.get("/events", pv="T:COUNT", start="-1h")["events"]]
    assert kinds[:2] == ["connected", "lost"]


def test_changes_survive_a_kill(bench: Bench) -> None:
    bench.ioc(RECORDS)
    archiver = bench.archiver()
    archiver.start("--pv", "T:SET")
    archiver.post("/pvs", ["T:COUNT", "T:NEVER"])
    archiver.post("/pvs/pause", {"pvs": ["T:SET"]})
    archiver.kill()
    archiver.start()
    wait_for("counts", lambda: values(archiver, "T:COUNT"))
    states = {one["pv"]: one["state"] for one in archiver.get("/pvs")["pvs"]}
    assert states == {"T:COUNT": "connected", "T:NEVER": "searching", "T:SET": "paused"}


def test_the_end_of_an_archiver(bench: Bench) -> None:
    bench.ioc(RECORDS)
    archiver = bench.archiver("--for", "4s", *options("T:COUNT"))
    archiver.start()
    wait_for("counts", lambda: values(archiver, "T:COUNT"))
    wait_for("its end", lambda: archiver.get("")["read_only"])
    kept = values(archiver, "T:COUNT")
    answer = httpx.post(f"{archiver.url}/api/v1/pvs", json=["T:SET"])
    assert answer.status_code in (403, 409)
    assert "past its end" in answer.text
    archiver.post("/end", {"end": None})
    wait_for("it goes on", lambda: len(values(archiver, "T:COUNT")) > len(kept))


def test_a_second_archiver_on_the_same_data(bench: Bench) -> None:
    bench.ioc(RECORDS)
    archiver = bench.archiver(*options("T:COUNT"))
    archiver.start()
    second = bench.archiver()
    with pytest.raises(AssertionError, match="linacre-archiver: "):
        second.start()
    assert "Traceback" not in second.log()


def test_arrow_and_the_folder_agree(bench: Bench) -> None:
    bench.ioc(RECORDS)
    archiver = bench.archiver(*options("T:COUNT"))
    archiver.start()
    wait_for("counts", lambda: len(values(archiver, "T:COUNT")) > 5)
    until = int(time.time() * 1e9) - 10**9
    query = {"pv": "T:COUNT", "start": "0", "end": str(until), "format": "arrow"}
    answer = httpx.get(f"{archiver.url}/api/v1/samples", params=query)
    with pa.ipc.open_stream(answer.content) as stream:
        table = stream.read_all()
    here = open_reader(archiver.data).samples("T:COUNT", 0, until)
    assert table["time"].to_pylist() == here["time"].to_pylist()
    assert table["value"].to_pylist() == here["value"].to_pylist()


def test_ten_thousand_names_that_do_not_exist(bench: Bench) -> None:
    bench.ioc(RECORDS)
    archiver = bench.archiver()
    archiver.start()
    archiver.post("/pvs", [f"NONE:{n}" for n in range(10_000)])
    archiver.post("/pvs", ["T:COUNT"])
    wait_for("counts", lambda: len(values(archiver, "T:COUNT")) > 10)
    counts = values(archiver, "T:COUNT")
    assert counts == [counts[0] + k for k in range(len(counts))]
    assert archiver.get("/pvs", limit=5)["states"] == {"connected": 1, "searching": 10_000}
    assert archiver.kill(signal.SIGTERM) == 0
    archiver.start()
    wait_for("counts", lambda: values(archiver, "T:COUNT")[-1] > counts[-1])
    answer = httpx.post(f"{archiver.url}/api/v1/pvs", json=["GOOD", "NOT GOOD"])
    assert answer.status_code == 400
    assert "NOT GOOD" in answer.json()["detail"]
