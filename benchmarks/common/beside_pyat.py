"""pyAT's own line for the elements of a lattice's section, to measure ours beside it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from linacre.accelerator.lattice.elements import Quadrupole
from linacre.accelerator.lattice.lattice import Lattice
from linacre.accelerator.model.settings import Settings
from linacre.accelerator.twiss import Twiss

IS_HERE = find_spec("at") is not None


def pyat() -> Any:
    """Return the module of pyAT, which says on the standard output that it cannot plot."""
    with contextlib.redirect_stdout(sys.stderr):
        import at

    return at


class PyAtLine:
    """A section without its dipole's field, as drifts and quadrupoles of pyAT."""

    def __init__(self, lattice: Lattice, section: str) -> None:
        at = pyat()
        self._at = at
        self._magnets = lattice.magnets
        placed = [each for each in lattice if each.section == section]
        self._momentum = lattice.design_momenta[placed[0].name]
        self._quadrupoles: dict[str, Any] = {}
        elements: list[Any] = []
        here = placed[0].step.start_m
        for each in placed:
            elements.append(at.Drift("D", each.step.start_m - here))
            if isinstance(each.data, Quadrupole):
                made = at.Quadrupole(each.name, each.data.length_m, 0.0)
                made.PassMethod = "QuadLinearPass"
                self._quadrupoles[each.name] = made
            else:
                made = at.Drift(each.name, each.step.length_m)
            elements.append(made)
            here = each.step.end_m
        self._lattice = at.Lattice(elements, energy=self._momentum * 1e6, periodicity=1)

    @property
    def elements(self) -> int:
        """How many elements it has, its drifts among them."""
        return len(self._lattice)

    def set(self, settings: Settings) -> None:
        """Give its quadrupoles the strength that they have with some settings."""
        for name, made in self._quadrupoles.items():
            magnet = self._magnets[name]
            k = magnet.k(settings[name, "READI"], momentum_mev_c=self._momentum)
            made.K = k / made.Length

    def twiss(self, horizontal: Twiss, vertical: Twiss) -> Callable[[], object]:
        """Return what carries Twiss parameters to every element."""
        start = {
            "beta": [horizontal.beta_m, vertical.beta_m],
            "alpha": [horizontal.alpha, vertical.alpha],
            "dispersion": np.zeros(4),
            "closed_orbit": np.zeros(6),
        }
        places = range(len(self._lattice) + 1)
        return lambda: self._at.linopt2(self._lattice, refpts=places, twiss_in=start)

    def track(self, particles: int) -> Callable[[], object]:
        """Return what tracks particles, and looks at them behind every element."""
        random = np.random.default_rng(1)
        cloud = np.asfortranarray(1e-4 * random.standard_normal((6, particles)))
        places = range(len(self._lattice) + 1)
        return lambda: self._lattice.track(cloud.copy(order="F"), refpts=places, in_place=False)
