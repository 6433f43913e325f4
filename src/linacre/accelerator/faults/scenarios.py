"""Training scenarios: chains of faults, and what a trainee must find."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import Field

from linacre.accelerator.faults.orders import Order, OrderError, parse_order
from linacre.accelerator.faults.targets import Targets
from linacre.accelerator.faults.texts import ScenarioName, Words
from linacre.base.errors import UserError
from linacre.documents.document import Key, Problem
from linacre.documents.models import ModelFile
from linacre.documents.quoting import nearest, quoted
from linacre.documents.reading import load_error
from linacre.physics.curves import Part

MOST_ORDERS = 50
_LARGEST = 1 << 20
_START = -1


class FindData(Part):
    """Something that a trainee must find."""

    fault: str = Field(description="The kind of fault.")
    element: str = Field(description="The element that has it.")
    by: Words = Field(description="How it can be told.")


class ScenarioData(Part):
    """A scenario as it is written."""

    title: Words
    told: Words = Field(description="What the trainee is told.")
    pulses: int = Field(ge=1, le=10**7, description="How long it lasts.")
    orders: tuple[str, ...] = Field(
        min_length=1, max_length=MOST_ORDERS, description="Faults; `at` counts from its start."
    )
    find: tuple[FindData, ...] = Field(min_length=1, max_length=MOST_ORDERS)
    mend: Words = Field(description="How the machine is put right.")


class ScenariosFile(Part):
    """A file of scenarios."""

    scenarios: dict[ScenarioName, ScenarioData] = Field(min_length=1, max_length=500)


@dataclass(frozen=True)
class Verdict:
    """What a trainee's answers are worth; each a fault and its element."""

    right: tuple[tuple[str, str], ...]
    missed: tuple[tuple[str, str], ...]
    wrong: tuple[tuple[str, str], ...]

    @property
    def passed(self) -> bool:
        """Whether all was found, and nothing else said."""
        return not self.missed and not self.wrong


@dataclass(frozen=True)
class Scenario:
    """A scenario whose faults are known to be right."""

    name: str
    data: ScenarioData
    orders: tuple[Order, ...]
    """With pulses from the start of the scenario, which is 0."""

    def starting(self, pulse: int) -> tuple[Order, ...]:
        """Return its orders for a start at a pulse."""
        return tuple(replace(each, at=each.at + pulse) for each in self.orders)

    def judge(self, answers: Iterable[str], targets: Targets) -> Verdict:
        """Hold answers such as `trip CLA-S02-MAG-QUAD-01` against what must be found.

        What is true and need not be found is neither right nor wrong. Raises `OrderError`.
        """
        said = {_which(parse_order(each, targets=targets, now=_START)) for each in answers}
        wanted = [(each.fault, each.element) for each in self.data.find]
        there = {_which(each) for each in self.orders}
        return Verdict(
            right=tuple(each for each in wanted if each in said),
            missed=tuple(each for each in wanted if each not in said),
            wrong=tuple(sorted(said - there)),
        )


@dataclass(frozen=True)
class Scenarios:
    """The scenarios of a file by their names, in its order."""

    file: Path
    by_name: Mapping[str, Scenario]

    def __getitem__(self, name: str) -> Scenario:
        """Return a scenario; raises `UserError` for a name that the file has not."""
        if name in self.by_name:
            return self.by_name[name]
        near = nearest(name, self.by_name)
        advice = f"the nearest is {near}" if near else f"there are: {', '.join(self.by_name)}"
        raise UserError(f"there is no scenario {quoted(name)} in {self.file.name}; {advice}")

    def listing(self) -> list[tuple[str, str, int, int]]:
        """Return name, title, how many faults there are to find, and how many pulses it lasts."""
        return [
            (name, each.data.title, len(each.data.find), each.data.pulses)
            for name, each in self.by_name.items()
        ]


_FILE = ModelFile(
    model=ScenariosFile, kind="a file of scenarios", usual="scenarios.yaml", largest=_LARGEST
)


def load_scenarios(file: Path, targets: Targets) -> Scenarios:
    """Read scenarios for a machine; raises `LoadError` with a line for every problem found."""
    found, lines = _FILE.read(file)
    problems: list[Problem] = []
    by_name: dict[str, Scenario] = {}
    for name, data in found.scenarios.items():
        scenario = Scenario(name, data, tuple(_orders(name, data, targets, problems)))
        by_name[name] = scenario
        problems += _unfound(scenario)
    if problems:
        raise load_error(file, lines, problems)
    return Scenarios(file, by_name)


def _orders(
    name: str, data: ScenarioData, targets: Targets, problems: list[Problem]
) -> Iterator[Order]:
    for number, text in enumerate(data.orders):
        path: tuple[Key, ...] = ("scenarios", name, "orders", number)
        try:
            order = parse_order(text, targets=targets, now=_START)
        except OrderError as error:
            problems.append(Problem(path, str(error)))
            continue
        if order.at >= data.pulses:
            message = f"it begins at {order.at}, behind the end of the scenario at {data.pulses}"
            problems.append(Problem(path, message))
        yield order


def _unfound(scenario: Scenario) -> Iterator[Problem]:
    """Yield what is to be found and is not there, or is twice."""
    there = {_which(each) for each in scenario.orders}
    seen: set[tuple[str, str]] = set()
    for number, each in enumerate(scenario.data.find):
        path: tuple[Key, ...] = ("scenarios", scenario.name, "find", number)
        which = (each.fault, each.element)
        if which in seen:
            yield Problem(path, f"{each.fault} of {each.element} is to be found twice; keep one")
        elif which not in there and len(scenario.orders) == len(scenario.data.orders):
            what = f"{quoted(each.fault)} of {quoted(each.element)}"
            yield Problem(path, f"none of the orders is {what}; write one that is")
        seen.add(which)


def _which(order: Order) -> tuple[str, str]:
    return order.fault, order.target
