"""What faults can befall: the elements of a machine, and which of their values a fault touches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from linacre.documents.quoting import nearest

Key = tuple[str, str]
"""An element, and a quantity of it as the suffix of its PV: ("CLA-S02-DIA-BPM-01", "X")."""
Values = dict[Key, float]
"""Settings before a step of the model, or readings after it, in the units of the PVs."""

TRANSMISSION = "TRANSMISSION"
"""A setting of any element in the beam line: the share of the charge that it lets through."""


class TargetKind(StrEnum):
    """What an element is."""

    MAGNET = "magnet"
    BPM = "BPM"
    CHARGE = "charge monitor"
    CAMERA = "camera"
    SCREEN = "screen"
    """One axis of it."""
    COLLIMATOR = "collimator"
    VALVE = "valve"
    GAUGE = "vacuum gauge"
    RF = "RF station"
    WATER = "cavity water"
    LASER = "laser"
    MIRROR = "laser mirror"
    """One axis of it."""
    SHUTTER = "laser shutter"
    IOC = "IOC"


@dataclass(frozen=True)
class Quantities:
    """The values of a kind of element that faults know of, the main ones first."""

    acting: tuple[str, ...] = ()
    """The settings that the beam feels."""
    readings: tuple[str, ...] = ()
    main: int = 1
    """How many of the readings a fault means that names none."""


_SPOT = tuple(
    f"ANA:{name}_RBV"
    for name in ("X", "Y", "SigmaX", "SigmaY", "CovXY", "XPix", "YPix", "SigmaXPix", "SigmaYPix")
)
QUANTITIES: Mapping[TargetKind, Quantities] = {
    TargetKind.MAGNET: Quantities(("READI",), ("READI", "RILK", "RPOWER")),
    TargetKind.BPM: Quantities((), ("X", "Y", "Q", "RDY"), main=2),
    TargetKind.CHARGE: Quantities((), ("Q",)),
    TargetKind.CAMERA: Quantities(
        (), (*_SPOT, "ANA:CovXYPix_RBV", "ANA:Intensity_RBV", "ANA:AvgIntensity_RBV", "SIM:IMAGE"),
        main=2,
    ),
    TargetKind.SCREEN: Quantities(("ACTPOS", "GET_DEV"), ("ACTPOS", "GET_DEV")),
    TargetKind.COLLIMATOR: Quantities(),
    TargetKind.VALVE: Quantities(("Sta",), ("Sta",)),
    TargetKind.GAUGE: Quantities((), ("PRES",)),
    TargetKind.RF: Quantities(("getPower", "getPhase"), ("getPower", "getPhase", "Power:getTrip")),
    TargetKind.WATER: Quantities((), ("RT",)),
    TargetKind.LASER: Quantities(("E",), ("E",)),
    TargetKind.MIRROR: Quantities(("POS",), ("POS",)),
    TargetKind.SHUTTER: Quantities(("Sta",), ("Sta",)),
    TargetKind.IOC: Quantities(),
}  # fmt: skip


@dataclass(frozen=True)
class Target:
    """An element that faults can befall."""

    name: str
    kind: TargetKind
    z_m: float | None = None
    """Where the beam meets it; None where it does not."""
    feeds: str = ""
    """Of cavity water, the RF station whose cavity it keeps at its temperature."""
    suffix: str = ""
    """Of the main reading, where it is not that of the kind: P, of some gauges."""

    @property
    def readings(self) -> tuple[str, ...]:
        """Its readings, the main ones first."""
        return (self.suffix,) if self.suffix else QUANTITIES[self.kind].readings

    @property
    def main(self) -> tuple[str, ...]:
        """The readings that a fault means that names none."""
        return self.readings[: QUANTITIES[self.kind].main]

    @property
    def acting(self) -> tuple[str, ...]:
        """The settings that the beam feels."""
        return QUANTITIES[self.kind].acting

    @property
    def acts_on(self) -> str:
        """The element whose settings its state changes: itself, or what it feeds."""
        return self.feeds or self.name


class Targets(Mapping[str, Target]):
    """The elements of a machine by their names."""

    def __init__(self, targets: Iterable[Target]) -> None:
        self._by_name = {each.name: each for each in targets}

    def __getitem__(self, name: str) -> Target:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def split(self, text: str) -> tuple[Target, str] | None:
        """Return the element that a name or a PV is of, and the quantity behind it, if any."""
        if text in self._by_name:
            return self._by_name[text], ""
        parts = text.split(":")
        for count in range(len(parts) - 1, 0, -1):
            name = ":".join(parts[:count])
            if name in self._by_name:
                return self._by_name[name], ":".join(parts[count:])
        return None

    def nearest(self, name: str) -> str | None:
        """Return the name that a mistyped one was most likely meant to be."""
        by_lower = {each.lower(): each for each in self._by_name}
        found = nearest(name, by_lower)
        return by_lower[found] if found else None
