"""The rest of the example's IOCs: vacuum, laser, RF, cameras, timing, and all their databases."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from epics_support import Client, Ioc, wait_for
from p4p.client.thread import RemoteError

from linacre.epics.launch import Program, ProgramKind

EXAMPLE = Path(__file__).parents[3] / "examples/clara"
IOCS = EXAMPLE / "iocs"
HV_SCREEN = "CLA-S01-DIA-SCR-01"
VALVE = "CLA-S01-VAC-VALV-01"
GAUGE = "CLA-LRG1-VAC-IMG-01"
SHUTTER = "CLA-PI-LSR-SHUT-01"
CAMERA = "CLA-S02-DIA-CAM-01"
GUN = "CLA-GUNS-RF-CTRL-01"
MODULATOR = "CLA-GUNS-HRF-MOD-01"
PERMIT = "CLA-GUN-RF-PROTE-01"

Databases = Callable[..., Ioc]


@pytest.fixture
def databases(start, tmp_path: Path) -> Databases:
    """Return what starts one of the example's softIocs, under the example's access rules."""

    def start_one(folder: str, script: str = "st.cmd") -> Ioc:
        tree = Path(shutil.copytree(IOCS / folder, tmp_path / f"source-{folder}"))
        shutil.copy(EXAMPLE / "access.acf", tree)
        program = Program(
            name=folder, kind=ProgramKind.SOFTIOC, start=script, access_security="access.acf"
        )
        ioc: Ioc = start(program, tree)
        ioc.wait_booted()
        assert "ERROR" not in ioc.log()
        return ioc

    return start_one


def refused(client: Client, name: str, value: float | str) -> bool:
    try:
        client.put(name, value)
    except RemoteError:
        return True
    return False


def test_c2v_magnets_follow_their_curves_both_ways(databases: Databases) -> None:
    with databases("magnets", "c2v.cmd").client() as client:
        # Beyond the linear part: a cubic curve, and a quadratic one for the bend of 45 degrees.
        for name, strength, rating in (
            ("CLA-C2V-MAG-QUAD-01", 25.0, 185.8),
            ("CLA-C2V-MAG-DIP-02", -1200.0, 180.04),
        ):
            client.put(f"{name}:SETK", strength)
            assert 120 < abs(client.number(f"{name}:SETI")) < rating
        # 10 A a second.
        for name, strength in (("CLA-C2V-MAG-QUAD-01", 25.0), ("CLA-C2V-MAG-DIP-02", -1200.0)):
            wait_for(
                name,
                lambda name=name, strength=strength: (
                    abs(client.number(f"{name}:CalcK") - strength) < abs(strength) * 1e-3
                ),
            )


@pytest.mark.parametrize(
    ("script", "name"), [("s01.cmd", "CLA-GUN-MAG-SOL-02"), ("l01.cmd", "CLA-L01-MAG-SOL-01")]
)
def test_solenoids_ramp_trip_and_are_reset(databases: Databases, script: str, name: str) -> None:
    with databases("magnets", script).client() as client:
        client.put(f"{name}:SETI", 10.0)
        wait_for("settling", lambda: abs(client.number(f"{name}:READI") - 10) < 0.1)
        client.put(f"{name}:Off", 1)
        assert client.text(f"{name}:RILK") == "TRIPPED"
        wait_for("no current", lambda: abs(client.number(f"{name}:READI")) < 0.1)
        client.put(f"{name}:RESET", 1)
        client.put(f"{name}:SPOWER", "ON")
        wait_for("settling again", lambda: abs(client.number(f"{name}:READI") - 10) < 0.1)


def test_screen_refuses_to_collide_unless_told(databases: Databases) -> None:
    vertical, horizontal = f"{HV_SCREEN}:V", f"{HV_SCREEN}:H"
    with databases("s01-scr").client() as client:
        client.put(f"{horizontal}:POS", "SLIT_1")
        wait_for("the other's lock", lambda: client.text(f"{vertical}:READY") == "NO", 2)
        for name, value in (("POS", "YAG"), ("TGTPOS", 143.0), ("TRIGGER", 1), ("JOG", 1)):
            assert refused(client, f"{vertical}:{name}", value)
        wait_for("the slit", lambda: client.text(f"{horizontal}:GET_DEV") == "SLIT_1")
        assert client.number(f"{vertical}:ACTPOS") == 0
        assert refused(client, f"{HV_SCREEN}:POS", "YAG")

        client.put(f"{HV_SCREEN}:SIM:COLLIDE", "ALLOW")
        wait_for("leave", lambda: client.text(f"{vertical}:READY") == "YES", 2)
        client.put(f"{vertical}:POS", "YAG")
        for axis in (vertical, horizontal):
            wait_for("a crash", lambda axis=axis: client.text(f"{axis}:DEV_STATE") == "ERROR")
        assert refused(client, f"{horizontal}:POS", "HRETRACTED")

        client.put(f"{HV_SCREEN}:SIM:COLLIDE", "REFUSE")
        client.put(f"{HV_SCREEN}:SIM:MEND", 1)
        for axis in (vertical, horizontal):
            wait_for("mending", lambda axis=axis: client.text(f"{axis}:DEV_STATE") == "STATIONARY")
        client.put(f"{vertical}:POS", "RF")
        wait_for("the RF cage", lambda: client.text(f"{vertical}:GET_DEV") == "RF")


def test_valve_closes_on_bad_vacuum_and_stays_closed(databases: Databases) -> None:
    with databases("vac").client() as client:

        def state() -> str:
            return client.text(f"{VALVE}:Sta")

        wait_for("an open valve", lambda: state() == "OPEN")
        client.put(f"{GAUGE}:SIM:LEAK", 1e-4)
        wait_for("a moving valve", lambda: state() == "MOVING")
        wait_for("a closed valve", lambda: state() == "CLOSED")
        assert client.text("CLA-C2V-VAC-VALV-01:Sta") == "OPEN"
        assert refused(client, f"{VALVE}:On", 1)
        assert refused(client, f"{GAUGE}:P", 1e-9)

        client.put(f"{GAUGE}:SIM:LEAK", 0.0)
        wait_for("good vacuum", lambda: client.number(f"{GAUGE}:P") < 1e-6)
        wait_for("leave to open", lambda: not refused(client, f"{VALVE}:On", 1))
        wait_for("an open valve", lambda: state() == "OPEN")
        client.put(f"{VALVE}:Off", 1)
        wait_for("a closed valve", lambda: state() == "CLOSED")


def test_laser_shutter_plate_and_mirror(databases: Databases) -> None:
    with databases("laser").client() as client:
        assert client.text(f"{SHUTTER}:Sta") == "CLOSED"
        client.put(f"{SHUTTER}:On", 1)
        assert client.text(f"{SHUTTER}:Sta") == "MOVING"
        wait_for("an open shutter", lambda: client.text(f"{SHUTTER}:Sta") == "OPEN")
        # The last command counts, also when it comes on the way.
        client.put(f"{SHUTTER}:Off", 1)
        client.put(f"{SHUTTER}:On", 1)
        wait_for("an open shutter", lambda: client.text(f"{SHUTTER}:Sta") == "OPEN")

        energy = "CLA-LAS-DIA-EM-01:E"
        client.put("EBT-LAS-OPT-HWP-2:ROT:MABS", 45.0)
        wait_for("full energy", lambda: client.number(energy) > 75)
        client.put("EBT-LAS-OPT-HWP-2:ROT:MABS", 0.0)
        wait_for("no energy", lambda: client.number(energy) < 1)
        for steps, place in ((300, 300), (-500, -200)):
            client.put("CLA-LAS-OPT-PICO-4C-PM-4:H:MREL", steps)
            wait_for(
                "the mirror",
                lambda place=place: client.number("CLA-LAS-OPT-PICO-4C-PM-4:H:POS") == place,
            )


def test_camera_takes_images_between_start_and_stop(databases: Databases) -> None:
    with databases("cam").client() as client:
        assert client.number(f"{CAMERA}:CAM:ArrayRate_RBV") == 0
        client.put(f"{CAMERA}:CAM:Start", 1)
        assert client.number(f"{CAMERA}:CAM:ArrayRate_RBV") == 10
        # The middle of 2560 pixels of 13 um.
        wait_for("a spot", lambda: abs(client.number(f"{CAMERA}:ANA:X_RBV") - 16.64) < 0.1)
        client.put(f"{CAMERA}:HDFB:Capture", "CAPTURE")
        wait_for("the next file", lambda: client.number(f"{CAMERA}:HDFB:FileNumber") == 2)
        client.put(f"{CAMERA}:CAM:Stop", 1)
        assert client.text(f"{CAMERA}:CAM:Acquire_RBV") == "STOPPED"


def test_timing_counts_in_ticks(databases: Databases) -> None:
    name, output = "CLA-GEN-TIM-EVG-01", "CLA-GUN-TIM-EVR-01:RF"
    with databases("timing").client() as client:
        client.put(f"{output}:DELAY", 23003.0)
        assert client.number(f"{output}:DELAY:RBV") == 23000
        client.put(f"{name}:RATE", "100 Hz")
        wait_for("triggers", lambda: client.number(f"{name}:COUNT") >= 100)
        client.put(f"{name}:EN", "OFF")
        assert client.text(f"{name}:STATE") == "STOPPED"


def test_charge_is_seen_under_both_names(databases: Databases) -> None:
    with databases("charge").client() as client:
        client.put("CLA-S01-DIA-WCM-01:SIM:Q", 200.0)
        for name in ("EBT-B03-IOC-CS-04:FMC1:CH0:WCM:Q", "CLA-S01-DIA-WCM-01:Q"):
            wait_for(name, lambda name=name: abs(client.number(name) - 200) < 20)


def test_rf_is_started_loses_its_permit_and_is_interlocked(start) -> None:
    program = Program(
        name="gun-rf",
        kind=ProgramKind.PYTHON,
        start="ioc.py",
        args=("gun",),
        persistent=("data",),
        environment={
            "PYTHONPATH": str(Path(__file__).parents[3] / "src"),
            "PYTHONWARNINGS": "ignore",
        },
    )
    ioc: Ioc = start(program, IOCS / "rf")
    ioc.wait_booted()
    with ioc.client() as client:

        def state() -> int:
            return int(client.number(f"{MODULATOR}:Sys:StateRead"))

        def power() -> float:
            return client.number(f"{GUN}:getPower")

        wait_for("the modulator", lambda: state() == 0x2000)
        seen: list[int] = []
        watch = client.context.monitor(
            f"{MODULATOR}:Sys:StateRead", lambda value: seen.append(int(value.value))
        )
        client.put(f"{GUN}:setPower", 5.0)
        client.put(f"{GUN}:API:setStartup", 1)
        wait_for("the start", lambda: client.text(f"{GUN}:API:getStartupComplete") == "YES")
        watch.close()
        # Each step that lasts, in its order.
        assert [s for s in (0x5000, 0x9000, 0xC000, 0xD000) if s in seen] == sorted(set(seen))[1:]
        wait_for("the power", lambda: abs(power() - 5) < 0.1)
        achieved = f"{GUN}:Power:Achieved:getBinary"
        wait_for("the power to be as asked", lambda: client.text(achieved) == "YES")

        client.put(f"{PERMIT}:Off", 1)
        wait_for("no power", lambda: power() == 0)
        assert client.number(f"{PERMIT}:Cmi") == 0
        client.put(f"{PERMIT}:Rst", 1)
        wait_for("the permit", lambda: client.number(f"{PERMIT}:Cmi") == 65535)
        assert client.text(f"{GUN}:Power:getTrip") == "BAD"
        assert power() == 0
        client.put(f"{GUN}:API:setTrip", "CLEAR")
        wait_for("the power", lambda: power() > 4)

        client.put(f"{MODULATOR}:SIM:INTLK2", "BAD")
        wait_for("the interlock", lambda: state() == 0x8000 and power() == 0)
        client.put(f"{MODULATOR}:SIM:INTLK2", "GOOD")
        client.put(f"{MODULATOR}:Sys:Reset", 1)
        wait_for("standby", lambda: state() == 0x6000)
        kept = Path(ioc.layout.persist) / "data/gun.softsav"
        wait_for(
            "the set points",
            lambda: kept.exists() and "sp_amp:amplitude: 11583" in kept.read_text(),
        )
