"""What an IOC of the truth suite says of its PVs beside their values: words by number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from common.truth_values import LABELS, element, is_array
from linacre.archiver.model import Metadata

_NUMBERS = ("short", "float", "char", "long", "double")
_ALARMED = ("long", "double")
"""Types whose record has limits of alarms; the others' are waveforms."""


@dataclass(frozen=True)
class Said:
    """The words and limits of one number; small whole numbers, which every type can hold."""

    number: int

    @property
    def units(self) -> str:
        """At most seven letters: more are none in Channel Access."""
        return f"u{self.number}"

    @property
    def precision(self) -> int:
        """Digits behind the point."""
        return self.number % 7

    @property
    def display(self) -> tuple[int, int]:
        """LOPR and HOPR."""
        return self.number % 50, 100 + self.number % 7

    @property
    def alarm(self) -> tuple[int, int, int, int]:
        """LOLO, LOW, HIGH and HIHI."""
        n = self.number % 5
        return 1 + n, 10 + n, 80 + n, 90 + n

    @property
    def labels(self) -> tuple[str, ...]:
        """Of an enum."""
        return tuple(f"{self.number} {name}" for name in ("off", "on", "ramp", "fault")[:LABELS])


def ca_fields(name: str, said: Said) -> dict[str, str]:
    """Return the fields of the record of a type, and what is to be put into them."""
    if name == "enum":
        names = ("ZRST", "ONST", "TWST", "THST")
        return dict(zip(names, said.labels, strict=True))
    if element(name) not in _NUMBERS:
        return {}
    found = {"EGU": said.units, "LOPR": f"{said.display[0]}", "HOPR": f"{said.display[1]}"}
    if element(name) in ("float", "double"):
        found["PREC"] = f"{said.precision}"
    if name in _ALARMED:
        names = ("LOLO", "LOW", "HIGH", "HIHI")
        found |= {field: f"{limit}" for field, limit in zip(names, said.alarm, strict=True)}
    return found


def ca_metadata(name: str, number: int) -> Metadata:
    """Return what an archive should have of a record of a type."""
    said = Said(number)
    if name == "enum":
        return Metadata(labels=said.labels)
    if element(name) not in _NUMBERS:
        return Metadata()
    lolo, low, high, hihi = (float(limit) for limit in said.alarm)
    low_end, high_end = (float(limit) for limit in said.display)
    is_alarmed = name in _ALARMED
    return Metadata(
        units=said.units,
        precision=said.precision if element(name) in ("float", "double") else None,
        display=(low_end, high_end),
        control=(low_end, high_end),
        warning=(low, high) if is_alarmed else None,
        alarm=(lolo, hihi) if is_alarmed else None,
    )


def pva_fields(name: str, said: Said) -> dict[str, Any]:
    """Return the fields of a structure of a type that say it, and what they are to be."""
    if name == "choice":
        return {"value.choices": list(said.labels)}
    if name in ("table", "point"):
        return {"descriptor": f"d{said.number}"}
    found: dict[str, Any] = {
        "display.units": said.units,
        "display.description": f"d{said.number}",
    }
    if element(name) in "?s":
        return found
    lolo, low, high, hihi = said.alarm
    found |= {
        "display.precision": said.precision,
        "display.limitLow": said.display[0],
        "display.limitHigh": said.display[1],
        "control.limitLow": said.display[0],
        "control.limitHigh": said.display[1],
    }
    if is_array(name):
        return found
    return found | {
        "valueAlarm.lowAlarmLimit": lolo,
        "valueAlarm.lowWarningLimit": low,
        "valueAlarm.highWarningLimit": high,
        "valueAlarm.highAlarmLimit": hihi,
    }


def pva_metadata(name: str, number: int) -> Metadata:
    """Return what an archive should have of a structure of a type."""
    fields = pva_fields(name, Said(number))

    def limits(low: str, high: str) -> tuple[float, float] | None:
        return (float(fields[low]), float(fields[high])) if low in fields else None

    return Metadata(
        units=fields.get("display.units", ""),
        precision=fields.get("display.precision"),
        display=limits("display.limitLow", "display.limitHigh"),
        control=limits("control.limitLow", "control.limitHigh"),
        warning=limits("valueAlarm.lowWarningLimit", "valueAlarm.highWarningLimit"),
        alarm=limits("valueAlarm.lowAlarmLimit", "valueAlarm.highAlarmLimit"),
        labels=tuple(fields.get("value.choices", ())),
        description=fields.get("display.description") or fields.get("descriptor", ""),
    )
