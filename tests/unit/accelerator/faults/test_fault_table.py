"""Every fault by its table: the symptom, the end and the recovery are those that it states."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import pytest
from standin import BY_KIND, IOC, SERVED, TARGETS, WRITTEN, StandIn

from linacre.accelerator.faults.kinds import FaultKind
from linacre.accelerator.faults.symptoms import Change, Symptom, Where
from linacre.accelerator.faults.table import FAULTS
from linacre.accelerator.faults.targets import Key, Target, TargetKind, Values

START, PULSES, LAST = 60, 60, 160
WRITE, RESET = 75, 140
STRONGER = {
    ("breakdown", TargetKind.RF): "chance=0.1",
    ("leak", TargetKind.GAUGE): "rate=1e-10",
    ("drift", TargetKind.CHARGE): "rate=0.05",
    ("drift", TargetKind.RF): "rate=0.01",
    ("noise", TargetKind.CHARGE): "rms=3",
    ("spikes", TargetKind.CHARGE): "height=20",
}
"""Where the usual parameters are for instruments that are less noisy."""
CASES = [(kind, target) for kind in FAULTS.values() for target in kind.targets]


@lru_cache
def played(
    order: str, written: str, reset: tuple[Key, float] | None
) -> tuple[StandIn, list[Values]]:
    """Return a machine that was run, and its readings.

    At WRITE the set points of an element are written, and a reset, which is written at RESET again.
    """
    machine = StandIn()
    if order:
        machine.faults.give(order)
    readings: list[Values] = []
    for pulse in range(LAST):
        if written and pulse == WRITE:
            for quantity, value in WRITTEN[TARGETS[written].kind].items():
                machine.settings[written, quantity] = value
        if reset is not None:
            machine.settings.pop(reset[0], None)
            if pulse in (WRITE, RESET):
                machine.settings[reset[0]] = reset[1]
        readings.append(machine.step(pulse))
    return machine, readings


def places(symptom: Symptom, target: Target) -> Iterator[Key]:
    """Yield the readings that a symptom is of."""
    for each in TARGETS.values():
        if _is_at(each, symptom.where, target):
            chosen = {"*": each.main, "acting": each.acting, "orbit": ("X", "Y")}
            for quantity in chosen.get(symptom.quantity, (symptom.quantity,)):
                if quantity in each.readings:
                    yield each.name, quantity


def _is_at(each: Target, where: Where, target: Target) -> bool:
    if where is Where.TARGET:
        served = SERVED[IOC] if target.kind is TargetKind.IOC else ()
        return each is target or each.name in served
    if each.z_m is None or target.z_m is None:
        return False
    return each.z_m > target.z_m if where is Where.BEHIND else each.z_m < target.z_m


def seen(symptom: Symptom, target: Target, before: list[Values], during: list[Values]) -> bool:
    """Tell whether a symptom shows: the orbit's at some BPM, others wherever they are said."""
    found = [
        symptom.change.seen([each.get(key) for each in before], [each.get(key) for each in during])
        for key in places(symptom, target)
    ]
    return any(found) if symptom.quantity == "orbit" else all(found)


@pytest.mark.parametrize(
    ("kind", "of"), CASES, ids=[f"{kind.name}-{of}".replace(" ", "-") for kind, of in CASES]
)
def test_symptom_end_and_recovery(kind: FaultKind, of: TargetKind) -> None:
    target = BY_KIND[of]
    given = STRONGER.get((kind.name, of), "")
    order = f"{kind.name} {target.name} {given} at {START} for {PULSES}"
    written = target.name if kind.when_written else ""
    reset = ((target.name, kind.reset.quantity), kind.reset.value) if kind.reset else None
    machine, faulty = played(order, written, reset)
    # A reset does nothing to a machine in order.
    _, well = played("", written, None)
    assert faulty[:START] == well[:START], "it shows before its time"

    first = WRITE if kind.when_written else START
    before, during, healthy = faulty[:START], *(
        each[first : START + PULSES] for each in (faulty, well)
    )  # fmt: skip
    expected = [each for each in kind.symptoms if not each.only or of in each.only]
    assert expected, "it has no symptom"
    for symptom in expected:
        if symptom.change is Change.LATE:
            assert [*machine.owner.delays] == [IOC]
            continue
        assert seen(symptom, target, before, during), symptom.words
        if symptom.change is not Change.SAME or kind.when_written:
            assert not seen(symptom, target, before, healthy), f"{symptom.words}: without it too"

    over = START + PULSES
    if kind.reset is not None:
        assert all(a != b for a, b in zip(faulty[over:RESET], well[over:RESET], strict=True))
        over = RESET
    assert faulty[over:] == well[over:], "it is not as before"
    assert machine.faults.standing == ()
    assert machine.owner.stopped == set()
    assert set(machine.owner.delays.values()) <= {0.0}


def test_there_are_at_least_twenty_and_every_element_has_some() -> None:
    assert len(FAULTS) >= 20
    assert {target for kind in FAULTS.values() for target in kind.targets} == set(TargetKind)


@pytest.mark.parametrize("kind", FAULTS.values(), ids=[*FAULTS])
def test_the_table_is_whole(kind: FaultKind) -> None:
    assert kind.about.endswith(".") and kind.finds and kind.recovery
    for parameter in kind.parameters:
        assert parameter.low <= parameter.default <= parameter.high
        assert parameter.read(f"{parameter.default!r}{parameter.unit}") == parameter.default
    for symptom in kind.symptoms:
        assert set(symptom.only) <= set(kind.targets)
