"""Faults of the vacuum and of its valves."""

from __future__ import annotations

import math

from linacre.accelerator.faults.acts import change, hold, put, ramp, setting
from linacre.accelerator.faults.kinds import FaultKind, Now, Reset
from linacre.accelerator.faults.parameters import Parameter
from linacre.accelerator.faults.symptoms import Change, Symptom, Where
from linacre.accelerator.faults.targets import TargetKind

_GAUGE, _VALVE = (TargetKind.GAUGE,), (TargetKind.VALVE,)
_STATE = "Sta"
_CLOSED = 0.0

KINDS = (
    FaultKind(
        name="vacuum-burst",
        about="Gas comes off a surface at once and is pumped away.",
        targets=_GAUGE,
        parameters=(
            Parameter("peak", "above the pressure there is", 3e-8, 1e-11, 1e-3, "mbar"),
            Parameter("decay", "to 1/e", 50.0, 1.0, 1e5, "pulses"),
        ),
        symptoms=(Symptom(Where.TARGET, "*", Change.RISES),),
        finds="the pressure jumps and comes down by itself; interlocks may act on it",
        on_readings=change(
            Now.main, lambda now, value: value + now["peak"] * math.exp(-now.age / now["decay"])
        ),
    ),
    FaultKind(
        name="leak",
        about="Air comes in, more and more.",
        targets=_GAUGE,
        parameters=(
            Parameter("rate", "of the pressure", 1e-11, 1e-14, 1e-5, "mbar/pulse"),
            Parameter("limit", "how far it rises", 1e-6, 1e-12, 1e-3, "mbar"),
        ),
        symptoms=(Symptom(Where.TARGET, "*", Change.DRIFTS),),
        finds="the pressure rises, and does not come down",
        on_readings=change(Now.main, lambda now, value: value + ramp(now)),
    ),
    FaultKind(
        name="stuck-valve",
        about="A valve stays where it is.",
        targets=_VALVE,
        symptoms=(Symptom(Where.TARGET, "acting", Change.SAME),),
        finds="its state stays, whatever is asked for",
        on_settings=hold(Now.acting),
        when_written=True,
    ),
    FaultKind(
        name="valve-closes",
        about="A valve is closed by its interlock, and not opened again by it.",
        targets=_VALVE,
        symptoms=(
            Symptom(Where.TARGET, _STATE, Change.ZERO),
            Symptom(Where.BEHIND, "Q", Change.FALLS),
            Symptom(Where.BEHIND, "RDY", Change.ZERO),
            Symptom(Where.BEFORE, "Q", Change.SAME),
        ),
        finds="no beam behind it, and its state is CLOSED",
        on_settings=change(setting(_STATE), lambda now, state: _CLOSED),
        on_readings=put(_STATE, _CLOSED),
        reset=Reset("On", 1.0, "write On"),
    ),
)
