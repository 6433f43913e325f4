"""The lines of a lattice as a model goes along them: drifts, elements, and where it looks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from linacre.accelerator.lattice.elements import (
    AnyElement,
    Cavity,
    Corrector,
    Dipole,
    Quadrupole,
    Solenoid,
)
from linacre.accelerator.lattice.lattice import Lattice, Placed
from linacre.accelerator.lattice.survey import Line, Step

ACTIVE = Quadrupole | Dipole | Corrector | Solenoid | Cavity
"""Elements with a field; every other is a length without one."""


@dataclass(frozen=True)
class Coiled:
    """A solenoid around a cavity, from the cavity's start."""

    element: Placed
    magnet: str
    start_m: float
    end_m: float


@dataclass(frozen=True)
class Passing:
    """An element on the way, behind a length without field."""

    element: Placed
    lead_m: float
    body_m: float
    """From its start to where the beam is looked at; 0 where that is a part of the lead."""
    at_entrance: bool
    """Whether its opening is looked at where it begins as well."""
    run: tuple[str, int] = ("", 0)
    """The line, and how many cavities there are on it before: what is reached at one momentum."""
    bends: bool = False
    branch: str | None = None
    """The line that leaves here."""
    coils: tuple[Coiled, ...] = ()

    @property
    def index(self) -> int:
        """The place of the element in the lattice."""
        return self.element.index

    @property
    def data(self) -> AnyElement:
        """What the file says of the element."""
        return self.element.data


def passings(lattice: Lattice) -> dict[str, tuple[Passing, ...]]:
    """Return for each line what a beam comes to, behind the gun or the dipole that it leaves."""
    return {name: tuple(_along(lattice, line)) for name, line in lattice.lines.items()}


def _along(lattice: Lattice, line: Line) -> Iterator[Passing]:
    branches = {each.at: name for name, each in lattice.lines.items() if each.parent == line.name}
    steps = [*line.steps]
    here = line.begin_m
    if line.parent is None:
        here = steps.pop(0).end_m
    coils, cavities = _coils(lattice, steps), 0
    for step in steps:
        element = lattice[step.element]
        data = element.data
        if isinstance(data, Solenoid) and data.around is not None:
            continue
        inside = tuple(
            Coiled(each, magnet, at.start_m - step.start_m, at.end_m - step.start_m)
            for each, magnet, at in coils.get(step.element, ())
        )
        active = isinstance(data, ACTIVE)
        looked_at = element.seen_m
        long = step.length_m > 0 and looked_at == step.end_m
        at_entrance = long and (data.aperture is not None or bool(inside))
        whole = active or at_entrance
        begins = step.start_m if whole else looked_at
        yield Passing(
            element,
            lead_m=begins - here,
            body_m=looked_at - begins,
            at_entrance=at_entrance,
            run=(line.name, cavities),
            bends=step.bends,
            branch=branches.get(step.element),
            coils=inside,
        )
        cavities += isinstance(data, Cavity)
        here = looked_at


def _coils(lattice: Lattice, steps: list[Step]) -> dict[str, list[tuple[Placed, str, Step]]]:
    """Return the solenoids that stand around each cavity, with the magnets that they are."""
    found: dict[str, list[tuple[Placed, str, Step]]] = {}
    for step in steps:
        element = lattice[step.element]
        if isinstance(data := element.data, Solenoid) and data.around is not None:
            entry = (element, data.magnet or element.name, step)
            found.setdefault(data.around, []).append(entry)
    return found
