"""Beam position monitors, named as arguments: a softioc program, with a model for hardware."""

from __future__ import annotations

import asyncio
import ctypes
import json
import math
import random
import sys
import time
from pathlib import Path

from softioc import asyncio_dispatcher, builder, imports, softioc

PERIOD_S = 0.5
NOISE_MM = 0.005
DRIFT_MM = 0.03
DRIFT_PERIOD_S = 120.0
RAW_ELEMENTS = 9
PLATES = ("North", "South", "East", "West")
DBR_LONG = 5
DBR_DOUBLE = 10

# Declared persistent, so what is here outlives the machine.
OFFSETS = Path("data/offsets.json")


def load_offsets() -> dict[str, float]:
    try:
        return json.loads(OFFSETS.read_text())
    except (OSError, ValueError):
        return {}


def store_offset(offsets: dict[str, float], key: str, value: float) -> None:
    offsets[key] = value
    OFFSETS.parent.mkdir(exist_ok=True)
    new = OFFSETS.with_suffix(".new")
    new.write_text(json.dumps(offsets, indent=1, sort_keys=True))
    new.replace(OFFSETS)


class Bpm:
    """One monitor: its records, and the beam it sees."""

    def __init__(self, name: str, number: int, offsets: dict[str, float]) -> None:
        self.name = name
        self._phase = float(number)
        self._offsets = offsets
        builder.SetDeviceName(name)
        limits = {"LOPR": -15, "HOPR": 15, "MDEL": 0.01, "ADEL": 0.02}
        self._x = builder.aIn("X", EGU="mm", PREC=4, DESC="Horizontal position", **limits)
        self._y = builder.aIn("Y", EGU="mm", PREC=4, DESC="Vertical position", **limits)
        self._ready = builder.boolIn("RDY", "NO BEAM", "BEAM", DESC="Beam present")
        self._trigger = builder.boolOut("AWAK", "OFF", "ON", initial_value=1, DESC="Trigger")
        for axis in "XY":
            builder.aOut(
                f"{axis}:OFFSET",
                initial_value=offsets.get(f"{name}:{axis}", 0.0),
                EGU="mm",
                PREC=4,
                DRVL=-5,
                DRVH=5,
                DESC="Taken from the measured position",
                on_update=lambda value, axis=axis: self._set_offset(axis, value),
            )
        for kind, text, start, unit in (("A", "Attenuator", 12, "dB"), ("D", "Delay", 0, "ns")):
            for plate in (1, 2):
                self._settable(f"{kind}{plate}", f"{text} {plate}", start, unit)
        self._plates = [
            builder.aIn(f"{plate}:DWnd:V", EGU="V", PREC=4, MDEL=0.002, ADEL=0.004)
            for plate in PLATES
        ]
        imports.dbLoadDatabase(str(Path("raw.db").resolve()), None, f"NAME={name}")

    def _settable(self, suffix: str, text: str, start: int, unit: str) -> None:
        """Make a set point, S..., and its readback, R..."""
        fields = {"EGU": unit, "LOPR": 0, "HOPR": 31}
        readback = builder.longIn(f"R{suffix}", initial_value=start, DESC=text, **fields)
        builder.longOut(
            f"S{suffix}",
            initial_value=start,
            DRVL=0,
            DRVH=31,
            DESC=f"{text} set point",
            on_update=readback.set,
            **fields,
        )

    def _set_offset(self, axis: str, value: float) -> None:
        store_offset(self._offsets, f"{self.name}:{axis}", value)

    def measure(self, now: float) -> None:
        """Publish one shot."""
        beam = bool(self._trigger.get())
        self._ready.set(beam)
        if not beam:
            return
        turn = 2 * math.pi * now / DRIFT_PERIOD_S + self._phase
        x = DRIFT_MM * math.sin(turn) + random.gauss(0, NOISE_MM)
        y = DRIFT_MM * math.cos(turn) + random.gauss(0, NOISE_MM)
        self._x.set(round(x - self._offsets.get(f"{self.name}:X", 0.0), 5))
        self._y.set(round(y - self._offsets.get(f"{self.name}:Y", 0.0), 5))
        signals = (1.0 + y / 15, 1.0 - y / 15, 1.0 + x / 15, 1.0 - x / 15)
        for plate, signal in zip(self._plates, signals, strict=True):
            plate.set(signal)
        self._put_raw((now, x, y, *signals, 0.0, 0.0))

    def _put_raw(self, values: tuple[float, ...]) -> None:
        record = f"{self.name}:DATA:B2V"
        # Processed first: that is what gives the record the time of this shot.
        one = ctypes.c_int32(1)
        imports.db_put_field_process(f"{record}.PROC", DBR_LONG, ctypes.addressof(one), 1, True)
        data = (ctypes.c_double * RAW_ELEMENTS)(*values)
        imports.db_put_field_process(
            f"{record}.VALA", DBR_DOUBLE, ctypes.addressof(data), RAW_ELEMENTS, False
        )


async def run(bpms: list[Bpm]) -> None:
    while True:
        for bpm in bpms:
            bpm.measure(time.time())
        await asyncio.sleep(PERIOD_S)


def main() -> None:
    dispatcher = asyncio_dispatcher.AsyncioDispatcher()
    offsets = load_offsets()
    bpms = [Bpm(name, number, offsets) for number, name in enumerate(sys.argv[1:])]
    builder.LoadDatabase()
    softioc.iocInit(dispatcher)
    asyncio.run_coroutine_threadsafe(run(bpms), dispatcher.loop)
    softioc.interactive_ioc(globals())


if __name__ == "__main__":
    main()
