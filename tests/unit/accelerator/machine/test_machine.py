"""The machine: what was set before a pulse acts on it, and the same writes give the same bytes."""

from __future__ import annotations

import struct
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from linacre.accelerator import Machine
from linacre.accelerator.instruments.sources import Source
from linacre.accelerator.lattice.lattice import load_lattice
from linacre.accelerator.machine.machine import NoBeamError
from linacre.accelerator.model.moments import MomentModel
from linacre.accelerator.model.passage import Passage
from linacre.accelerator.model.settings import Settings
from linacre.base.errors import UserError

CLARA = Path(__file__).parents[4] / "examples/clara/lattice/lattice.yaml"
HCOR, BPM = "CLA-S02-MAG-HCOR-01", "CLA-S02-DIA-BPM-02"
WCM = "EBT-B03-IOC-CS-04:FMC1:CH0:WCM"
SHUTTER = "CLA-PI-LSR-SHUT-01"
MODEL = MomentModel(load_lattice(CLARA))


def machine(seed: int = 1) -> Machine:
    return Machine(MODEL, seed=seed, source=Source())


def as_bytes(of: Machine) -> bytes:
    readings = of.shown.readings
    return b"".join(
        ":".join(key).encode() + struct.pack("<dq", readings[key], of.shown.pulse)
        for key in sorted(readings)
    )


def test_a_set_point_acts_on_the_next_pulse_and_in_all_of_its_readings() -> None:
    there = Machine(MODEL)
    before = dict(there.shown.ideal)
    acts_on = there.set(HCOR, "READI", 1.0)
    assert there.shown.ideal == before
    assert there.step() == acts_on
    for bpm in ("CLA-S02-DIA-BPM-01", BPM):
        moved = there.read(bpm, "X", ideal=True)
        assert moved.pulse == acts_on
        assert abs(moved.value - before[bpm, "X"]) > 0.1
        assert there.read(bpm, "Y", ideal=True).value == pytest.approx(before[bpm, "Y"], abs=1e-9)
        # Noise and drift are far smaller.
        assert there.read(bpm, "X").value == pytest.approx(moved.value, abs=0.06)
    upstream = ("CLA-S01-DIA-BPM-01", "X")
    assert there.read(*upstream, ideal=True).value == before[upstream]


def test_noise_is_beside_what_is_true() -> None:
    there = Machine(MODEL, seed=4)
    differences: list[float] = []
    for _ in range(100):
        there.step()
        differences.append(there.read(BPM, "X").value - there.read(BPM, "X", ideal=True).value)
    # 5 um at 100 pC, and a drift of at most 20 um that is slow.
    assert 2e-3 < np.std(differences) < 2e-2
    assert len({*differences}) == 100


def test_settings_that_are_set_together_act_together_or_not_at_all() -> None:
    there = Machine(MODEL)
    with pytest.raises(UserError):
        there.set_all({(HCOR, "READI"): 1.0, ("CLA-S02-MAG-VCOR-01", "READI"): 1e9})
    assert there.settings[HCOR, "READI"] == 0.0
    assert there.set_all({(HCOR, "READI"): 1.0, ("CLA-S02-MAG-VCOR-01", "READI"): -1.0}) == 1


def test_a_set_point_from_another_thread_acts_on_the_pulse_that_it_was_told() -> None:
    there = Machine(MODEL)
    promised: dict[int, float] = {}

    def write() -> None:
        for number in range(2_000):
            value = number / 1e3
            promised[there.set(HCOR, "READI", value)] = value

    writer = threading.Thread(target=write)
    writer.start()
    acted: dict[int, float] = {}
    while writer.is_alive() or max(promised) not in acted:
        pulse = there.step()
        acted[pulse] = there.shown.settings[HCOR, "READI"]
    writer.join()
    assert promised
    assert {pulse: acted[pulse] for pulse in promised} == promised


def test_the_same_seed_and_writes_give_the_same_bytes() -> None:
    def run(seed: int) -> list[bytes]:
        there = machine(seed)
        found: list[bytes] = []
        for number in range(40):
            if number % 3 == 0:
                there.set(HCOR, "READI", (number % 7) / 10)
            if number == 20:
                there.set("CLA-L01-RF-CTRL-01", "getPhase", 275.0)
            there.step()
            found.append(as_bytes(there))
        return found

    assert run(5) == run(5)
    assert run(5) != run(6)


def test_another_process_gives_the_same_bytes(tmp_path: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); "
        "from test_machine import machine, as_bytes; m = machine(9); m.step(7); "
        "sys.stdout.write(as_bytes(m).hex())"
    )
    folder = str(Path(__file__).parent)
    there = machine(9)
    there.step(7)
    argv = [sys.executable, "-W", "ignore", "-c", program, folder]
    told = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert told.splitlines()[-1] == as_bytes(there).hex()


def test_a_saved_machine_goes_on_as_it_would_have(tmp_path: Path) -> None:
    there, file = machine(3), tmp_path / "machine.json"
    there.set(HCOR, "READI", 0.5)
    there.step(4)
    there.set(HCOR, "READI", 0.7)
    there.save(file)
    other = machine(99)
    other.load(file)
    assert (other.pulse, other.seed) == (4, 3)
    assert as_bytes(other) == as_bytes(there)
    for each in (there, other):
        each.step(3)
    assert as_bytes(other) == as_bytes(there)
    assert other.settings[HCOR, "READI"] == 0.7


def test_a_machine_of_another_lattice_is_not_loaded(tmp_path: Path) -> None:
    file, lattice = tmp_path / "machine.json", tmp_path / "lattice.yaml"
    machine().save(file)
    lattice.write_text(CLARA.read_text().replace("middle_m: 5.01083", "middle_m: 5.02"))
    with pytest.raises(
        UserError, match=r"saved with another lattice than .*lattice\.yaml; open it"
    ):
        Machine.open(lattice).load(file)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": 1}', "[" * 100_000, "nan"])
def test_a_file_that_is_no_machine_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "machine.json"
    file.write_text(text)
    with pytest.raises(UserError, match="this is no saved machine; write the path of one"):
        machine().load(file)


@pytest.mark.parametrize(
    ("device", "quantity", "value", "said"),
    [
        (HCOR, "READI", 13.0, "CLA-S02-MAG-HCOR-01:READI cannot be 13; write a value from -12 to "),
        (HCOR, "READI", float("nan"), "CLA-S02-MAG-HCOR-01:READI cannot be nan; write a value f"),
        (HCOR, "SETI", 1.0, "CLA-S02-MAG-HCOR-01 has no SETI to set; it has: READI"),
        ("CLA-S02-MAG-HCOR-1", "READI", 1.0, "no device CLA-S02-MAG-HCOR-1 to set; the nearest is"),
        (SHUTTER, "Sta", 3.0, "CLA-PI-LSR-SHUT-01:Sta cannot be 3; write a value from 0 to 2"),
    ],
)
def test_what_cannot_be_set_is_told(device: str, quantity: str, value: float, said: str) -> None:
    with pytest.raises(UserError) as raised:
        Machine(MODEL).set(device, quantity, value)
    assert str(raised.value).startswith(said), raised.value


def test_what_is_not_read_is_told() -> None:
    there = Machine(MODEL)
    with pytest.raises(
        UserError, match=r"^no instrument CLA-S02-DIA-BPM-9; the nearest is CLA-S02"
    ):
        there.read("CLA-S02-DIA-BPM-9", "X")
    with pytest.raises(UserError, match=r"has no reading Z; it has: RDY, Q, X, Y$"):
        there.read(BPM, "Z")
    there.set(SHUTTER, "Sta", 0.0)
    there.step()
    with pytest.raises(NoBeamError, match=f"^{BPM} saw no beam in pulse 1$"):
        there.read(BPM, "X")
    assert there.read(BPM, "RDY").value == 0.0
    assert there.read(WCM, "Q", ideal=True).value == 0.0


@pytest.mark.parametrize("seed", [-1, 1 << 64])
def test_a_seed_is_a_number_of_64_bits(seed: int) -> None:
    with pytest.raises(UserError, match=r"a seed of .*; write one from 0 to"):
        Machine(MODEL, seed=seed)


def test_orbit_and_twiss_are_arrays_along_the_machine() -> None:
    there = Machine(MODEL)
    there.set(HCOR, "READI", 1.0)
    there.step()
    orbit, twiss = there.orbit(), there.twiss()
    index = orbit.names.index(BPM)
    assert orbit.x_m[index] * 1e3 == pytest.approx(there.read(BPM, "X", ideal=True).value)
    assert orbit.s_m[index] == pytest.approx((6.49065 + 6.542) / 2, abs=1e-4)
    assert np.isnan(orbit.x_m[orbit.names.index("CLA-C2V-DIA-BPM-01")])
    assert twiss.names == orbit.names
    assert (twiss.horizontal.beta_m[:index] > 0).all()
    assert twiss.vertical.normalised_emittance_m[0] == pytest.approx(5e-7)
    assert there.lattice.floor_m.shape == (len(orbit.names), 2)


def test_a_camera_sees_the_beam_on_its_screen_and_darkness_without() -> None:
    there = Machine(MODEL, seed=2)
    camera = "CLA-S02-DIA-CAM-01"
    dark = there.view(camera)
    assert dark.analysis is not None and dark.analysis.spot is None
    there.set("CLA-S02-DIA-SCR-01:V", "GET_DEV", 4.0)
    there.set(HCOR, "READI", 1.0)
    there.step()
    bright = there.view(camera)
    index = there.lattice["CLA-S02-DIA-SCR-01"].index
    beam = there.shown.passage.beam(index)
    sensor = bright.image.camera.sensor
    assert bright.pulse == 1
    assert bright.values["ANA:X_RBV"] - sensor.centre_column * sensor.pixel_mm == pytest.approx(
        beam.centroid[0] * 1e3, abs=0.02
    )
    assert there.view(camera).image.pixels.tobytes() == bright.image.pixels.tobytes()
    # The screen stops the beam.
    assert there.read(BPM, "Q", ideal=True).value == 0.0
    with pytest.raises(UserError, match=r"^no camera CAM; there are: CLA-S01-DIA-CAM-01, "):
        there.view("CAM")


def test_any_model_behind_the_protocol_will_do() -> None:
    class Nothing:
        """A model in which no beam ever is."""

        lattice = MODEL.lattice

        def step(self, settings: Settings, deviation: object = None) -> Passage:
            size = len(self.lattice.elements)
            counts = np.zeros(size, np.int64)
            zeros = np.zeros(size)
            return Passage(np.zeros((size, 6)), np.zeros((size, 6, 6)), zeros, counts, counts, 0, 0)

    there = Machine(Nothing())
    there.step(3)
    assert there.read(BPM, "Q", ideal=True).value == 0.0


def test_the_machine_is_without_epics() -> None:
    program = (
        "import sys; from linacre.accelerator import Machine; "
        f"Machine.open({str(CLARA)!r}).step(); "
        "print([m for m in sys.modules if m.split('.')[0] in "
        "('epicscorelibs', 'p4p', 'aioca', 'softioc', 'caproto') or m == 'linacre.epics'])"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "[]"
