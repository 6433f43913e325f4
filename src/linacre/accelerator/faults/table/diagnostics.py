"""Faults of what is read: monitors, cameras, screens, triggers; and losses that they show."""

from __future__ import annotations

from linacre.accelerator.faults.acts import change, hold, ramp
from linacre.accelerator.faults.kinds import FaultKind, Now
from linacre.accelerator.faults.parameters import Parameter
from linacre.accelerator.faults.symptoms import Change, Symptom, Where
from linacre.accelerator.faults.targets import TRANSMISSION, TargetKind, Values

_BPM = (TargetKind.BPM,)
_MEASURED = (TargetKind.BPM, TargetKind.CHARGE, TargetKind.GAUGE, TargetKind.WATER)
_IN_BEAM = (TargetKind.MAGNET, TargetKind.BPM, TargetKind.SCREEN, TargetKind.COLLIMATOR)
_READ = (*_MEASURED, TargetKind.MAGNET, TargetKind.CAMERA, TargetKind.RF, TargetKind.LASER)
_ALIKE = Symptom(Where.BEHIND, "Q", Change.SAME)


def _itself(found: Change) -> Symptom:
    return Symptom(Where.TARGET, "*", found)


def _swap(values: Values, now: Now) -> None:
    x, y = ((now.target.name, quantity) for quantity in "XY")
    if x in values and y in values:
        values[x], values[y] = values[y], values[x]


def _silence(values: Values, now: Now) -> None:
    for key in now.readings():
        values.pop(key, None)
    if now.target.kind is TargetKind.BPM:
        values[now.target.name, "RDY"] = 0.0


def _spike(values: Values, now: Now) -> None:
    drawn = now.draws().random(2)
    if drawn[0] < now["chance"]:
        for key in now.main():
            if key in values:
                values[key] += now["height"] if drawn[1] < 0.5 else -now["height"]


def _add_noise(values: Values, now: Now) -> None:
    keys = now.main()
    for key, drawn in zip(keys, now.draws().standard_normal(len(keys)), strict=True):
        if key in values:
            values[key] += now["rms"] * float(drawn)


def _no_drive(values: Values, now: Now) -> None:
    """Take away what a station or the laser gives in a pulse without its trigger."""
    driven = {TargetKind.RF: "getPower", TargetKind.LASER: "E"}.get(now.target.kind)
    key = (now.target.name, driven or "")
    if key in values and now.happens(now["share"]):
        values[key] = 0.0


def _no_reading(values: Values, now: Now) -> None:
    if now.target.kind not in (TargetKind.RF, TargetKind.LASER) and now.happens(now["share"]):
        _silence(values, now)


def _transmit(values: Values, now: Now) -> None:
    key = (now.target.name, TRANSMISSION)
    values[key] = values.get(key, 1.0) * (1 - now["share"])


KINDS = (
    FaultKind(
        name="freeze",
        about="A reading is not renewed, though it looks alive.",
        targets=_READ,
        symptoms=(_itself(Change.HOLDS),),
        finds="it is the same to its last digit, pulse after pulse",
        on_readings=hold(Now.readings),
        of_quantity=True,
    ),
    FaultKind(
        name="drift",
        about="A reading goes away slowly, with nothing behind it.",
        targets=_READ,
        parameters=(
            Parameter("rate", "of the reading, in its unit", 1e-3, -1e3, 1e3, "/pulse"),
            Parameter("limit", "how far it goes", 1e3, 0.0, 1e6),
        ),
        symptoms=(_itself(Change.DRIFTS),),
        finds="it goes while its neighbours stay",
        on_readings=change(Now.main, lambda now, value: value + ramp(now)),
        of_quantity=True,
    ),
    FaultKind(
        name="jump",
        about="A reading has an offset from one pulse to the next, as after a loose plug.",
        targets=_MEASURED,
        parameters=(Parameter("by", "in the unit of the reading", 1.0, -1e3, 1e3),),
        symptoms=(_itself(Change.MOVES), _ALIKE),
        finds="it steps while its neighbours stay",
        on_readings=change(Now.main, lambda now, value: value + now["by"]),
        of_quantity=True,
    ),
    FaultKind(
        name="noise",
        about="A reading is noisy, as from a bad connector or a neighbour's supply.",
        targets=_MEASURED,
        parameters=(Parameter("rms", "in the unit of the reading", 0.3, 1e-12, 1e3),),
        symptoms=(_itself(Change.SPREADS), _ALIKE),
        finds="it varies while its neighbours do not",
        on_readings=_add_noise,
        of_quantity=True,
    ),
    FaultKind(
        name="spikes",
        about="A reading is far off now and then.",
        targets=_MEASURED,
        parameters=(
            Parameter("chance", "of each pulse", 0.05, 1e-5, 0.5),
            Parameter("height", "in the unit of the reading", 5.0, 1e-12, 1e6),
        ),
        symptoms=(_itself(Change.JUMPS), _ALIKE),
        finds="single pulses that no neighbour sees",
        on_readings=_spike,
        of_quantity=True,
    ),
    FaultKind(
        name="miscalibrated",
        about="A monitor was given the wrong calibration.",
        targets=(TargetKind.BPM, TargetKind.CHARGE),
        parameters=(Parameter("factor", "of the right one", 0.7, 0.01, 100.0),),
        symptoms=(
            Symptom(Where.TARGET, "*", Change.MOVES, (TargetKind.CHARGE,)),
            Symptom(Where.TARGET, "X", Change.MOVES, (TargetKind.BPM,)),
            _ALIKE,
        ),
        finds="its answer to a known change is wrong by a factor",
        on_readings=change(Now.main, lambda now, value: value * now["factor"]),
        of_quantity=True,
    ),
    FaultKind(
        name="swapped-planes",
        about="A BPM's cables for x and y are swapped.",
        targets=_BPM,
        symptoms=(Symptom(Where.TARGET, "X", Change.MOVES), _ALIKE),
        finds="a horizontal corrector moves Y",
        on_readings=_swap,
    ),
    FaultKind(
        name="no-signal",
        about="A BPM or a charge monitor gives no signal: its electronics are off.",
        targets=(TargetKind.BPM, TargetKind.CHARGE),
        symptoms=(
            _itself(Change.VANISHES),
            Symptom(Where.TARGET, "RDY", Change.ZERO, _BPM),
            _ALIKE,
        ),
        finds="no reading, with beam before it and behind it",
        on_readings=_silence,
    ),
    FaultKind(
        name="lost-trigger",
        about="A device gets no trigger in some pulses, or in none.",
        targets=(
            TargetKind.BPM,
            TargetKind.CHARGE,
            TargetKind.CAMERA,
            TargetKind.RF,
            TargetKind.LASER,
        ),
        parameters=(Parameter("share", "of the pulses", 1.0, 1e-4, 1.0),),
        symptoms=(
            Symptom(
                Where.TARGET,
                "*",
                Change.VANISHES,
                (TargetKind.BPM, TargetKind.CHARGE, TargetKind.CAMERA),
            ),
            Symptom(Where.TARGET, "*", Change.ZERO, (TargetKind.RF, TargetKind.LASER)),
            Symptom(Where.BEHIND, "Q", Change.FALLS, (TargetKind.LASER,)),
            Symptom(Where.BEHIND, "orbit", Change.MOVES, (TargetKind.RF,)),
        ),
        finds="a monitor is not renewed; a station or the laser gives nothing",
        on_settings=_no_drive,
        on_readings=_no_reading,
    ),
    FaultKind(
        name="frozen-camera",
        about="A camera says that it acquires, and shows its last image.",
        targets=(TargetKind.CAMERA,),
        symptoms=(
            Symptom(Where.TARGET, "SIM:IMAGE", Change.HOLDS),
            Symptom(Where.TARGET, "ANA:X_RBV", Change.HOLDS),
        ),
        finds="the number of the image stays, and the spot to its last digit",
        on_readings=hold(Now.readings),
    ),
    FaultKind(
        name="stuck-screen",
        about="A screen's drive is jammed.",
        targets=(TargetKind.SCREEN,),
        symptoms=(Symptom(Where.TARGET, "acting", Change.SAME),),
        finds="it stays where it is, whatever is selected",
        on_settings=hold(Now.acting),
        when_written=True,
    ),
    FaultKind(
        name="beam-loss",
        about="Something is in the way of the beam at an element, or it is steered into it.",
        targets=_IN_BEAM,
        parameters=(Parameter("share", "of the charge that is lost", 0.5, 0.001, 1.0),),
        symptoms=(
            Symptom(Where.BEHIND, "Q", Change.FALLS),
            Symptom(Where.BEFORE, "Q", Change.SAME),
        ),
        finds="the charge is less from there on",
        on_settings=_transmit,
    ),
)
