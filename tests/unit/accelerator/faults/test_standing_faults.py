"""Several faults at a time: stacking, clearing, going on from what was saved."""

from __future__ import annotations

import json

import pytest
from standin import BPM, CORRECTOR, GUN, IOC, LASER, LAST_BPM, TARGETS, Owner, StandIn

from linacre.accelerator.faults.iocs import IocFaults
from linacre.accelerator.faults.kinds import IocCondition
from linacre.accelerator.faults.orders import Order, OrderError
from linacre.accelerator.faults.saving import load_faults, save_faults
from linacre.accelerator.faults.standing import MOST, State
from linacre.accelerator.faults.targets import Values
from linacre.base.errors import EngineError, UserError

CURRENT = (CORRECTOR, "READI")


def run(machine: StandIn, pulses: range) -> list[Values]:
    return [machine.step(pulse) for pulse in pulses]


def test_faults_of_one_element_act_one_after_the_other() -> None:
    machine = StandIn()
    machine.faults.give(f"jump {BPM}:X by=2 at 10 for 30")
    machine.faults.give(f"miscalibrated {BPM}:X factor=10 at 20 for 10")
    machine.faults.give(f"freeze {BPM}:X at 30 for 10")
    well = [each[BPM, "X"] for each in run(StandIn(), range(50))]
    seen = [each[BPM, "X"] for each in run(machine, range(50))]
    assert seen[:10] == well[:10]
    assert seen[10:20] == [x + 2 for x in well[10:20]]
    assert seen[20:30] == [(x + 2) * 10 for x in well[20:30]]
    assert seen[30:40] == [well[30] + 2] * 10
    assert seen[40:] == well[40:]


def test_what_is_hidden_lies_behind_what_is_measured() -> None:
    machine, well = StandIn(), StandIn()
    machine.faults.give(f"reversed {CORRECTOR} at 0")
    machine.faults.give(f"ripple {CORRECTOR} amplitude=1 period=4 at 1")
    read, right = run(machine, range(6)), run(well, range(6))
    assert read[1][CURRENT] == pytest.approx(right[1][CURRENT] + 1)
    moved = read[1][LAST_BPM, "X"] - right[1][LAST_BPM, "X"]
    assert moved == pytest.approx(0.3 * (-3.0 - 2.0))


def test_two_hidden_faults_leave_the_readback_alone() -> None:
    machine = StandIn()
    machine.faults.give(f"reversed {CORRECTOR} at 0")
    machine.faults.give(f"shorted-turn {CORRECTOR} share=0.5 at 0")
    read, right = machine.step(0), StandIn().step(0)
    assert read[CURRENT] == pytest.approx(2.0, abs=0.1)
    assert read[LAST_BPM, "X"] - right[LAST_BPM, "X"] == pytest.approx(0.3 * (-1.0 - 2.0))


def test_orders_are_cleared_by_number_element_and_all() -> None:
    machine = StandIn()
    faults = machine.faults
    for text in (f"freeze {BPM}", f"trip {CORRECTOR}", f"drift {BPM}", f"laser-drop {LASER}"):
        faults.give(text)
    run(machine, range(3))
    faults.give("clear 1")
    run(machine, range(3, 5))
    assert [each.number for each in faults.standing] == [2, 3, 4]
    faults.give(f"clear {BPM}")
    run(machine, range(5, 7))
    assert [each.number for each in faults.standing] == [2, 4]
    faults.give("clear all")
    run(machine, range(7, 9))
    assert [(each.number, each.state) for each in faults.standing] == [(2, State.LATCHED)]
    machine.settings[CORRECTOR, "RESET"] = 1.0
    machine.step(9)
    assert faults.standing == ()
    with pytest.raises(OrderError, match="no order with the number 2 stands"):
        faults.give("clear 2")
    with pytest.raises(OrderError, match=f"no order {BPM} stands"):
        faults.give(f"clear {BPM}")
    faults.give("clear all")


def test_a_reset_can_be_ordered() -> None:
    machine = StandIn()
    machine.faults.give(f"trip {CORRECTOR} at 1 for 2")
    machine.faults.give(f"reset {CORRECTOR}")
    run(machine, range(5))
    assert [each.state for each in machine.faults.standing] == [State.LATCHED]
    machine.faults.give(f"reset {LASER}")
    machine.step(5)
    assert [each.state for each in machine.faults.standing] == [State.LATCHED]
    machine.faults.give(f"reset {CORRECTOR}")
    machine.step(6)
    assert machine.faults.standing == ()


def test_a_machine_that_is_set_back_has_its_faults_ahead_again() -> None:
    machine = StandIn()
    machine.faults.give(f"stuck-setpoint {CORRECTOR} at 5")
    first = run(machine, range(10))
    assert run(machine, range(10)) == first
    assert machine.step(9) == first[9], "the last pulse again"
    run(machine, range(2))
    machine.settings[CORRECTOR, "READI"] = 1.0
    assert run(machine, range(10))[7][CURRENT] != first[7][CURRENT]


def test_what_happened_is_told() -> None:
    machine = StandIn()
    machine.faults.give(f"trip {CORRECTOR} at 3 for 2")
    machine.faults.give(f"freeze {BPM} at 4 for 1")
    run(machine, range(7))
    machine.settings[CORRECTOR, "RESET"] = 1.0
    machine.step(7)
    assert [(e.pulse, e.number, e.state) for e in machine.faults.happened] == [
        (3, 1, State.ACTING),
        (4, 2, State.ACTING),
        (5, 1, State.LATCHED),
        (5, 2, State.OVER),
        (7, 1, State.OVER),
    ]


def test_there_can_be_only_so_many() -> None:
    machine = StandIn()
    for _ in range(MOST):
        machine.faults.give(f"drift {BPM}")
    with pytest.raises(OrderError, match=f"there are {MOST} orders already; clear one"):
        machine.faults.give(f"drift {BPM}")
    machine = StandIn()
    machine.step(0)
    with pytest.raises(OrderError, match="at 0 is over; the last pulse was 0"):
        machine.faults.add(Order("drift", BPM, 0))


def test_a_fault_whose_time_passes_unseen_does_nothing() -> None:
    machine = StandIn()
    machine.faults.give(f"trip {CORRECTOR} at 5 for 3")
    machine.step(0)
    assert machine.step(20) == StandIn().step(20)
    assert machine.faults.standing == ()


ALL = (
    f"freeze {BPM}:X at 12 for 60",
    f"noise {LAST_BPM} at 5",
    f"stuck-setpoint {CORRECTOR} at 20 for 40",
    f"breakdown {GUN} chance=0.2 at 8",
    f"spikes {LAST_BPM} chance=0.3 at 8 for 50",
    f"trip {CORRECTOR} at 70 for 3",
    f"rf-jitter {GUN} at 30",
)


def disturbed() -> StandIn:
    machine = StandIn()
    for text in ALL:
        machine.faults.give(text)
    return machine


def as_bytes(readings: list[Values]) -> bytes:
    rows = [sorted((*key, value) for key, value in each.items()) for each in readings]
    return json.dumps(rows).encode()


def test_the_same_seed_and_orders_give_the_same_bytes() -> None:
    first, second = run(disturbed(), range(100)), run(disturbed(), range(100))
    assert as_bytes(first) == as_bytes(second)
    other = StandIn(seed=12)
    for text in ALL:
        other.faults.give(text)
    assert as_bytes(run(other, range(100))) != as_bytes(first)


@pytest.mark.parametrize("pulse", [1, 10, 15, 33, 71, 80])
def test_they_go_on_from_what_was_saved(pulse: int) -> None:
    machine = disturbed()
    expected = run(machine, range(100))
    begun = disturbed()
    run(begun, range(pulse))
    saved = json.loads(json.dumps(save_faults(begun.faults)))
    later = StandIn()
    later.faults = load_faults(saved, TARGETS)
    assert as_bytes(run(later, range(pulse, 100))) == as_bytes(expected[pulse:])
    added = later.faults.give(f"drift {BPM}")
    assert added is not None and added.number == len(ALL) + 1


def test_what_was_cleared_or_reset_before_it_was_saved_stays_so() -> None:
    machine = StandIn()
    machine.faults.give(f"trip {CORRECTOR} at 1 for 2")
    machine.faults.give(f"freeze {BPM} at 1")
    run(machine, range(5))
    machine.faults.give("clear 2")
    machine.faults.give(f"reset {CORRECTOR}")
    later = StandIn()
    later.faults = load_faults(json.loads(json.dumps(save_faults(machine.faults))), TARGETS)
    assert len(later.faults.standing) == 2
    later.step(5)
    assert later.faults.standing == ()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (None, "these are no saved faults: all"),
        ({}, "these are no saved faults: pulse"),
        ({"pulse": -2, "next": 1, "orders": []}, "these are no saved faults: pulse"),
        ({"pulse": 0, "next": 1, "orders": [{}]}, "orders.0.number"),
    ],
)
def test_what_was_not_saved_is_refused(wrong: object, said: str) -> None:
    with pytest.raises(UserError) as caught:
        load_faults(wrong, TARGETS)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_saved_orders_of_another_machine_are_refused() -> None:
    saved = save_faults(disturbed().faults)
    saved["orders"][0]["order"] = "trip CLA-S09-MAG-HCOR-01"
    with pytest.raises(UserError, match="there is no element CLA-S09-MAG-HCOR-01"):
        load_faults(saved, TARGETS)


def test_iocs_are_stopped_slowed_and_brought_back() -> None:
    machine = StandIn()
    machine.faults.give(f"dead-ioc {IOC} at 2 for 6")
    machine.faults.give(f"dead-ioc {IOC} at 4 for 8")
    machine.faults.give(f"slow-ioc {IOC} delay=200 at 3 for 2")
    machine.faults.give(f"slow-ioc {IOC} delay=100 at 3 for 6")
    owner = machine.owner
    seen: list[tuple[bool, float]] = []
    for pulse in range(14):
        readings = machine.step(pulse)
        assert ((BPM, "X") in readings) == (IOC not in owner.stopped)
        seen.append((IOC in owner.stopped, owner.delays.get(IOC, 0.0)))
    assert [dead for dead, _ in seen] == [2 <= pulse < 12 for pulse in range(14)]
    assert [delay for _, delay in seen] == [0.0] * 3 + [0.2] * 2 + [0.1] * 4 + [0.0] * 5


def test_what_could_not_be_carried_out_is_told_and_tried_again() -> None:
    class Refusing(Owner):
        refuses = True

        def stop(self, ioc: str) -> None:
            if self.refuses:
                raise EngineError("the engine is busy")
            super().stop(ioc)

    owner = Refusing()
    iocs = IocFaults(owner)
    wanted = {IOC: IocCondition(dead=True, delay_s=1.0)}
    assert iocs.carry_out(wanted) == [f"{IOC}: the engine is busy"]
    assert owner.stopped == set()
    owner.refuses = False
    assert iocs.carry_out(wanted) == []
    assert owner.stopped == {IOC} and owner.delays == {IOC: 1.0}
    assert iocs.carry_out(wanted) == []
    assert iocs.carry_out({}) == []
    assert owner.stopped == set() and owner.delays == {IOC: 0.0}
