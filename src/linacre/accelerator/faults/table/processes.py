"""Faults of IOCs, stated as what the owner of their processes is to make of them."""

from __future__ import annotations

from linacre.accelerator.faults.kinds import FaultKind, IocCondition
from linacre.accelerator.faults.parameters import Parameter
from linacre.accelerator.faults.symptoms import Change, Symptom, Where
from linacre.accelerator.faults.targets import TargetKind

_IOC = (TargetKind.IOC,)

KINDS = (
    FaultKind(
        name="dead-ioc",
        about="An IOC ends and does not come back.",
        targets=_IOC,
        symptoms=(Symptom(Where.TARGET, "*", Change.VANISHES),),
        finds="all of its PVs are disconnected, and others are not",
        condition=lambda now: IocCondition(dead=True),
    ),
    FaultKind(
        name="slow-ioc",
        about="An IOC is overloaded: all that it says is late.",
        targets=_IOC,
        parameters=(Parameter("delay", "of each answer", 500.0, 1.0, 60_000.0, "ms"),),
        symptoms=(Symptom(Where.TARGET, "*", Change.LATE),),
        finds="its PVs answer late, and those of other IOCs do not",
        condition=lambda now: IocCondition(delay_s=now["delay"] / 1000),
    ),
)
