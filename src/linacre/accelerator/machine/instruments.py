"""The monitors of a machine: from what a pulse was at each element to what is read of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from linacre.accelerator.instruments.arrivals import Arrival
from linacre.accelerator.instruments.bpms import Bpm
from linacre.accelerator.instruments.charges import FCUP, ICT, WCM, ChargeMonitor
from linacre.accelerator.lattice import elements
from linacre.accelerator.lattice.lattice import Lattice
from linacre.accelerator.model.passage import Passage
from linacre.accelerator.model.settings import Key
from linacre.accelerator.shots import Shot

Readings = Mapping[Key, float]
"""By the device and the suffix of its PV; what has no value without beam is not among them."""

_CHARGE_MONITORS = {"wcm": WCM, "ict": ICT, "faraday_cup": FCUP}


@dataclass(frozen=True)
class _Placed:
    """A monitor, and the element at which it stands."""

    device: str
    index: int
    monitor: Bpm | ChargeMonitor


class Instruments:
    """The monitors of a lattice.

    A BPM has `RDY`, `Q` in pC, and with beam `X` and `Y` in mm; monitors of the charge have `Q`.
    """

    def __init__(self, lattice: Lattice, *, bpm: Bpm | None = None) -> None:
        self._placed = [*_monitors(lattice, bpm or Bpm())]

    def read(self, passage: Passage, shot: Shot) -> Readings:
        """Return what is read of a pulse."""
        found: dict[Key, float] = {}
        for each in self._placed:
            arrival, device = _arrival(passage, each.index), each.device
            match each.monitor:
                case Bpm() as bpm:
                    values = bpm.read(arrival, shot=shot, element=device).values()
                case ChargeMonitor() as monitor:
                    values = monitor.values(monitor.read(arrival, shot=shot, element=device))
            found |= {(device, suffix): value for suffix, value in values.items()}
        return found

    def ideal(self, passage: Passage) -> Readings:
        """Return what perfect monitors with the same thresholds would have read."""
        found: dict[Key, float] = {}
        for each in self._placed:
            arrival = _arrival(passage, each.index)
            match each.monitor:
                case Bpm() as bpm:
                    values = bpm.ideal(arrival).values()
                case ChargeMonitor() as monitor:
                    values = monitor.values(monitor.ideal(arrival))
            found |= {(each.device, suffix): value for suffix, value in values.items()}
        return found


def _monitors(lattice: Lattice, bpm: Bpm) -> Iterator[_Placed]:
    for each in lattice:
        match each.data:
            case elements.Bpm() as data:
                yield _Placed(data.pv or each.name, each.index, bpm)
            case elements.ChargeMonitor() | elements.FaradayCup() as data:
                yield _Placed(data.pv or each.name, each.index, _CHARGE_MONITORS[data.type])
            case _:
                pass


def _arrival(passage: Passage, index: int) -> Arrival:
    return Arrival(passage.beam(index), float(passage.charge_c[index]))
