"""The maps of a lattice's elements with their settings, made anew only where these have changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from linacre.accelerator.lattice.elements import Cavity, Dipole, Solenoid
from linacre.accelerator.lattice.lattice import Lattice
from linacre.accelerator.maps import Map, drift, solenoid
from linacre.accelerator.model.bends import bend
from linacre.accelerator.model.currents import Currents
from linacre.accelerator.model.linacs import Coil, behind_linac
from linacre.accelerator.model.passing import Passing
from linacre.accelerator.model.settings import CURRENT, PHASE, POWER, Settings
from linacre.accelerator.model.stacks import stacks
from linacre.accelerator.model.transfer import Transfer
from linacre.physics.kinematics import gamma

_MadeFor = tuple[float, ...]


class Optics:
    """The maps of a lattice, each kept with the values that it was made for."""

    def __init__(self, lattice: Lattice, passings: Iterable[Passing]) -> None:
        self._currents = Currents(lattice.magnets)
        self._stacks = stacks(passings)
        self._kept: dict[int, tuple[_MadeFor, Transfer | None]] = {}

    def transfer(
        self, passing: Passing, settings: Settings, momentum_mev_c: float
    ) -> Transfer | None:
        """Return what is done to a beam of a momentum; None where none comes out."""
        index = passing.index
        if index in self._stacks:
            return self._stacks[index].transfer(index, settings, momentum_mev_c, self._currents)
        made_for, make = self._recipe(passing, settings, momentum_mev_c)
        kept = self._kept.get(index)
        if kept is not None and kept[0] == made_for:
            return kept[1]
        found = make()
        self._kept[index] = (made_for, found)
        return found

    def _recipe(
        self, passing: Passing, settings: Settings, momentum: float
    ) -> tuple[_MadeFor, Callable[[], Transfer | None]]:
        name = passing.element.name
        match passing.data:
            case Solenoid() as coil:
                current = settings[coil.magnet or name, CURRENT]
                return (momentum, current), lambda: self._turned(passing, coil, current, momentum)
            case Dipole() as dipole:
                current = settings[dipole.magnet or name, CURRENT]
                return (momentum, current), lambda: self._bent(passing, dipole, current, momentum)
            case Cavity() as cavity:
                power, phase = settings[cavity.rf, POWER], settings[cavity.rf, PHASE]
                currents = tuple(settings[coil.magnet, CURRENT] for coil in passing.coils)
                return (momentum, power, phase, *currents), lambda: self._accelerated(
                    passing, cavity, currents, momentum, power, phase
                )
            case _:
                raise AssertionError(passing)

    def _turned(
        self, passing: Passing, coil: Solenoid, current: float, momentum: float
    ) -> Transfer:
        # By the Larmor angle, which for a solenoid at a gun is a fit and not its field.
        angle = self._currents.k(coil.magnet or passing.element.name, current, momentum)
        strength = 2 * angle / coil.length_m
        body = solenoid(coil.length_m, strength, gamma=gamma(momentum))
        return _joined(passing, body, momentum)

    def _bent(
        self, passing: Passing, dipole: Dipole, current: float, momentum: float
    ) -> Transfer | None:
        angle = self._currents.k(dipole.magnet or passing.element.name, current, momentum)
        nearer_bent = abs(angle - dipole.angle_rad) < abs(angle)
        bent = nearer_bent if passing.branch is not None else passing.bends
        body = bend(dipole, angle, bent=bent, gamma=gamma(momentum))
        if body is None:
            return None
        return _joined(passing, body, momentum, branches=bent is not passing.bends)

    def _accelerated(
        self,
        passing: Passing,
        cavity: Cavity,
        currents: tuple[float, ...],
        momentum: float,
        power: float,
        phase: float,
    ) -> Transfer | None:
        coils = [
            Coil(coil.start_m, coil.end_m, self._currents.strength(coil.magnet, current))
            for coil, current in zip(passing.coils, currents, strict=True)
        ]
        found = behind_linac(
            cavity, coils, momentum_mev_c=momentum, power_mw=power, phase_deg=phase
        )
        if found is None:
            return None
        lead = drift(passing.lead_m, gamma=gamma(momentum))
        return Transfer(lead, found.body, found.momentum_mev_c, at_coils=found.at_coils)


def _joined(passing: Passing, body: Map, momentum: float, *, branches: bool = False) -> Transfer:
    """Return a transfer; the length before is a part of the body where nothing is to be seen."""
    lead = drift(passing.lead_m, gamma=gamma(momentum))
    if passing.at_entrance:
        return Transfer(lead, body, momentum, branches)
    return Transfer(None, lead.then(body), momentum, branches)
