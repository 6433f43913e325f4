"""Our model: a bunch as its charge and two moments, through the maps of the elements."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from linacre.accelerator.beams import Beam
from linacre.accelerator.instruments.arrivals import PICO, Arrival
from linacre.accelerator.instruments.sources import Deviation
from linacre.accelerator.lattice.elements import FaradayCup, Gun, Screen, Valve
from linacre.accelerator.lattice.file import Plane
from linacre.accelerator.lattice.lattice import Lattice, Placed
from linacre.accelerator.maps import X, Y
from linacre.accelerator.model.apertures import through
from linacre.accelerator.model.linacs import LEAST_MOMENTUM_MEV_C
from linacre.accelerator.model.optics import Optics
from linacre.accelerator.model.passage import Counts, Passage
from linacre.accelerator.model.passing import Passing, passings
from linacre.accelerator.model.settings import (
    DEVICE,
    ENERGY,
    OPEN,
    PHASE,
    POSITION,
    POWER,
    STATE,
    TRANSMISSION,
    Settings,
)
from linacre.accelerator.model.transfer import Transfer
from linacre.accelerator.twiss import Twiss, sigma_of
from linacre.physics.constants import ELEMENTARY_CHARGE, MM
from linacre.physics.kinematics import beta_gamma
from linacre.physics.numbers import FloatArray


@dataclass
class _Bunch:
    """What is left of a bunch on its way, and what was seen of it so far."""

    beam: Beam
    electrons: int
    centroid: FloatArray
    sigma: FloatArray
    momentum: FloatArray
    counts: Counts
    lost: Counts
    emitted: int = field(init=False)

    def __post_init__(self) -> None:
        self.emitted = self.electrons

    def clip(self, element: Placed) -> None:
        """Lose what an element's opening does not let through."""
        part, beam = through(self.beam, element.aperture)
        if part == 1.0:
            return
        passed = min(self.electrons, round(self.electrons * part))
        self.lost[element.index] += self.electrons - passed
        self.electrons = passed
        if passed:
            self.beam = beam

    def thin(self, index: int, share: float) -> None:
        """Lose all but a share at an element."""
        passed = round(self.electrons * min(max(share, 0.0), 1.0))
        self.lost[index] += self.electrons - passed
        self.electrons = passed

    def stop(self, index: int) -> None:
        """Lose all at an element."""
        self.lost[index] += self.electrons
        self.electrons = 0

    def see(self, index: int, beam: Beam | None = None) -> None:
        """Note what comes to an element: all that is left, by itself as the beam that it is."""
        if self.electrons:
            beam = beam or self.beam
            self.centroid[index] = beam.centroid
            self.sigma[index] = beam.sigma
            self.momentum[index] = beam.momentum_mev_c
            self.counts[index] = self.electrons


class MomentModel:
    """A bunch as a Gaussian cloud: what it is at each element follows from where it began.

    Left out are what its charge does to itself (space charge, wakes, radiation), and what the maps
    leave out.
    """

    def __init__(self, lattice: Lattice) -> None:
        self._lattice = lattice
        self._lines = passings(lattice)
        self._trunk = next(iter(self._lines))
        self._devices = [{each.name, *each.devices} for each in lattice]
        everything = (each for line in self._lines.values() for each in line)
        self._optics = Optics(lattice, everything)

    @property
    def lattice(self) -> Lattice:
        """The elements, by whose index the answer is."""
        return self._lattice

    def step(self, settings: Settings, deviation: Deviation | None = None) -> Passage:
        """Return one pulse at every element."""
        size = len(self._lattice.elements)
        beam, electrons = self._start(settings, deviation)
        bunch = _Bunch(
            beam,
            electrons,
            np.zeros((size, 6)),
            np.zeros((size, 6, 6)),
            np.zeros(size),
            np.zeros(size, np.int64),
            np.zeros(size, np.int64),
        )
        bunch.clip(self._lattice.gun)
        bunch.see(self._lattice.gun.index)
        line: str | None = self._trunk
        thinned = {
            device: share for (device, what), share in settings.items() if what == TRANSMISSION
        }
        while line is not None:
            line = self._along(line, bunch, settings, thinned)
        return Passage(
            bunch.centroid,
            bunch.sigma,
            bunch.momentum,
            bunch.counts,
            bunch.lost,
            bunch.emitted,
            bunch.electrons,
        )

    def _along(
        self, line: str, bunch: _Bunch, settings: Settings, thinned: Mapping[str, float]
    ) -> str | None:
        """Carry a bunch along a line; return the one on which it goes on."""
        for passing in self._lines[line]:
            if not bunch.electrons:
                return None
            momentum = bunch.beam.momentum_mev_c
            transfer = self._optics.transfer(passing, settings, momentum)
            if transfer is None:
                bunch.stop(passing.index)
                return None
            self._pass(bunch, passing, transfer, thinned)
            if self._stops(passing, settings):
                bunch.stop(passing.index)
            if transfer.branches:
                return passing.branch
        return None

    def _pass(
        self,
        bunch: _Bunch,
        passing: Passing,
        transfer: Transfer,
        thinned: Mapping[str, float],
    ) -> None:
        if transfer.lead is not None:
            bunch.beam = bunch.beam.through(transfer.lead)
            bunch.clip(passing.element)
        before, after = bunch.beam, transfer.momentum_mev_c
        bunch.beam = before.through(transfer.body, momentum_mev_c=after)
        bunch.clip(passing.element)
        if thinned:
            for device in self._devices[passing.index]:
                bunch.thin(passing.index, thinned.get(device, 1.0))
        bunch.see(passing.index)
        for coil, (way, momentum) in zip(passing.coils, transfer.at_coils, strict=True):
            inside = before.through(way, momentum_mev_c=momentum)
            bunch.see(coil.element.index, inside)

    def _stops(self, passing: Passing, settings: Settings) -> bool:
        match passing.data:
            case FaradayCup():
                return True
            case Valve() as valve:
                return settings[valve.pv or passing.element.name, STATE] != OPEN
            case Screen() as screen:
                return any(
                    settings[axis.pv, DEVICE] not in [axis.devices[each] for each in axis.out]
                    for axis in screen.axes
                )
            case _:
                return False

    def _start(self, settings: Settings, deviation: Deviation | None) -> tuple[Beam, int]:
        """Return the bunch behind the gun; without field there is none."""
        gun, laser = self._lattice.gun.data, self._lattice.data.laser
        assert isinstance(gun, Gun)
        phase = math.radians(settings[gun.rf, PHASE] - gun.crest_deg)
        momentum = gun.momenta.gain_mev_c(settings[gun.rf, POWER]) * math.cos(phase)
        charge_pc = settings[laser.meter, ENERGY] * laser.charge_pc_per_uj
        if any(settings[each, STATE] != OPEN for each in laser.shutters):
            charge_pc = 0.0
        centroid = np.zeros(6)
        if laser.mirror is not None:
            per_step = laser.mirror.mm_per_step * MM
            centroid[X] = settings[laser.mirror.horizontal, POSITION] * per_step
            centroid[Y] = settings[laser.mirror.vertical, POSITION] * per_step
        if not momentum > LEAST_MOMENTUM_MEV_C:
            return Beam(centroid, np.zeros((6, 6)), 0.0), 0
        start = Arrival(Beam(centroid, self._sigma(momentum), momentum), charge_pc * PICO)
        if deviation is not None:
            start = deviation.of(start)
        return start.beam, round(start.charge_c / ELEMENTARY_CHARGE)

    def _sigma(self, momentum_mev_c: float) -> FloatArray:
        start = self._lattice.data.beam
        horizontal, vertical = (
            _twiss(plane, momentum_mev_c) for plane in (start.horizontal, start.vertical)
        )
        return sigma_of(
            horizontal, vertical, length_m=start.length_m, momentum_spread=start.momentum_spread
        )


def _twiss(plane: Plane, momentum_mev_c: float) -> Twiss:
    emittance = plane.normalised_emittance_m / float(beta_gamma(momentum_mev_c))
    return Twiss(emittance, plane.beta_m, plane.alpha)
