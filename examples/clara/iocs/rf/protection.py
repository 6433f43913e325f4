"""The records of the modulator, and of the permits that keep the RF on."""

from __future__ import annotations

from modulator import INTERLOCKS, Modulator
from names import Names
from readings import Readings
from softioc import builder
from station import Station

PERMIT_GOOD = 65535


def make_modulator(names: Names, station: Station, readings: Readings) -> None:
    """Make the records of the modulator."""
    builder.SetDeviceName(names.modulator)
    modulator = station.modulator

    def ask(word: int) -> None:
        if not modulator.ask(word):
            print(f"{names.modulator}: state {word:04X} cannot be asked for now", flush=True)

    def wrong(number: int, value: int) -> None:
        modulator.causes[number] = bool(value)

    builder.longOut("Sys:StateSet:W", on_update=ask, always_update=True, DESC="State wanted")
    builder.Action("Sys:Reset", on_update=lambda _: modulator.reset(), DESC="Reset interlocks")
    readings.add(builder.longIn, "Sys:StateRead", read=lambda: int(modulator.state))
    readings.add(
        builder.stringIn, "Sys:StateRead:TEXT", read=lambda: modulator.state.name, DESC="State"
    )
    readings.add(
        builder.stringIn,
        "Sys:ErrorRead",
        read=lambda: _error(modulator),
        DESC="What is wrong",
    )
    remaining = {"EGU": "s", "PREC": 1}
    for name in ("Sys:RemainingTime", "TimeRemaining"):
        readings.add(builder.aIn, name, read=lambda: modulator.remaining_s, **remaining)
    for n in range(INTERLOCKS):
        latched = f"Sys:INTLK{n + 1}"
        readings.add(
            builder.longIn, latched, read=lambda n=n: int(modulator.latched[n]), HIGH=1, HSV="MAJOR"
        )
        builder.boolOut(
            f"SIM:INTLK{n + 1}",
            "GOOD",
            "BAD",
            on_update=lambda value, n=n: wrong(n, value),
            DESC=f"Make interlock {n + 1} bad",
        )
    voltage = builder.aOut(
        "VoltSet",
        initial_value=names.voltage_kv,
        EGU="kV",
        PREC=1,
        DRVL=0,
        DRVH=350,
        autosave=True,
        DESC="Voltage wanted",
    )
    readings.add(
        builder.aIn,
        "CcPs1VoltRead",
        read=lambda: voltage.get() if station.status >= 2 else 0.0,
        EGU="kV",
        PREC=1,
        DESC="Voltage",
    )
    readings.add(
        builder.aIn,
        "Pt:Diag:PlswthRead",
        read=lambda: names.pulse_us + 1 if modulator.triggered else 0.0,
        EGU="us",
        PREC=3,
        DESC="Pulse length",
    )
    builder.aIn("Rf:Ionp:PresRead1", initial_value=2e-9, EGU="mbar", PREC=10)


def _error(modulator: Modulator) -> str:
    bad = [str(n + 1) for n, is_bad in enumerate(modulator.latched) if is_bad]
    return f"Interlock {', '.join(bad)}" if bad else "OK"


def make_protection(name: str, station: Station, readings: Readings) -> None:
    """Make the records of a permit: taken away by Off, given again by On or Rst."""
    builder.SetDeviceName(name)
    permits = station.permits

    def give(value: bool) -> None:
        permits[name] = value

    builder.Action("Off", on_update=lambda _: give(False), DESC="Take the permit away")
    builder.Action("On", on_update=lambda _: give(True), DESC="Give the permit")
    builder.Action("Rst", on_update=lambda _: give(True), DESC="Reset")
    readings.add(builder.boolIn, "Sta", "BAD", "GOOD", read=lambda: int(permits[name]), ZSV="MAJOR")
    readings.add(
        builder.longIn, "Cmi", read=lambda: PERMIT_GOOD if permits[name] else 0, DESC="Bits"
    )
