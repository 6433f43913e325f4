"""The RF of the gun or of linac 1: a softioc program, with a model for hardware.

Its argument says which: `gun` or `l01`.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from channels import make_channels, noisy
from names import STATIONS, Names
from protection import make_modulator, make_protection
from readings import Readings
from softioc import alarm, asyncio_dispatcher, autosave, builder, imports, softioc
from station import ACHIEVED, AMPLITUDE_MAX, Station

PERIOD_S = 0.5
TIME_SAMPLES = 1017

# Declared persistent, so what is here outlives the machine: the set points of the records that
# are made with autosave.
DATA = Path("data")
SAVE_PERIOD_S = 5.0

PID_OFF, PID_ON, _, PID_TRIP = range(4)


class Ioc:
    """The records of one station."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._readings = Readings()
        self._station = Station(names.power_max_mw, permits=dict.fromkeys(names.protection, True))
        self._make_low_level()
        self._make_control()
        self._make_loops()
        make_modulator(names, self._station, self._readings)
        for name in names.protection:
            make_protection(name, self._station, self._readings)
        for name in names.databases:
            imports.dbLoadDatabase(str(Path(name).resolve()), None, "")

    async def run(self) -> None:
        """Publish what is, for ever."""
        # What autosave has brought back: the others follow.
        self._amplitude_set(self._amplitude.get())
        self._phase_follow(self._phase.get())
        while True:
            self._station.tick(
                PERIOD_S,
                amplitude=self._amplitude.get() if self._control_on.get() else 0.0,
                loop=bool(self._loops["Power"].get()),
            )
            self._readings.publish()
            await asyncio.sleep(PERIOD_S)

    def _make_low_level(self) -> None:
        builder.SetDeviceName(self._names.low_level)
        start = self._station.amplitude(self._names.power_mw)
        wide = {"DRVL": 0, "DRVH": AMPLITUDE_MAX, "LOPR": 0, "HOPR": AMPLITUDE_MAX}
        self._amplitude = builder.aOut(
            "vm:dsp:sp_amp:amplitude",
            initial_value=start,
            PREC=1,
            DESC="Amplitude wanted",
            on_update=self._amplitude_set,
            autosave=True,
            **wide,
        )
        self._phase = builder.aOut(
            "vm:dsp:sp_ph:phase",
            initial_value=self._names.crest_deg,
            EGU="deg",
            PREC=3,
            DESC="Phase wanted",
            on_update=self._phase_follow,
            autosave=True,
        )
        self._readings.add(
            builder.aIn,
            "vm:dsp:ff_amp:amplitude",
            read=lambda: self._amplitude.get() if self._station.rf_on else 0.0,
            PREC=1,
            DESC="Amplitude given",
        )
        self._readings.add(
            builder.aIn, "vm:dsp:ff_ph:phase", read=self._phase.get, EGU="deg", PREC=3
        )
        for name, text in (("amp", "Amplitude"), ("ph", "Phase")):
            builder.boolOut(
                f"vm:dsp:ff_{name}:lock", "OFF", "ON", initial_value=1, DESC=f"{text} follows"
            )
        pulse = {"EGU": "us", "PREC": 3, "DRVL": 0, "DRVH": 5, "autosave": True}
        builder.aOut(
            "vm:feed_fwd:duration", initial_value=self._names.pulse_us, DESC="Pulse length", **pulse
        )
        builder.aOut("vm:feed_fwd:offset", initial_value=0.0, DESC="Pulse begins", **pulse)
        self._control_on = builder.boolOut(
            "app:rf_ctrl", "OFF", "ON", initial_value=1, DESC="RF control", autosave=True
        )
        self._readings.add(
            builder.boolIn,
            "app:interlock:state",
            "GOOD",
            "BAD",
            read=lambda: int(not self._station.permitted),
            OSV="MAJOR",
            DESC="Interlock",
        )
        builder.mbbOut("tcm:trig:source", "EXTERNAL", "INTERNAL", initial_value=0, DESC="Trigger")
        builder.WaveformIn(
            "app:time_vector", [n * 5 / (TIME_SAMPLES - 1) for n in range(TIME_SAMPLES)]
        )
        make_channels(self._names, self._station, self._readings)

    def _amplitude_set(self, amplitude: float) -> None:
        self._set_power.set(round(self._station.power(amplitude), 6), process=False)

    def _power_set(self, power_mw: float) -> None:
        self._amplitude.set(self._station.amplitude(power_mw), process=False)

    def _make_control(self) -> None:
        builder.SetDeviceName(self._names.control)
        station, top = self._station, self._names.power_max_mw
        self._set_power = builder.aOut(
            "setPower",
            initial_value=self._names.power_mw,
            EGU="MW",
            PREC=3,
            DRVL=0,
            DRVH=top,
            LOPR=0,
            HOPR=top,
            DESC="Klystron power wanted",
            on_update=self._power_set,
        )
        self._readings.add(
            builder.aIn,
            "getPower",
            read=lambda: noisy(station.power_mw),
            EGU="MW",
            PREC=3,
            LOPR=0,
            HOPR=top,
            MDEL=0.01 * top,
            ADEL=0.02 * top,
            DESC="Klystron power",
        )
        degrees = {"EGU": "deg", "PREC": 3}
        self._crest = builder.aOut(
            "PHASE_C",
            initial_value=self._names.crest_deg,
            on_update=lambda _: self._phase_set(),
            autosave=True,
            DESC="Phase of the crest",
            **degrees,
        )
        self._off_crest = builder.aOut(
            "PHASE_OFF",
            initial_value=0.0,
            on_update=lambda _: self._phase_set(),
            autosave=True,
            DESC="Off crest by, wanted",
            **degrees,
        )
        self._set_phase = builder.aOut(
            "setPhase",
            initial_value=self._names.crest_deg,
            on_update=self._phase.set,
            DESC="Phase wanted",
            **degrees,
        )
        self._readings.add(builder.aIn, "getPhase", read=self._phase.get, DESC="Phase", **degrees)
        self._readings.add(
            builder.aIn,
            "getCrestPhase",
            read=lambda: self._phase.get() - self._crest.get(),
            DESC="Off crest by",
            **degrees,
        )
        self._make_api()

    def _phase_follow(self, phase_deg: float) -> None:
        self._set_phase.set(phase_deg, process=False)

    def _phase_set(self) -> None:
        self._phase.set(self._crest.get() + self._off_crest.get())

    def _make_api(self) -> None:
        """Make the switches of the high-level control, and where it stands."""
        station = self._station

        def trip(value: int) -> None:
            station.tripped = bool(value)

        def enable(value: int) -> None:
            station.enabled = bool(value)

        builder.boolOut("API:setEnable", "OFF", "ON", on_update=enable, DESC="Switch on")
        builder.boolOut(
            "API:setTrip",
            "CLEAR",
            "TRIP",
            on_update=trip,
            always_update=True,
            DESC="Trip, or clear",
        )
        builder.Action("API:setStartup", on_update=lambda _: station.start(), DESC="Start it all")
        self._readings.add(
            builder.boolIn,
            "API:getStartupComplete",
            "NO",
            "YES",
            read=lambda: int(station.started),
            DESC="All is started",
        )
        self._readings.add(
            builder.mbbIn,
            "API:getStatus",
            *("OFF", "STANDBY", "HV_ON", "TRIG", "API_ON"),
            read=lambda: station.status,
            DESC="How far it is",
        )
        self._readings.add(
            builder.mbbIn,
            "API:getTrip",
            *("API_OFF", "API_ON", ("TRIP", alarm.MAJOR_ALARM)),
            read=lambda: 2 if station.tripped else int(station.enabled),
            DESC="Tripped",
        )
        self._readings.add(
            builder.boolIn,
            "Power:getTrip",
            "GOOD",
            "BAD",
            read=lambda: int(station.tripped),
            OSV="MAJOR",
            DESC="Power tripped",
        )

    def _make_loops(self) -> None:
        self._loops = {
            name: builder.boolOut(
                f"{name}:PID:setOnRequest", "OFF", "ON", initial_value=1, DESC=f"Close {name} loop"
            )
            for name in ("Power", "Phase")
        }
        for name, loop in self._loops.items():
            self._readings.add(
                builder.mbbIn,
                f"{name}:PID:getStatus",
                *("PID_OFF", "PID_ON", "PID_REMOTE", ("TRIP", alarm.MAJOR_ALARM), "INTERMEDIATE"),
                read=lambda loop=loop: self._loop_status(loop),
                DESC=f"{name} loop",
            )
            achieved = self._power_achieved if name == "Power" else lambda: int(self._station.rf_on)
            self._readings.add(
                builder.boolIn, f"{name}:Achieved:getBinary", "NO", "YES", read=achieved
            )

    def _loop_status(self, loop: Any) -> int:
        if self._station.tripped:
            return PID_TRIP
        return PID_ON if loop.get() else PID_OFF

    def _power_achieved(self) -> int:
        wanted = self._set_power.get()
        return int(
            self._station.rf_on and abs(self._station.power_mw - wanted) <= ACHIEVED * wanted
        )


def main() -> None:
    dispatcher = asyncio_dispatcher.AsyncioDispatcher()
    DATA.mkdir(exist_ok=True)
    autosave.configure(DATA, sys.argv[1], save_period=SAVE_PERIOD_S, timestamped_backups=False)
    ioc = Ioc(STATIONS[sys.argv[1]])
    builder.LoadDatabase()
    softioc.iocInit(dispatcher)
    asyncio.run_coroutine_threadsafe(ioc.run(), dispatcher.loop)
    softioc.interactive_ioc(globals())


if __name__ == "__main__":
    main()
