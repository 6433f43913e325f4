"""A small machine with one of each kind of element, to see faults on: no lattice, no IOC."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from linacre.accelerator.beams import Beam
from linacre.accelerator.faults.iocs import IocFaults
from linacre.accelerator.faults.standing import Faults
from linacre.accelerator.faults.targets import TRANSMISSION, Target, TargetKind, Targets, Values
from linacre.accelerator.instruments.arrivals import Arrival
from linacre.accelerator.instruments.bpms import Bpm
from linacre.accelerator.instruments.channels import Channel
from linacre.accelerator.instruments.charges import WCM
from linacre.accelerator.maps import X, Y
from linacre.accelerator.shots import Shot

K = TargetKind
GUN, L01 = "CLA-GUNS-RF-CTRL-01", "CLA-L01-RF-CTRL-01"
LASER, SHUTTER = "CLA-LAS-DIA-EM-01", "CLA-PI-LSR-SHUT-01"
MIRROR = "CLA-LAS-OPT-PICO-4C-PM-4:H"
VALVE, GAUGE, GUN_GAUGE = "CLA-S02-VAC-VALV-01", "CLA-S02-VAC-IMG-01", "CLA-LRG1-VAC-IMG-01"
CORRECTOR, WATER = "CLA-S02-MAG-HCOR-01", "CLA-GUN-RF-LRRG-01"
BPM, LAST_BPM = "CLA-S02-DIA-BPM-01", "CLA-S02-DIA-BPM-02"
IOC = "s02-bpm"
TARGETS = Targets(
    [
        Target(LASER, K.LASER, 0.0),
        Target(MIRROR, K.MIRROR, 0.0),
        Target(SHUTTER, K.SHUTTER, 0.0),
        Target(GUN, K.RF, 0.1),
        Target(WATER, K.WATER, 0.1, feeds=GUN),
        Target("EBT-B03-IOC-CS-04:FMC1:CH0:WCM", K.CHARGE, 0.7),
        Target("CLA-S01-DIA-BPM-01", K.BPM, 0.88),
        Target(L01, K.RF, 2.2),
        Target(VALVE, K.VALVE, 3.2),
        Target(CORRECTOR, K.MAGNET, 3.41),
        Target("CLA-S02-DIA-SCR-01:V", K.SCREEN, 3.5),
        Target("CLA-S02-DIA-CAM-01", K.CAMERA, 3.5),
        Target(BPM, K.BPM, 3.63),
        Target("CLA-S02-COL-01", K.COLLIMATOR, 4.5),
        Target(LAST_BPM, K.BPM, 6.5),
        Target("EBT-B03-IOC-CS-04:FMC1:CH1:FCUP", K.CHARGE, 8.9),
        Target(GAUGE, K.GAUGE),
        Target(GUN_GAUGE, K.GAUGE, suffix="P"),
        Target(IOC, K.IOC),
    ]
)
SERVED = {IOC: (BPM, LAST_BPM)}
BY_KIND = {kind: next(t for t in TARGETS.values() if t.kind is kind) for kind in K}
MOMENTA = {GUN: 4.4, L01: 31.0}
SET: Mapping[TargetKind, Mapping[str, float]] = {
    K.MAGNET: {"READI": 2.0, "RPOWER": 1.0},
    K.RF: {"getPower": 7.0, "getPhase": 5.0},
    K.LASER: {"E": 40.0},
    K.MIRROR: {"POS": 100.0},
    K.SHUTTER: {"Sta": 1.0},
    K.VALVE: {"Sta": 1.0},
    K.SCREEN: {"ACTPOS": 0.0, "GET_DEV": 1.0},
}
WRITTEN: Mapping[TargetKind, Mapping[str, float]] = {
    K.MAGNET: {"READI": 3.0},
    K.RF: {"getPower": 6.0, "getPhase": 8.0},
    K.LASER: {"E": 35.0},
    K.MIRROR: {"POS": 160.0},
    K.SHUTTER: {"Sta": 0.0},
    K.VALVE: {"Sta": 0.0},
    K.SCREEN: {"ACTPOS": 148.5, "GET_DEV": 4.0},
}
_SIGMA = np.eye(6) * 1e-8
_MONITOR = Bpm(x=Channel(noise=0.005), y=Channel(noise=0.005))
_NOISE = {"READI": 0.01, "getPower": 0.02, "getPhase": 0.1, "E": 0.01, "ACTPOS": 0.01, "POS": 0.1}


class Owner:
    """Who owns the processes of the stand-in: it knows what they were told."""

    def __init__(self) -> None:
        self.stopped: set[str] = set()
        self.delays: dict[str, float] = {}

    def stop(self, ioc: str) -> None:
        assert ioc not in self.stopped
        self.stopped.add(ioc)

    def start(self, ioc: str) -> None:
        self.stopped.remove(ioc)

    def delay(self, ioc: str, seconds: float) -> None:
        self.delays[ioc] = seconds


class StandIn:
    """The machine: settings that can be written, and a step for each pulse."""

    def __init__(self, *, seed: int = 11) -> None:
        self.seed = seed
        self.faults = Faults(TARGETS)
        self.owner = Owner()
        self.iocs = IocFaults(self.owner)
        self.settings: Values = {
            (target.name, quantity): value
            for target in TARGETS.values()
            for quantity, value in SET.get(target.kind, {}).items()
        }

    def step(self, pulse: int) -> Values:
        """Return the readings of a pulse that clients see."""
        shot = Shot(self.seed, pulse)
        felt = self.faults.settings(self.settings, shot)
        assert self.iocs.carry_out(self.faults.iocs()) == []
        readings = self.faults.readings(self._readings(felt, shot), shot)
        gone = {element for ioc in self.owner.stopped for element in SERVED[ioc]}
        return {key: value for key, value in readings.items() if key[0] not in gone}

    def _readings(self, felt: Values, shot: Shot) -> Values:
        found: Values = {}
        drawn = shot.draws("stand-in").standard_normal((len(TARGETS), 3))
        for target, (own, *others) in zip(TARGETS.values(), drawn, strict=True):
            for quantity, noise in zip(target.acting, others, strict=False):
                value = felt[target.name, quantity]
                noise *= _NOISE.get(quantity, 0.0)
                found[target.name, quantity] = float(value + noise) if value else 0.0
            for quantity, value in self._measured(target, felt, shot, float(own)).items():
                found[target.name, quantity] = value
        return found

    def _measured(self, target: Target, felt: Values, shot: Shot, noise: float) -> dict[str, float]:
        match target.kind:
            case K.MAGNET:
                return {"RILK": 0.0, "RPOWER": felt[target.name, "RPOWER"]}
            case K.RF:
                return {"Power:getTrip": 0.0}
            case K.GAUGE:
                return {target.main[0]: 2e-9 * (1 + 0.02 * noise)}
            case K.WATER:
                return {"RT": 30.0 + 0.005 * noise}
            case K.BPM:
                seen = self._arrival(target, felt)
                return _MONITOR.read(seen, shot=shot, element=target.name).values()
            case K.CHARGE:
                seen = self._arrival(target, felt)
                return WCM.values(WCM.read(seen, shot=shot, element=target.name))
            case K.CAMERA:
                x, y = (16.64 + 0.01 * noise, 14.04 - 0.01 * noise)
                return {"ANA:X_RBV": x, "ANA:Y_RBV": y, "SIM:IMAGE": float(shot.pulse)}
            case _:
                return {}

    def _arrival(self, at: Target, felt: Values) -> Arrival:
        """Return the beam at an element: straight but for the corrector, with dispersion."""
        z = at.z_m or 0.0
        charge = 2.5e-12 * felt[LASER, "E"] * felt[SHUTTER, "Sta"]
        momentum = design = 0.0
        x, y = 0.01 * felt[MIRROR, "POS"], 0.2
        for target in TARGETS.values():
            if target.z_m is None or target.z_m >= z:
                continue
            charge *= felt.get((target.name, TRANSMISSION), 1.0)
            match target.kind:
                case K.VALVE:
                    charge *= felt[target.name, "Sta"]
                case K.MAGNET:
                    x += 0.3 * felt[target.name, "READI"]
                case K.RF:
                    power, phase = (felt[target.name, q] for q in ("getPower", "getPhase"))
                    gain = MOMENTA[target.name] * math.cos(math.radians(phase - 5.0))
                    momentum += gain * math.sqrt(max(power, 0.0) / 7.0)
                    design += MOMENTA[target.name]
                case _:
                    pass
        centroid = np.zeros(6)
        centroid[X], centroid[Y] = 1e-3 * (x + 500 * (momentum / design - 1)), 1e-3 * y
        return Arrival(Beam(centroid, _SIGMA, design), charge)
