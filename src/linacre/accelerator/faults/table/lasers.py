"""Faults of the photoinjector's laser and of its way to the cathode."""

from __future__ import annotations

from linacre.accelerator.faults.acts import change, hold, ramp, setting
from linacre.accelerator.faults.kinds import FaultKind, Now
from linacre.accelerator.faults.parameters import Parameter
from linacre.accelerator.faults.symptoms import Change, Symptom, Where
from linacre.accelerator.faults.targets import TargetKind

KINDS = (
    FaultKind(
        name="laser-drop",
        about="The laser loses energy.",
        targets=(TargetKind.LASER,),
        parameters=(Parameter("share", "of the energy that is lost", 0.3, 0.001, 1.0),),
        symptoms=(
            Symptom(Where.TARGET, "E", Change.FALLS),
            Symptom(Where.BEHIND, "Q", Change.FALLS),
        ),
        finds="the meter and all of the charge are low by one factor",
        on_settings=change(setting("E"), lambda now, energy: energy * (1 - now["share"])),
    ),
    FaultKind(
        name="mirror-drift",
        about="The last mirror before the cathode creeps; its counter of steps does not tell.",
        targets=(TargetKind.MIRROR,),
        parameters=(
            Parameter("rate", "of the mirror", 0.5, -100.0, 100.0, "steps/pulse"),
            Parameter("limit", "how far it goes", 1e3, 0.0, 1e5, "steps"),
        ),
        symptoms=(
            Symptom(Where.TARGET, "POS", Change.SAME),
            Symptom(Where.BEHIND, "orbit", Change.DRIFTS),
        ),
        finds="the orbit drifts from the first BPM on, with no current changed",
        on_settings=change(setting("POS"), lambda now, place: place + ramp(now)),
        hides=("POS",),
    ),
    FaultKind(
        name="stuck-shutter",
        about="A laser shutter stays where it is.",
        targets=(TargetKind.SHUTTER,),
        symptoms=(Symptom(Where.TARGET, "acting", Change.SAME),),
        finds="its state stays, whatever is asked for",
        on_settings=hold(Now.acting),
        when_written=True,
    ),
)
