"""Faults of magnets, of their supplies, and of anything that is set."""

from __future__ import annotations

import math

from linacre.accelerator.faults.acts import change, hold, in_turn, put, setting
from linacre.accelerator.faults.kinds import FaultKind, Now, Reset
from linacre.accelerator.faults.parameters import Parameter
from linacre.accelerator.faults.symptoms import Change, Symptom, Where
from linacre.accelerator.faults.targets import TargetKind

_CURRENT = "READI"
_MAGNET = (TargetKind.MAGNET,)
_BENT = Symptom(Where.BEHIND, "orbit", Change.MOVES)


def _rippled(now: Now, current: float) -> float:
    turn = 2 * math.pi * math.fmod(now.shot.pulse, now["period"]) / now["period"]
    return current + now["amplitude"] * math.sin(turn)


KINDS = (
    FaultKind(
        name="stuck-setpoint",
        about="A supply, RF station, laser or mirror takes set points and does not follow them.",
        targets=(TargetKind.MAGNET, TargetKind.RF, TargetKind.LASER, TargetKind.MIRROR),
        symptoms=(Symptom(Where.TARGET, "acting", Change.SAME),),
        finds="the set point and the readback differ, and the beam does not follow",
        on_settings=hold(Now.acting),
        when_written=True,
    ),
    FaultKind(
        name="trip",
        about="A supply's interlock opens: no current.",
        targets=_MAGNET,
        symptoms=(
            Symptom(Where.TARGET, "READI", Change.ZERO),
            Symptom(Where.TARGET, "RILK", Change.ONE),
            Symptom(Where.TARGET, "RPOWER", Change.ZERO),
            _BENT,
        ),
        finds="RILK is TRIPPED and the current 0; the orbit or the focusing behind it is gone",
        on_settings=in_turn(
            change(setting(_CURRENT), lambda now, current: 0.0),
            change(setting("RPOWER"), lambda now, state: 0.0),
        ),
        on_readings=in_turn(put(_CURRENT, 0.0), put("RPOWER", 0.0), put("RILK", 1.0)),
        reset=Reset("RESET", 1.0, "write RESET and switch the supply on"),
    ),
    FaultKind(
        name="ripple",
        about="A supply's current has a ripple, seen at the beats between it and the pulses.",
        targets=_MAGNET,
        parameters=(
            Parameter("amplitude", "of the current", 0.2, 0.001, 20.0, "A"),
            Parameter("period", "of the beat", 7.0, 2.0, 10_000.0, "pulses"),
        ),
        symptoms=(
            Symptom(Where.TARGET, "READI", Change.SPREADS),
            Symptom(Where.BEHIND, "orbit", Change.SPREADS),
        ),
        finds="the current and the orbit behind it swing together",
        on_settings=change(setting(_CURRENT), _rippled),
    ),
    FaultKind(
        name="reversed",
        about="The cables of a magnet are the wrong way round after work on it.",
        targets=_MAGNET,
        symptoms=(Symptom(Where.TARGET, "READI", Change.SAME), _BENT),
        finds="the current reads right; the beam answers to it with the wrong sign",
        on_settings=change(setting(_CURRENT), lambda now, current: -current),
        hides=(_CURRENT,),
    ),
    FaultKind(
        name="shorted-turn",
        about="A coil has a short between its turns: less field from the same current.",
        targets=_MAGNET,
        parameters=(Parameter("share", "of the field that is lost", 0.2, 0.005, 1.0),),
        symptoms=(Symptom(Where.TARGET, "READI", Change.SAME), _BENT),
        finds="the current reads right; the beam answers to it by less than the model says",
        on_settings=change(setting(_CURRENT), lambda now, current: current * (1 - now["share"])),
        hides=(_CURRENT,),
    ),
)
