"""Faults of the machine itself: what is ordered shows in the beam, ends, and is saved with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from linacre.accelerator.faults.elements import load_targets
from linacre.accelerator.faults.kinds import FaultKind
from linacre.accelerator.faults.orders import OrderError
from linacre.accelerator.faults.table import FAULTS
from linacre.accelerator.faults.targets import TRANSMISSION
from linacre.accelerator.instruments.sources import Source
from linacre.accelerator.lattice.lattice import load_lattice
from linacre.accelerator.machine.machine import Machine
from linacre.accelerator.machine.targets import targets_of
from linacre.accelerator.model import settings
from linacre.accelerator.model.moments import MomentModel

EXAMPLE = Path(__file__).parents[4] / "examples/clara"
MODEL = MomentModel(load_lattice(EXAMPLE / "lattice/lattice.yaml"))
HCOR, BPM = "CLA-S02-MAG-HCOR-01", "CLA-S02-DIA-BPM-02"
WCM = "EBT-B03-IOC-CS-04:FMC1:CH0:WCM"


def charge_pc(of: Machine, bpm: str = BPM) -> float:
    return of.read(bpm, "Q", ideal=True).value


def test_a_tripped_supply_reads_0_and_bends_the_beam_no_more_until_it_is_reset() -> None:
    there = Machine(MODEL)
    there.set(HCOR, "READI", 1.0)
    there.step()
    bent = there.read(BPM, "X", ideal=True).value
    there.faults.give(f"trip {HCOR} at 3 for 2")
    there.step()
    assert there.read(BPM, "X", ideal=True).value == bent
    there.step()
    assert there.read(HCOR, "READI").value == 0.0
    assert abs(there.read(BPM, "X", ideal=True).value - bent) > 0.1
    # What was set is what acts when it is over.
    assert there.settings[HCOR, "READI"] == 1.0
    there.step(4)
    there.faults.give(f"reset {HCOR}")
    there.step()
    assert there.read(BPM, "X", ideal=True).value == bent


def test_a_frozen_reading_stays_while_the_beam_moves() -> None:
    there = Machine(MODEL)
    there.faults.give(f"freeze {BPM}:X at 2 for 5")
    there.step(2)
    held = there.read(BPM, "X").value
    there.set(HCOR, "READI", 1.0)
    there.step()
    assert there.read(BPM, "X").value == held
    assert abs(there.read(BPM, "X", ideal=True).value - held) > 0.1
    there.step(5)
    assert there.read(BPM, "X").value != held


def test_beam_loss_at_an_element_takes_a_share_of_the_charge_behind_it() -> None:
    there = Machine(MODEL)
    there.faults.give("beam-loss CLA-S02-COL-01 share=0.6 at 1 for 1")
    before = charge_pc(there)
    there.step()
    passage = there.shown.passage
    assert charge_pc(there) == pytest.approx(0.4 * before, rel=1e-6)
    assert charge_pc(there, "CLA-S02-DIA-BPM-01") == before
    assert passage.lost[there.lattice["CLA-S02-COL-01"].index] > 0
    assert passage.emitted == int(passage.lost.sum()) + passage.delivered
    there.step()
    assert charge_pc(there) == before


def test_without_its_trigger_the_gun_gives_no_beam() -> None:
    there = Machine(MODEL)
    there.faults.give("lost-trigger CLA-GUNS-RF-CTRL-01 at 1 for 1")
    there.step()
    assert there.shown.passage.emitted == 0
    assert there.read(WCM, "Q", ideal=True).value == 0.0
    there.step()
    assert charge_pc(there) > 50


def test_a_machine_that_is_saved_with_faults_goes_on_with_them(tmp_path: Path) -> None:
    there = Machine(MODEL, seed=3, source=Source())
    for order in (
        f"drift {BPM}:X rate=0.01 at 2",
        "mirror-drift CLA-LAS-OPT-PICO-4C-PM-4:H rate=2 at 1",
        f"trip {HCOR} at 9 for 4",
        f"freeze {BPM}:Y at 3 for 20",
    ):
        there.faults.give(order)
    there.step(5)
    file = tmp_path / "machine.json"
    there.save(file)
    other = Machine(MODEL, seed=8, source=Source())
    other.load(file)
    for _ in range(12):
        assert other.shown.readings == there.shown.readings
        assert other.shown.passage.sigma.tobytes() == there.shown.passage.sigma.tobytes()
        there.step()
        other.step()


def test_an_order_for_what_is_not_there_is_refused() -> None:
    with pytest.raises(OrderError, match="CLA-S02-MAG-HCOR-01"):
        Machine(MODEL).faults.give("trip CLA-S02-MAG-HCOR-1 at 3")


def test_the_devices_of_the_lattice_are_those_of_the_training() -> None:
    listed, found = load_targets(EXAMPLE / "training/elements.yaml"), targets_of(MODEL.lattice)
    for name in found:
        if name in listed:
            assert found[name].kind is listed[name].kind, name
            assert found[name].z_m == pytest.approx(listed[name].z_m, abs=0.1), name
    assert len({*found} & {*listed}) > 50


def test_a_share_of_the_beam_is_the_same_word_to_faults_and_model() -> None:
    assert settings.TRANSMISSION == TRANSMISSION


@pytest.mark.parametrize("kind", FAULTS.values(), ids=FAULTS)
def test_every_fault_leaves_numbers(kind: FaultKind) -> None:
    """Each kind on each target of the lattice that it can befall, two at a time."""
    there = Machine(MODEL, seed=1, source=Source())
    targets = [each for each in there.faults.targets.values() if each.kind in kind.targets]
    for target in targets[:2]:
        there.faults.give(f"{kind.name} {target.name} at 1 for 4")
    there.step(8)
    assert np.isfinite([*there.shown.readings.values()]).all()
    assert np.isfinite(there.shown.passage.sigma).all()
