"""What an element does to a beam, the length before it with it."""

from __future__ import annotations

from dataclasses import dataclass

from linacre.accelerator.maps import Map


@dataclass(frozen=True)
class Transfer:
    """What an element, and the length before it, do to a beam."""

    lead: Map | None
    """To where the element begins; None where the body has it in itself."""
    body: Map
    momentum_mev_c: float
    """Behind it."""
    branches: bool = False
    """Whether the beam leaves this line here."""
    at_coils: tuple[tuple[Map, float], ...] = ()
    """From where a cavity begins to the end of each solenoid around it, and the momentum there."""
