"""The cut at which any code that carries a beam may take the place of ours."""

from __future__ import annotations

from typing import Protocol

from linacre.accelerator.instruments.sources import Deviation
from linacre.accelerator.lattice.lattice import Lattice
from linacre.accelerator.model.passage import Passage
from linacre.accelerator.model.settings import Settings


class Model(Protocol):
    """What a lattice makes of a bunch: pyAT, ocelot, cheetah or a surrogate could."""

    @property
    def lattice(self) -> Lattice:
        """The elements, by whose index the answer is."""
        ...

    def step(self, settings: Settings, deviation: Deviation | None = None) -> Passage:
        """Return one pulse at every element.

        `settings` has a value for every key of `settings_of` the lattice. The answer depends on
        nothing but the arguments.
        """
        ...
