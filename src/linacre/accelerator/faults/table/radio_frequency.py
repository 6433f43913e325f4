"""Faults of RF stations and of the water that keeps their cavities in tune."""

from __future__ import annotations

import math

from linacre.accelerator.faults.acts import change, in_turn, put, ramp, setting
from linacre.accelerator.faults.kinds import FaultKind, Now, Reset
from linacre.accelerator.faults.parameters import Parameter
from linacre.accelerator.faults.symptoms import Change, Symptom, Where
from linacre.accelerator.faults.targets import TargetKind, Values

POWER, PHASE = "getPower", "getPhase"
_RF = (TargetKind.RF,)
_SLOWER = Symptom(Where.BEHIND, "orbit", Change.MOVES)
EXPANSION_PER_K = 16.5e-6
"""Of copper near room temperature, linear (CRC Handbook of Chemistry and Physics, 97th ed.)."""


def _break_down(values: Values, now: Now) -> None:
    key = (now.target.name, POWER)
    if key in values and now.happens(now["chance"]):
        values[key] *= 1 - now["depth"]


def _jitter(values: Values, now: Now) -> None:
    power, phase = (float(each) for each in now.draws().standard_normal(2))
    name = now.target.name
    if (name, POWER) in values:
        values[name, POWER] *= max(0.0, 1 + now["power"] * power)
    if (name, PHASE) in values:
        values[name, PHASE] += now["phase"] * phase


def _detune(values: Values, now: Now) -> None:
    """Change the field of the cavity as its resonance goes away from the RF's frequency.

    A cavity of a loaded quality Q that is driven by df of f above its resonance has 1/(1 + t^2) of
    the power and a phase of -atan(t), with t = 2 Q df/f; df/f of copper is its expansion (T. P.
    Wangler, RF Linear Accelerators, 2nd ed., Wiley-VCH 2008, on cavities off resonance).
    """
    tuning = 2 * now["quality"] * EXPANSION_PER_K * ramp(now)
    station = now.target.acts_on
    if (station, POWER) in values:
        values[station, POWER] /= 1 + tuning**2
    if (station, PHASE) in values:
        values[station, PHASE] -= math.degrees(math.atan(tuning))


KINDS = (
    FaultKind(
        name="rf-trip",
        about="A station's interlock takes the RF away.",
        targets=_RF,
        symptoms=(
            Symptom(Where.TARGET, POWER, Change.ZERO),
            Symptom(Where.TARGET, "Power:getTrip", Change.ONE),
            _SLOWER,
        ),
        finds="Power:getTrip is BAD and the power 0",
        on_settings=change(setting(POWER), lambda now, power: 0.0),
        on_readings=in_turn(put(POWER, 0.0), put("Power:getTrip", 1.0)),
        reset=Reset("API:setStartup", 1.0, "write API:setStartup"),
    ),
    FaultKind(
        name="breakdown",
        about="The cavity arcs in some pulses: their power comes back.",
        targets=_RF,
        parameters=(
            Parameter("chance", "of each pulse", 0.02, 1e-6, 0.5),
            Parameter("depth", "of the power, what is lost", 0.9, 0.05, 1.0),
        ),
        symptoms=(
            Symptom(Where.TARGET, POWER, Change.JUMPS),
            Symptom(Where.BEHIND, "orbit", Change.JUMPS),
        ),
        finds="single pulses of little power, with their orbits far off",
        on_settings=_break_down,
    ),
    FaultKind(
        name="wrong-phase",
        about="A cavity's phase is off, as after a change of a cable; the readback is not.",
        targets=_RF,
        parameters=(Parameter("by", "of the phase", 20.0, -180.0, 180.0, "deg"),),
        symptoms=(Symptom(Where.TARGET, PHASE, Change.SAME), _SLOWER),
        finds="the momentum is low and the crest is elsewhere",
        on_settings=change(setting(PHASE), lambda now, phase: phase + now["by"]),
        hides=(PHASE,),
    ),
    FaultKind(
        name="phase-drift",
        about="A cavity's phase drifts with a cable's temperature; the readback does not tell.",
        targets=_RF,
        parameters=(
            Parameter("rate", "of the phase", 0.05, -1.0, 1.0, "deg/pulse"),
            Parameter("limit", "how far it goes", 30.0, 0.0, 180.0, "deg"),
        ),
        symptoms=(
            Symptom(Where.TARGET, PHASE, Change.SAME),
            Symptom(Where.BEHIND, "orbit", Change.DRIFTS),
        ),
        finds="the momentum goes away slowly; the phase for the crest goes with it",
        on_settings=change(setting(PHASE), lambda now, phase: phase + ramp(now)),
        hides=(PHASE,),
    ),
    FaultKind(
        name="power-sag",
        about="A klystron gives less than it is asked for.",
        targets=_RF,
        parameters=(Parameter("share", "of the power that is missing", 0.1, 0.001, 0.99),),
        symptoms=(Symptom(Where.TARGET, POWER, Change.FALLS), _SLOWER),
        finds="the power is below its set point",
        on_settings=change(setting(POWER), lambda now, power: power * (1 - now["share"])),
    ),
    FaultKind(
        name="rf-jitter",
        about="A station's amplitude and phase are unsteady.",
        targets=_RF,
        parameters=(
            Parameter("power", "relative, rms", 0.02, 0.0, 0.5),
            Parameter("phase", "rms", 2.0, 0.0, 60.0, "deg"),
        ),
        symptoms=(
            Symptom(Where.TARGET, POWER, Change.SPREADS),
            Symptom(Where.BEHIND, "orbit", Change.SPREADS),
        ),
        finds="power, phase and the dispersive orbit vary together",
        on_settings=_jitter,
    ),
    FaultKind(
        name="water-drift",
        about="The water of a cavity loses its temperature, and the cavity its tune.",
        targets=(TargetKind.WATER,),
        parameters=(
            Parameter("rate", "of the temperature", 0.01, -1.0, 1.0, "K/pulse"),
            Parameter("limit", "how far it goes", 2.0, 0.0, 30.0, "K"),
            Parameter("quality", "of the loaded cavity", 6500.0, 100.0, 1e6),
        ),
        symptoms=(
            Symptom(Where.TARGET, "RT", Change.DRIFTS),
            Symptom(Where.BEHIND, "orbit", Change.DRIFTS),
        ),
        finds="the temperature goes, and the momentum with it; the forward power does not tell",
        on_settings=_detune,
        on_readings=change(Now.main, lambda now, value: value + ramp(now)),
        hides=(POWER, PHASE),
    ),
)
