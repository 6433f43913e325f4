"""What the currents of a lattice's magnets do, within what their supplies can give."""

from __future__ import annotations

from collections.abc import Mapping

from linacre.accelerator.lattice.devices import most_current
from linacre.physics.errors import OutOfRangeError
from linacre.physics.kinematics import rigidity_tm
from linacre.physics.magnets import Magnet


class Currents:
    """The magnets of a lattice: no current that is asked of them ends the model."""

    def __init__(self, magnets: Mapping[str, Magnet]) -> None:
        self._magnets = magnets
        self._most = {name: most_current(magnet) for name, magnet in magnets.items()}

    def k(self, device: str, current_a: float, momentum_mev_c: float) -> float:
        """Return what a beam gets, in SI; beyond the fit of a Larmor angle that of the field."""
        magnet, current = self._magnets[device], self._within(device, current_a)
        try:
            return magnet.k(current, momentum_mev_c=momentum_mev_c)
        except OutOfRangeError:
            return magnet.strength(current) / (2 * rigidity_tm(momentum_mev_c))

    def strength(self, device: str, current_a: float) -> float:
        """Return the integrated strength, in SI."""
        return self._magnets[device].strength(self._within(device, current_a))

    def _within(self, device: str, current_a: float) -> float:
        most = self._most[device]
        return max(-most, min(most, current_a))
