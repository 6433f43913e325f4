"""The devices of a lattice by the names that their PVs begin with, and the magnets among them."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from linacre.accelerator.lattice.elements import (
    AnyElement,
    Bpm,
    Cavity,
    ChargeMonitor,
    Corrector,
    Dipole,
    FaradayCup,
    Gun,
    Quadrupole,
    Screen,
    Solenoid,
    Valve,
)
from linacre.accelerator.lattice.file import Laser, LatticeFile
from linacre.base.errors import LinacreError
from linacre.documents.document import Key, Problem
from linacre.documents.quoting import nearest
from linacre.documents.reading import LoadError
from linacre.physics.magnet_files import CLARA, CLARA_PHASE_1, MagnetTable, load_magnets
from linacre.physics.magnets import Magnet
from linacre.physics.quantities import Kind, Units

Path_ = tuple[Key, ...]
_BEYOND = 1.2
"""A supply may give so much of the rating of its magnet."""
_MOST_A = 1e4
_MOST_ADVICE = 20
_OURS = {"magnet-table": CLARA, "phase-1": CLARA_PHASE_1}


@dataclass(frozen=True)
class Device:
    """Something that has PVs, and where in the file it is named."""

    name: str
    path: Path_
    kind: Kind | None = None
    """Of a magnet."""
    curves: str | None = None
    """The file of magnets that it is in."""


def devices_of(file: LatticeFile) -> Iterator[Device]:
    """Yield the devices of a lattice file."""
    yield from _of_laser(file.laser)
    for section, contents in file.sections.items():
        for name, element in contents.elements.items():
            yield from devices_of_element(name, element, ("sections", section, "elements", name))


def _of_laser(laser: Laser) -> Iterator[Device]:
    yield Device(laser.meter, ("laser", "meter"))
    for place, shutter in enumerate(laser.shutters):
        yield Device(shutter, ("laser", "shutters", place))
    if laser.mirror is not None:
        yield Device(laser.mirror.horizontal, ("laser", "mirror", "horizontal"))
        yield Device(laser.mirror.vertical, ("laser", "mirror", "vertical"))


def devices_of_element(name: str, element: AnyElement, path: Path_ = ()) -> Iterator[Device]:
    """Yield the devices of an element."""
    match element:
        case Gun() | Cavity():
            yield Device(element.rf, (*path, "rf"))
        case Solenoid() | Quadrupole() | Dipole():
            key = (*path, "magnet") if element.magnet else path
            yield Device(element.magnet or name, key, Kind(element.type), element.curves)
        case Corrector():
            for key, kind in (
                ("horizontal", Kind.HORIZONTAL_CORRECTOR),
                ("vertical", Kind.VERTICAL_CORRECTOR),
            ):
                if (magnet := getattr(element, key)) is not None:
                    yield Device(magnet, (*path, key), kind, element.curves)
        case Bpm() | ChargeMonitor() | FaradayCup() | Valve():
            yield Device(element.pv or name, (*path, "pv") if element.pv else path)
        case Screen():
            for place, axis in enumerate(element.axes):
                yield Device(axis.pv, (*path, "axes", place, "pv"))
            if element.camera is not None:
                yield Device(element.camera, (*path, "camera"))
        case _:
            pass


class Devices:
    """The devices of a lattice file, its magnets with their curves, and what is wrong with them."""

    def __init__(self, file: LatticeFile, folder: Path, known: Collection[str] | None) -> None:
        self.problems: list[Problem] = []
        self.magnets: dict[str, Magnet] = {}
        self._folder, self._default = folder, file.magnets
        self._tables: dict[str, MagnetTable | None] = {}
        self._advised = 0
        seen: dict[str, Path_] = {}
        for device in devices_of(file):
            if device.name in seen:
                first = ".".join(map(str, seen[device.name]))
                message = f"{device.name} is at {first} already; rename or remove one"
                self._note(device.path, message)
                continue
            seen[device.name] = device.path
            if known is not None and device.name not in known:
                near = self._nearest(device.name, known)
                message = f"no PV of the facility begins with {device.name}{near}"
                self._note(device.path, message)
            if device.kind is not None:
                self._find(device, device.kind)

    def _find(self, device: Device, kind: Kind) -> None:
        table = self._table(device)
        if table is None:
            return
        if device.name not in table:
            near = self._nearest(device.name, table.by_name)
            self._note(device.path, f"{table.file.name} has no magnet {device.name}{near}")
            return
        magnet = table[device.name]
        if magnet.kind is not kind:
            self._note(device.path, f"{device.name} is a {magnet.kind}, and no {kind}")
        elif magnet.data.curve is None:
            message = f"the excitation curve of {device.name} is not known to {table.file.name}"
            self._note(device.path, message)
        else:
            self.magnets[device.name] = magnet

    def _table(self, device: Device) -> MagnetTable | None:
        """Return the file of magnets of a device; None where it cannot be read, told once."""
        named = device.curves or self._default
        if named not in self._tables:
            try:
                found = load_magnets(_OURS.get(named, self._folder / named))
            except LoadError as error:
                found = None
                whose: Path_ = (*device.path[:4], "curves") if device.curves else ("magnets",)
                for line in error.lines:
                    self._note(whose, line)
            self._tables[named] = found
        return self._tables[named]

    def current_of_k(self, magnet: str, k: float, momentum_mev_c: float) -> float:
        """Return the current in A that gives a K, as `current_for`."""
        return current_for(self.magnets[magnet], k, momentum_mev_c)

    def check_start(self, path: Path_, current_of: Callable[[], float], magnet: str) -> None:
        """Note a current that a magnet cannot start with, or a K that none gives."""
        if magnet not in self.magnets:
            return
        try:
            current, most = current_of(), most_current(self.magnets[magnet])
        except LinacreError as error:
            self._note(path, str(error))
            return
        if abs(current) > most:
            message = f"takes {current:.6g} A, and {magnet} is made for {most:.6g} A at most"
            self._note(path, message)

    def _nearest(self, name: str, there: Collection[str]) -> str:
        """Return what a name was most likely meant to be, as an ending of its problem.

        It is looked for but a few times: in a file where nothing is known it would take minutes.
        """
        self._advised += 1
        if self._advised > _MOST_ADVICE:
            return ""
        lower = {each.lower(): each for each in there}
        found = nearest(name, lower)
        return f"; the nearest is {lower[found]}" if found else ""

    def _note(self, path: Path_, message: str) -> None:
        self.problems.append(Problem(path, message))


def most_current(magnet: Magnet) -> float:
    """Return the current in A that a magnet may have, on either side of zero."""
    rating = magnet.data.rating_a
    return min(magnet.limit_a, math.inf if rating is None else _BEYOND * rating, _MOST_A)


def current_for(magnet: Magnet, k: float, momentum_mev_c: float) -> float:
    """Return the current in A at which a magnet starts, for its K in the machine's units."""
    if k == 0:
        return 0.0
    return magnet.current_of_k(k, momentum_mev_c=momentum_mev_c, units=Units.MACHINE)
