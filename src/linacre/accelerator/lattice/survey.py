"""From written places to the way of the beam: how far along its line each element is.

What does not add up becomes a problem: elements that overlap, stand beside the orbit or beyond the
end of their section, places that do not fit a length, branches from what is no dipole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from linacre.accelerator.lattice.elements import AnyElement, Cavity, Dipole, Solenoid
from linacre.accelerator.lattice.file import Branch, LatticeFile, Section, Way
from linacre.accelerator.lattice.floor import Pose, straight_through
from linacre.accelerator.lattice.values import Place
from linacre.documents.document import Key, Problem

TOLERANCE_M = 2e-4
"""How far places may be from each other that are one: what tables were rounded to, twice."""


@dataclass(frozen=True)
class Step:
    """An element on a line."""

    element: str
    start_m: float
    """Along the line, from the cathode."""
    length_m: float
    pose: Pose
    """At its start."""
    bends: bool = False

    @property
    def end_m(self) -> float:
        """Where the line goes on, along it."""
        return self.start_m + self.length_m


@dataclass
class Line:
    """A way that a beam may go, from where it leaves another."""

    name: str
    """That of its first section."""
    parent: str | None = None
    at: str | None = None
    """The dipole of the parent at which it begins."""
    begin_m: float = 0.0
    """Along the way from the cathode, as all that is along a line."""
    end_m: float = 0.0
    steps: list[Step] = field(default_factory=list[Step])

    def step(self, element: str) -> Step:
        """Return the step of an element that is on this line."""
        return next(each for each in self.steps if each.element == element)


@dataclass
class _Walk:
    """Where a walk along a line has come to."""

    line: Line
    pose: Pose
    """Where the last straight line began."""
    begun_m: float
    """How far along the line that is."""
    reached_m: float
    last: str
    cavities: dict[str, Step] = field(default_factory=dict[str, Step])
    coiled_m: dict[str, float] = field(default_factory=dict[str, float])
    """Where the last solenoid around each cavity ends."""

    def turn(self, step: Step, angle_rad: float) -> None:
        self.pose = step.pose.bent(step.length_m, angle_rad)
        self.begun_m = step.end_m


class Survey:
    """The lines of a lattice file, and what in it does not add up."""

    def __init__(self, file: LatticeFile) -> None:
        self.problems: list[Problem] = []
        self.lines: dict[str, Line] = {}
        self._section_of: dict[str, str] = {}
        self._elements: dict[str, AnyElement] = {}
        self._order = [*file.sections]
        for name, section in file.sections.items():
            for element, data in section.elements.items():
                self._enter(name, element, data)
        branches = {name: each.branch for name, each in file.sections.items() if each.branch}
        self._straight = {each.at for each in branches.values() if each.way is Way.BENT}
        # Without the right branches, nothing that stands behind them is where it should be.
        self._check(branches)
        if not self.problems:
            self._walk(file.sections)

    def _enter(self, section: str, element: str, data: AnyElement) -> None:
        if element in self._section_of:
            first = self._section_of[element]
            message = f"there is one of this name in section {first}; rename or remove one"
            self._note((*_key(section, element),), message)
        else:
            self._section_of[element] = section
            self._elements[element] = data

    def _check(self, branches: Mapping[str, Branch]) -> None:
        """Check that each line leaves another at a dipole of its own, written before."""
        order = {name: place for place, name in enumerate(self._order)}
        left: set[str] = set()
        for name, branch in branches.items():
            path, at = ("sections", name, "branch", "at"), branch.at
            dipole, there = self._elements.get(at), self._section_of.get(at, name)
            if not isinstance(dipole, Dipole) or order[there] >= order[name]:
                message = f"{at} is no dipole that is written before; write the name of one"
                self._note(path, message)
            elif at in left:
                message = f"another line leaves at {at} already; write another dipole"
                self._note(path, message)
            left.add(at)

    def _walk(self, sections: Mapping[str, Section]) -> None:
        here = _Walk(Line(""), Pose(), 0.0, 0.0, "the origin")
        for name, section in sections.items():
            if section.branch is not None:
                found = self._leave(name, section.branch)
                if found is None:
                    return
                here = found
            here.line.name = here.line.name or name
            self.lines[here.line.name] = here.line
            for element, data in section.elements.items():
                if self._section_of[element] == name:
                    self._place(here, name, element, data)
            self._end(here, name, section.end_m)

    def _leave(self, name: str, branch: Branch) -> _Walk | None:
        """Begin a line where another is left; None where the dipole could not be placed."""
        found = next(
            (
                (line, step)
                for line in self.lines.values()
                for step in line.steps
                if step.element == branch.at
            ),
            None,
        )
        dipole = self._elements[branch.at]
        if found is None or not isinstance(dipole, Dipole):
            return None
        parent, there = found
        if there.bends:
            length = straight_through(dipole.length_m, dipole.angle_rad)
            pose = there.pose.ahead(length)
        else:
            length = dipole.length_m
            pose = there.pose.bent(length, dipole.angle_rad)
        behind = there.start_m + length
        line = Line(name, parent.name, branch.at, behind)
        return _Walk(line, pose, behind, behind, branch.at)

    def _place(self, here: _Walk, section: str, element: str, data: AnyElement) -> None:
        path = _key(section, element)
        (key, start), *others = self._starts(here, data).items()
        if abs(start[1]) > TOLERANCE_M:
            self._note((*path, key), f"stands {_told(start[1])} beside the orbit; correct it")
            return
        for other, place in others:
            apart = max(abs(place[0] - start[0]), abs(place[1] - start[1]))
            if apart > TOLERANCE_M:
                message = f"does not fit {key} and length_m by {_told(apart)}; correct one of them"
                self._note((*path, other), message)
        along = here.begun_m + start[0]
        around = data.around if isinstance(data, Solenoid) else None
        bends = isinstance(data, Dipole) and element not in self._straight
        length = data.length_m
        if isinstance(data, Dipole) and not bends:
            length = straight_through(length, data.angle_rad)
        step = Step(element, along, length, here.pose.ahead(start[0]), bends)
        if around is not None:
            self._nest(here, step, around, path)
        elif along < here.reached_m - TOLERANCE_M:
            message = (
                f"begins {_told(here.reached_m - along)} before {here.last} ends; move it, or "
                "write it where the beam comes to it"
            )
            self._note((*path, key), message)
        here.line.steps.append(step)
        if isinstance(data, Cavity):
            here.cavities[element] = step
        if around is None:
            here.reached_m, here.last = max(here.reached_m, step.end_m), element
        if isinstance(data, Dipole) and bends:
            here.turn(step, data.angle_rad)

    def _starts(self, here: _Walk, data: AnyElement) -> dict[str, Place]:
        """Return where an element would begin by each of its written places, along and beside."""
        found: dict[str, Place] = {}
        angle = data.angle_rad if isinstance(data, Dipole) else 0.0
        for key, (place, share) in data.places().items():
            behind = Pose().bent(share * data.length_m, share * angle)
            ahead, beside = here.pose.ray(place)
            found[key] = (ahead - behind.z_m, beside - behind.x_m)
        return found

    def _nest(self, here: _Walk, step: Step, around: str, path: tuple[Key, ...]) -> None:
        host, where = here.cavities.get(around), (*path, "around")
        if host is None:
            self._note(where, f"{around} is no cavity that is written before; write one that is")
        elif step.start_m < host.start_m - TOLERANCE_M or step.end_m > host.end_m + TOLERANCE_M:
            self._note(where, f"{around} does not reach so far; move the solenoid, or shorten it")
        elif step.start_m < here.coiled_m.get(around, host.start_m) - TOLERANCE_M:
            message = (
                f"begins before the solenoid ends that is written before around {around}; move it, "
                "or write them in the order of the beam"
            )
            self._note(where, message)
        here.coiled_m[around] = step.end_m

    def _end(self, here: _Walk, section: str, place: Place) -> None:
        ahead, beside = here.pose.ray(place)
        end = here.begun_m + ahead
        path = ("sections", section, "end_m")
        if abs(beside) > TOLERANCE_M:
            self._note(path, f"is {_told(beside)} beside the orbit; correct it")
        elif end < here.reached_m - TOLERANCE_M:
            message = f"is {_told(here.reached_m - end)} before the end of {here.last}; correct it"
            self._note(path, message)
        here.reached_m = max(here.reached_m, end)
        here.line.end_m, here.last = here.reached_m, f"section {section}"

    def _note(self, path: tuple[Key, ...], message: str) -> None:
        self.problems.append(Problem(path, message))


def _key(section: str, element: str) -> tuple[Key, ...]:
    return ("sections", section, "elements", element)


def _told(length_m: float) -> str:
    return f"{abs(length_m) * 1e3:.4g} mm"
