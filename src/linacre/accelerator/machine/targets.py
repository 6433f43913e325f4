"""What of a lattice faults can befall: its devices, and where the beam meets each."""

from __future__ import annotations

from collections.abc import Iterator

from linacre.accelerator.faults.targets import Target, TargetKind, Targets
from linacre.accelerator.lattice.elements import (
    Bpm,
    Cavity,
    ChargeMonitor,
    Corrector,
    Dipole,
    FaradayCup,
    Gun,
    Opening,
    Quadrupole,
    Screen,
    Solenoid,
    Valve,
)
from linacre.accelerator.lattice.file import Laser
from linacre.accelerator.lattice.lattice import Lattice, Placed


def targets_of(lattice: Lattice) -> Targets:
    """Return the targets of a lattice; gauges, water and IOCs are none of its devices."""
    found = [*_of_laser(lattice.data.laser)]
    for element in lattice:
        middle = element.middle_m
        found += [Target(name, kind, middle) for name, kind in _of_element(element)]
    return Targets(found)


def _of_laser(laser: Laser) -> Iterator[Target]:
    yield Target(laser.meter, TargetKind.LASER, 0.0)
    for shutter in laser.shutters:
        yield Target(shutter, TargetKind.SHUTTER, 0.0)
    if laser.mirror is not None:
        for motor in (laser.mirror.horizontal, laser.mirror.vertical):
            yield Target(motor, TargetKind.MIRROR, 0.0)


def _of_element(element: Placed) -> Iterator[tuple[str, TargetKind]]:
    name = element.name
    match element.data:
        case Gun() | Cavity() as driven:
            yield driven.rf, TargetKind.RF
        case Solenoid() | Quadrupole() | Dipole() as powered:
            yield powered.magnet or name, TargetKind.MAGNET
        case Corrector() as pair:
            for magnet in (pair.horizontal, pair.vertical):
                if magnet is not None:
                    yield magnet, TargetKind.MAGNET
        case Bpm() as bpm:
            yield bpm.pv or name, TargetKind.BPM
        case ChargeMonitor() | FaradayCup() as monitor:
            yield monitor.pv or name, TargetKind.CHARGE
        case Screen() as screen:
            for axis in screen.axes:
                yield axis.pv, TargetKind.SCREEN
            if screen.camera is not None:
                yield screen.camera, TargetKind.CAMERA
        case Valve() as valve:
            yield valve.pv or name, TargetKind.VALVE
        case Opening():
            yield name, TargetKind.COLLIMATOR
        case _:
            pass
