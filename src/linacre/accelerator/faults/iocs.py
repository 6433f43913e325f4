"""IOCs that faults stop or slow down: carried out by the owner of their processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from linacre.accelerator.faults.kinds import IocCondition
from linacre.base.errors import LinacreError

WELL = IocCondition()


class IocOwner(Protocol):
    """Who can stop IOCs and slow them down; each call raises `LinacreError` where it cannot."""

    def stop(self, ioc: str) -> None:
        """End an IOC, so that it does not come back by itself."""
        ...

    def start(self, ioc: str) -> None:
        """Start an IOC that was stopped."""
        ...

    def delay(self, ioc: str, seconds: float) -> None:
        """Make all that an IOC says late by so much; 0 for no more."""
        ...


class IocFaults:
    """What has been carried out, against what faults ask for.

    What is asked for is a state and no change, so that a request that failed is made again, and
    two faults of one IOC do not undo one another.
    """

    def __init__(self, owner: IocOwner) -> None:
        self._owner = owner
        self._done: dict[str, IocCondition] = {}

    def carry_out(self, wanted: Mapping[str, IocCondition]) -> list[str]:
        """Make IOCs as `Faults.iocs` asks; returns a line for each that could not be."""
        failed: list[str] = []
        for ioc in sorted({*wanted, *self._done}):
            try:
                self._bring(ioc, wanted.get(ioc, WELL))
            except LinacreError as error:
                failed.append(f"{ioc}: {error}")
        return failed

    def _bring(self, ioc: str, wanted: IocCondition) -> None:
        done = self._done.get(ioc, WELL)
        if wanted.dead and not done.dead:
            self._owner.stop(ioc)
        if done.dead and not wanted.dead:
            self._owner.start(ioc)
        done = self._note(ioc, IocCondition(wanted.dead, done.delay_s))
        if wanted.delay_s != done.delay_s:
            self._owner.delay(ioc, wanted.delay_s)
        self._note(ioc, wanted)

    def _note(self, ioc: str, done: IocCondition) -> IocCondition:
        self._done[ioc] = done
        if done == WELL:
            del self._done[ioc]
        return done
