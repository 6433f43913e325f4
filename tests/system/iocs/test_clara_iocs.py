"""The example's IOCs behave as the hardware that they stand for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from epics_support import Ioc, wait_for
from p4p.client.thread import RemoteError

from linacre.epics.launch import Program, ProgramKind

EXAMPLE = Path(__file__).parents[3] / "examples/clara"
IOCS = EXAMPLE / "iocs"
QUAD = "CLA-S02-MAG-QUAD-01"
SCREEN = "CLA-S02-DIA-SCR-01"
BPM = "CLA-S02-DIA-BPM-01"


def test_magnets_ramp_settle_and_trip(start, tmp_path: Path) -> None:
    tree = Path(shutil.copytree(IOCS / "s02-mag", tmp_path / "source"))
    shutil.copy(EXAMPLE / "access.acf", tree)
    program = Program(
        name="s02-mag",
        kind=ProgramKind.SOFTIOC,
        start="st.cmd",
        access_security="access.acf",
    )
    ioc: Ioc = start(program, tree)
    ioc.wait_booted()
    assert "ERROR" not in ioc.log()
    with ioc.client() as client:
        seen: list[float] = []
        watch = client.context.monitor(f"{QUAD}:READI", lambda value: seen.append(value.value))
        client.put(f"{QUAD}:SETI", 8.0)
        wait_for("settling", lambda: abs(client.number(f"{QUAD}:READI") - 8) < 0.1)
        watch.close()
        assert any(1 < current < 7 for current in seen)
        # 299.792458 x slope x current / momentum, of the magnet table at 30 MeV/c.
        strength = 299.792458 * 0.0255008368 * 8 / 30
        assert client.number(f"{QUAD}:CalcK") == pytest.approx(strength, abs=0.01)

        # Beyond the linear part of its curve.
        client.put("CLA-S02-MAG-QUAD-03:SETK", -5.9)
        assert client.number("CLA-S02-MAG-QUAD-03:SETI") == pytest.approx(-23.5, abs=0.1)
        name = "CLA-S02-MAG-QUAD-03:CalcK"
        wait_for("the strength", lambda: abs(client.number(name) + 5.9) < 0.01)

        client.put(f"{QUAD}:SETI", 99.0)
        assert client.number(f"{QUAD}:SETI") == 52.8
        with pytest.raises(RemoteError):
            client.put(f"{QUAD}:READI", 1.0)
        client.put(f"{QUAD}:Off", 1)
        assert client.text(f"{QUAD}:RILK") == "TRIPPED"
        assert client.text(f"{QUAD}:RPOWER") == "OFF"
        client.put(f"{QUAD}:Rst", 1)
        assert client.text(f"{QUAD}:RILK") == "OK"
        assert client.text(f"{QUAD}:RPOWER") == "OFF"
        client.put(f"{QUAD}:SPOWER", "ON")
        assert client.text(f"{QUAD}:RPOWER") == "ON"


def test_screen_takes_its_time_and_refuses_meanwhile(start) -> None:
    program = Program(name="s02-scr", kind=ProgramKind.BINARY, start="iocBoot/iocs02-scr/st.cmd")
    first_line = (IOCS / "s02-scr" / program.start).read_text().splitlines()[0]
    ioc: Ioc = start(program, IOCS / "s02-scr", first_line=first_line)
    ioc.wait_booted()
    assert "ERROR" not in ioc.log()
    with ioc.client() as client:

        def in_place() -> str:
            return client.text(f"{SCREEN}:GET_DEV")

        assert in_place() == "RETRACTED"
        client.put(f"{SCREEN}:POS", "RF")
        assert client.text(f"{SCREEN}:MOVING") == "YES"
        with pytest.raises(RemoteError):
            client.put(f"{SCREEN}:POS", "YAG")
        assert in_place() == "MOVING"
        wait_for("the RF cage", lambda: in_place() == "RF")
        assert client.number(f"{SCREEN}:ACTPOS") == 196
        client.put(f"{SCREEN}:JDIFF", -10.0)
        client.put(f"{SCREEN}:JOG", 1)
        wait_for("a place between devices", lambda: in_place() == "UNKNOWN")
        client.put(f"{SCREEN}:SDEV", "YAG")
        client.put(f"{SCREEN}:TRIGGER", 1)
        wait_for("the YAG screen", lambda: in_place() == "YAG")


def test_bpms_measure_and_keep_their_offsets(start) -> None:
    program = Program(
        name="s02-bpm",
        kind=ProgramKind.PYTHON,
        start="ioc.py",
        args=(BPM, "CLA-S02-DIA-BPM-02"),
        persistent=("data",),
        environment={
            "PYTHONPATH": str(Path(__file__).parents[3] / "src"),
            "PYTHONWARNINGS": "ignore",
        },
    )
    ioc: Ioc = start(program, IOCS / "s02-bpm")
    ioc.wait_booted()
    assert ioc.report().pv_count == 38
    with ioc.client() as client:
        wait_for("beam", lambda: client.text(f"{BPM}:RDY") == "BEAM")
        assert abs(client.number(f"{BPM}:X")) < 0.1
        client.put(f"{BPM}:X:OFFSET", 0.5)
        wait_for("the offset", lambda: client.number(f"{BPM}:X") < -0.4)
        kept = Path(ioc.layout.persist) / "data/offsets.json"
        assert json.loads(kept.read_text()) == {f"{BPM}:X": 0.5}
        client.put(f"{BPM}:SA1", 7)
        wait_for("the attenuator", lambda: client.number(f"{BPM}:RA1") == 7)
    raw = ioc.tool("caget", "-t", "-w", "5", f"{BPM}:DATA:B2V.VALA").stdout.split()
    assert raw[0] == "9"
