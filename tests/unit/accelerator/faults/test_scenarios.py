"""Training scenarios: those of the example, and what is wrong in a file by its line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from linacre.accelerator.faults.elements import load_targets
from linacre.accelerator.faults.orders import OrderError
from linacre.accelerator.faults.scenarios import Scenario, Scenarios, load_scenarios
from linacre.accelerator.faults.standing import Faults
from linacre.accelerator.faults.targets import TargetKind, Targets
from linacre.accelerator.shots import Shot
from linacre.base.errors import UserError
from linacre.documents.reading import LoadError

EXAMPLE = Path(__file__).parents[4] / "examples/clara"
TRAINING = EXAMPLE / "training"


@pytest.fixture(scope="module")
def targets() -> Targets:
    return load_targets(TRAINING / "elements.yaml")


@pytest.fixture(scope="module")
def scenarios(targets: Targets) -> Scenarios:
    return load_scenarios(TRAINING / "scenarios.yaml", targets)


NAMES = [*yaml.safe_load((TRAINING / "scenarios.yaml").read_text())["scenarios"]]


def test_the_example_lists_its_iocs_and_elements(targets: Targets) -> None:
    facility = yaml.safe_load((EXAMPLE / "facility.yaml").read_text())
    named = {name for name, each in targets.items() if each.kind is TargetKind.IOC}
    assert named == set(facility["iocs"])
    files = [*EXAMPLE.glob("iocs/**/*"), EXAMPLE / "facility.yaml"]
    served = "\n".join(each.read_text(errors="replace") for each in files if each.is_file())
    # A collimator has no PV.
    named = {name for name, each in targets.items() if each.kind is not TargetKind.COLLIMATOR}
    assert [name for name in named if name not in served] == []


@pytest.mark.parametrize("name", NAMES)
def test_each_scenario_runs_from_any_pulse(
    name: str, scenarios: Scenarios, targets: Targets
) -> None:
    scenario = scenarios[name]
    faults = Faults(targets)
    for order in scenario.starting(1000):
        faults.add(order)
    acted: set[tuple[str, str]] = set()
    for pulse in range(990, 1000 + scenario.data.pulses, 5):
        shot = Shot(1, pulse)
        faults.readings(faults.settings({}, shot), shot)
        acted |= {(e.order.fault, e.order.target) for e in faults.standing if e.acts}
        assert acted == set() or pulse >= 1000
    assert {(each.fault, each.element) for each in scenario.data.find} <= acted


def test_answers_are_judged(scenarios: Scenarios, targets: Targets) -> None:
    scenario = scenarios["creeping-energy"]
    verdict = scenario.judge(["water-drift CLA-GUN-RF-LRRG-01"], targets)
    assert verdict.passed and verdict.right == (("water-drift", "CLA-GUN-RF-LRRG-01"),)
    true_beside = [*(each.text for each in scenario.orders)]
    assert scenario.judge(true_beside, targets).passed
    wrong = scenario.judge(["phase-drift CLA-L01-RF-CTRL-01"], targets)
    assert not wrong.passed
    assert wrong.missed == (("water-drift", "CLA-GUN-RF-LRRG-01"),)
    assert wrong.wrong == (("phase-drift", "CLA-L01-RF-CTRL-01"),)
    with pytest.raises(OrderError, match="there is no fault water"):
        scenario.judge(["water CLA-GUN-RF-LRRG-01"], targets)


def test_they_are_listed_and_named(scenarios: Scenarios) -> None:
    rows = scenarios.listing()
    assert [row[0] for row in rows] == NAMES
    assert ("low-charge", "Less charge than yesterday", 2, 18000) in rows
    with pytest.raises(UserError, match=r"there is no scenario low-chrage in scenarios\.yaml; the"):
        scenarios["low-chrage"]


GOOD = """\
scenarios:
  one:
    title: One
    told: Something is wrong.
    pulses: 100
    orders:
      - trip CLA-S02-MAG-QUAD-01 at 5
    find:
      - {fault: trip, element: CLA-S02-MAG-QUAD-01, by: It is off.}
    mend: Reset it.
"""


def said(tmp_path: Path, targets: Targets, text: str) -> list[str]:
    file = tmp_path / "scenarios.yaml"
    file.write_text(text)
    with pytest.raises(LoadError) as caught:
        load_scenarios(file, targets)
    return [line.removeprefix(f"{file}") for line in caught.value.lines]


def test_a_good_file_is_read(tmp_path: Path, targets: Targets) -> None:
    file = tmp_path / "scenarios.yaml"
    file.write_text(GOOD)
    found = load_scenarios(file, targets)["one"]
    assert isinstance(found, Scenario)
    assert found.starting(50)[0].at == 55


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("at 5", "at 100", ":7: scenarios.one.orders[0]: it begins at 100, behind the end"),
        ("trip CLA", "tripp CLA", ":7: scenarios.one.orders[0]: there is no fault tripp; the near"),
        ("QUAD-01 at", "QUAD-09 at", ":7: scenarios.one.orders[0]: there is no element CLA-S02"),
        ("trip CLA-S02-MAG-QUAD-01 at 5", "clear all", ":7: scenarios.one.orders[0]: clear orders"),
        ("fault: trip", "fault: ripple", ":9: scenarios.one.find[0]: none of the orders is ripple"),
        ("pulses: 100", "pulses: 0", ":5: scenarios.one.pulses: 0 is below 1"),
        ("pulses: 100", "pulses: many", ":5: scenarios.one.pulses: many is not a whole number"),
        ("told: Something is wrong.", "told: ''", ":4: scenarios.one.told: write plain text"),
        ("    mend: Reset it.\n", "", ":2: scenarios.one.mend: missing; write it"),
        ("    mend: Reset", "    mends: x\n    mend: Reset", ":10: scenarios.one.mends: unknown"),
        ("  one:", "  One of all:", ":2: scenarios.One of all"),
        ("scenarios:", "scenario:", ":1: scenario"),
    ],
)  # fmt: skip
def test_what_is_wrong_has_its_line(
    tmp_path: Path, targets: Targets, old: str, new: str, line: str
) -> None:
    lines = said(tmp_path, targets, GOOD.replace(old, new))
    assert any(each.startswith(line) for each in lines), lines


def test_what_is_to_be_found_twice_is_told(tmp_path: Path, targets: Targets) -> None:
    find = "      - {fault: trip, element: CLA-S02-MAG-QUAD-01, by: It is off.}\n"
    [line] = said(tmp_path, targets, GOOD.replace(find, find * 2))
    assert "trip of CLA-S02-MAG-QUAD-01 is to be found twice; keep one" in line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("elements: {A: {kind: magnett}}", "elements.A.kind: magnett is none of these"),
        ("elements: {A: {kind: cavity water}}", "elements.A.feeds: it is no RF station"),
        ("elements: {A: {kind: cavity water, feeds: B}}", "elements.A.feeds: B is no RF station"),
        ("elements: {A: {kind: BPM, feeds: B}}", "elements.A.feeds: only cavity water feeds"),
        ("elements: {A: {kind: BPM, z_m: .inf}}", "elements.A.z_m"),
        ("elements: {'a b': {kind: BPM}}", "'a b' is no name that PVs begin with"),
        ("elements: {}", "elements: too short"),
    ],
)
def test_wrong_elements_have_their_line(tmp_path: Path, text: str, line: str) -> None:
    file = tmp_path / "elements.yaml"
    file.write_text(text)
    with pytest.raises(LoadError) as caught:
        load_targets(file)
    assert any(line in each for each in caught.value.lines), caught.value.lines
