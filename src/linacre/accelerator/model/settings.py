"""What of a machine can be set: devices, quantities, and the values that each may take.

A setting is what a PV of the machine reads back: of a magnet `READI`, since the beam knows nothing
of the current that was asked for. Its key is the device and the PV's suffix.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from linacre.accelerator.lattice.devices import current_for, most_current
from linacre.accelerator.lattice.elements import (
    Cavity,
    Corrector,
    Dipole,
    Gun,
    Quadrupole,
    Screen,
    Solenoid,
    Valve,
)
from linacre.accelerator.lattice.file import Laser
from linacre.accelerator.lattice.lattice import Lattice, Placed
from linacre.physics.magnets import Magnet

CURRENT, POWER, PHASE = "READI", "getPower", "getPhase"
STATE, DEVICE = "Sta", "GET_DEV"
ENERGY, POSITION = "E", "POS"

TRANSMISSION = "TRANSMISSION"
"""Of any device that the beam meets, the share of it that goes on; 1 where nothing says it."""

CLOSED, OPEN, MOVING = range(3)
"""The states of valves and shutters."""

Key = tuple[str, str]
"""A device and a quantity, such as `("CLA-S02-MAG-QUAD-01", "READI")`."""
Settings = Mapping[Key, float]

_MOST_DEG = 1e5
_MOST_STEPS = 1e9
_MOST_UJ = 1e6


@dataclass(frozen=True)
class Setting:
    """One quantity of a device: its unit, the least and the most it may be, where it starts."""

    unit: str
    low: float
    high: float
    start: float


def settings_of(lattice: Lattice) -> dict[Key, Setting]:
    """Return all settings of a lattice, in the order of the beam."""
    found = dict(_of_laser(lattice.data.laser))
    for element in lattice:
        found |= dict(_of_element(element, lattice))
    return found


def _of_laser(laser: Laser) -> Iterator[tuple[Key, Setting]]:
    yield (laser.meter, ENERGY), Setting("uJ", 0.0, _MOST_UJ, laser.energy_uj)
    for shutter in laser.shutters:
        yield (shutter, STATE), _state()
    if laser.mirror is not None:
        for motor in (laser.mirror.horizontal, laser.mirror.vertical):
            yield (motor, POSITION), Setting("step", -_MOST_STEPS, _MOST_STEPS, 0.0)


def _of_element(element: Placed, lattice: Lattice) -> Iterator[tuple[Key, Setting]]:
    match element.data:
        case Gun() | Cavity() as driven:
            most = 2 * driven.momenta.power_mw[-1]
            yield (driven.rf, POWER), Setting("MW", 0.0, most, driven.power_mw)
            start = driven.crest_deg + driven.phase_deg
            yield (driven.rf, PHASE), Setting("deg", -_MOST_DEG, _MOST_DEG, start)
        case Solenoid() as solenoid:
            magnet = lattice.magnets[solenoid.magnet or element.name]
            yield (magnet.name, CURRENT), _current(magnet, solenoid.current_a)
        case Quadrupole() | Dipole() as powered:
            magnet = lattice.magnets[powered.magnet or element.name]
            momentum = lattice.design_momenta[element.name]
            start = current_for(magnet, powered.design_k, momentum)
            yield (magnet.name, CURRENT), _current(magnet, start)
        case Corrector() as corrector:
            for name in (corrector.horizontal, corrector.vertical):
                if name is not None:
                    yield (name, CURRENT), _current(lattice.magnets[name], 0.0)
        case Valve() as valve:
            yield (valve.pv or element.name, STATE), _state()
        case Screen() as screen:
            for axis in screen.axes:
                yield (axis.pv, DEVICE), Setting("", 0.0, 15.0, float(axis.devices[axis.out[0]]))
        case _:
            pass


def _state() -> Setting:
    return Setting("", 0.0, float(MOVING), float(OPEN))


def _current(magnet: Magnet, start: float) -> Setting:
    most = most_current(magnet)
    return Setting("A", -most, most, start)
