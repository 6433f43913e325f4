"""A lattice that was read and found right: its elements, its lines, its magnets."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from linacre.accelerator.lattice.devices import Devices, devices_of_element
from linacre.accelerator.lattice.elements import (
    AnyElement,
    Bpm,
    Cavity,
    ChargeMonitor,
    Dipole,
    Gun,
    Quadrupole,
    Solenoid,
)
from linacre.accelerator.lattice.file import LATTICE_FILE, MOST_ELEMENTS, LatticeFile
from linacre.accelerator.lattice.floor import Pose
from linacre.accelerator.lattice.survey import Line, Step, Survey
from linacre.accelerator.lattice.values import Aperture
from linacre.base.errors import UserError
from linacre.documents.document import Lines, Problem
from linacre.documents.quoting import nearest
from linacre.documents.reading import load_error
from linacre.physics.magnets import Magnet
from linacre.physics.numbers import FloatArray


@dataclass(frozen=True)
class Placed:
    """An element where it stands."""

    name: str
    index: int
    """Its place among the elements of the lattice."""
    section: str
    data: AnyElement
    aperture: Aperture
    """Its own, or its section's."""
    step: Step
    """Where it is on its line; a dipole at which lines part, on the one that is left."""

    @cached_property
    def devices(self) -> tuple[str, ...]:
        """The names that its devices' PVs begin with."""
        return tuple(each.name for each in devices_of_element(self.name, self.data))

    @property
    def middle_m(self) -> float:
        """Its middle along the line, from the cathode."""
        return self.step.start_m + self.step.length_m / 2

    @property
    def seen_m(self) -> float:
        """Where a model tells the beam at it: in the middle of a monitor, else at its end."""
        return self.middle_m if isinstance(self.data, Bpm | ChargeMonitor) else self.step.end_m

    @property
    def seen(self) -> Pose:
        """The same place on the floor."""
        length = self.seen_m - self.step.start_m
        angle = self.data.angle_rad if isinstance(self.data, Dipole) and self.step.bends else 0.0
        return self.step.pose.bent(length, angle)


@dataclass(frozen=True)
class Lattice:
    """Elements by their index: the trunk's in the order of the beam, then each branch's."""

    file: Path
    data: LatticeFile
    elements: tuple[Placed, ...]
    lines: Mapping[str, Line]
    """By the name of their first section; the trunk is the first."""
    magnets: Mapping[str, Magnet]
    """By the name of the device."""
    _lines_of_text: Lines

    def __getitem__(self, name: str) -> Placed:
        """Return an element; raises `UserError` for a name that the lattice has not."""
        if name in self._by_name:
            return self._by_name[name]
        near = nearest(name, (each.lower() for each in self._by_name))
        advice = f"; the nearest is {near.upper()}" if near else ""
        raise UserError(f"{self.file.name} has no element {name}{advice}")

    def __iter__(self) -> Iterator[Placed]:
        return iter(self.elements)

    @cached_property
    def _by_name(self) -> dict[str, Placed]:
        return {each.name: each for each in self.elements}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the elements, by index."""
        return tuple(each.name for each in self.elements)

    @cached_property
    def s_m(self) -> FloatArray:
        """Where a model tells the beam at each element, along its way from the cathode."""
        return np.array([each.seen_m for each in self.elements])

    @cached_property
    def floor_m(self) -> FloatArray:
        """The same places on the floor, x and z: of shape (n, 2)."""
        return np.array([(each.seen.x_m, each.seen.z_m) for each in self.elements])

    @cached_property
    def design_momenta(self) -> Mapping[str, float]:
        """The momentum in MeV/c behind each element, with the powers and phases of the file."""
        return design_momenta(_elements(self.data), self.lines)

    @property
    def gun(self) -> Placed:
        """The element in which the beam begins."""
        return self.elements[0]

    def where(self, name: str) -> str:
        """Return the place of an element in the file, as FILE:LINE."""
        at = self._lines_of_text.at(("sections", self[name].section, "elements", name))
        return f"{self.file}:{at}"


def load_lattice(file: Path, *, known: Collection[str] | None = None) -> Lattice:
    """Read a lattice file; raises `LoadError` with a line for every problem found.

    `known` are the names that PVs of a facility begin with: a device that is none of them is a
    problem then.
    """
    data, lines = LATTICE_FILE.read(file)
    count = sum(len(section.elements) for section in data.sections.values())
    if count > MOST_ELEMENTS:
        message = f"{count} elements in all; write at most {MOST_ELEMENTS}"
        raise load_error(file, lines, [Problem(("sections",), message)])
    survey = Survey(data)
    devices = Devices(data, file.absolute().parent, known)
    problems = [*_of_gun(data), *survey.problems, *devices.problems]
    if not problems:
        _check_design(data, survey, devices)
        problems = devices.problems
    if problems:
        raise load_error(file, lines, problems)
    return Lattice(file, data, tuple(_placed(data, survey)), survey.lines, devices.magnets, lines)


def _of_gun(data: LatticeFile) -> Iterator[Problem]:
    guns = [
        (section, name, place)
        for section, contents in data.sections.items()
        for place, (name, element) in enumerate(contents.elements.items())
        if isinstance(element, Gun)
    ]
    first, section = next(iter(data.sections.items()))
    if not guns:
        yield Problem(("sections", first), "has no gun; write one as its first element")
    for number, (where, name, place) in enumerate(guns):
        path = ("sections", where, "elements", name)
        if number:
            yield Problem(path, "a second gun; a beam begins in one")
        elif where != first or place:
            yield Problem(path, "the gun comes first; write it before all other elements")
    if section.branch is not None:
        yield Problem(("sections", first, "branch"), "the first section leaves no other; remove it")


def _check_design(data: LatticeFile, survey: Survey, devices: Devices) -> None:
    """Check that every magnet can give its design's K to a beam of the design's momentum."""
    sections, elements = _sections(data), _elements(data)
    for name, momentum in design_momenta(elements, survey.lines).items():
        element = elements[name]
        path = ("sections", sections[name], "elements", name)
        match element:
            case Quadrupole() | Dipole():
                magnet = element.magnet or name
                starts = partial(devices.current_of_k, magnet, element.design_k, momentum)
                devices.check_start((*path, "design_k"), starts, magnet)
            case Solenoid():
                starts = partial(float, element.current_a)
                devices.check_start((*path, "current_a"), starts, element.magnet or name)
            case _:
                pass


def design_momenta(
    elements: Mapping[str, AnyElement], lines: Mapping[str, Line]
) -> dict[str, float]:
    """Return the momentum in MeV/c behind each element, with the powers and phases of the file."""
    found: dict[str, float] = {}
    for line in lines.values():
        momentum = 0.0 if line.at is None else found[line.at]
        for step in line.steps:
            element = elements[step.element]
            if isinstance(element, Gun | Cavity):
                gain = element.momenta.gain_mev_c(element.power_mw)
                momentum += gain * math.cos(math.radians(element.phase_deg))
            found[step.element] = momentum
    return found


def _sections(data: LatticeFile) -> dict[str, str]:
    return {name: key for key, section in data.sections.items() for name in section.elements}


def _elements(data: LatticeFile) -> dict[str, AnyElement]:
    return {
        name: element
        for section in data.sections.values()
        for name, element in section.elements.items()
    }


def _placed(data: LatticeFile, survey: Survey) -> Iterator[Placed]:
    sections, elements = _sections(data), _elements(data)
    steps = [step for line in survey.lines.values() for step in line.steps]
    for index, step in enumerate(steps):
        name = step.element
        section, element = sections[name], elements[name]
        aperture = element.aperture or data.sections[section].aperture
        yield Placed(name, index, section, element, aperture, step)
