"""What a check tells: a verdict, and a finding for each thing that is wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linacre.kinds.checking.facts import Facts


class Verdict(StrEnum):
    """How something stands."""

    OK = "ok"
    WARNING = "warning"
    """It works, and will not for long, or not as well as it should."""
    PROBLEM = "problem"
    """It does not work, or is not what it is to be."""
    NOT_APPLICABLE = "not applicable"
    """There is nothing to look at, or no way to look."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    what: str
    """The IOC, machine, PV, file or whatever it is."""
    verdict: Verdict
    text: str
    remedy: str
    """What to do about it: a command wherever there is one."""


@dataclass(frozen=True)
class Outcome:
    """What one check says."""

    said: str
    """A line of what was seen; why it is not applicable, where it is not."""
    findings: tuple[Finding, ...] = ()
    applies: bool = True

    @property
    def verdict(self) -> Verdict:
        """The worst that was found."""
        if not self.applies:
            return Verdict.NOT_APPLICABLE
        found = {each.verdict for each in self.findings}
        worst = (Verdict.PROBLEM, Verdict.WARNING)
        return next((verdict for verdict in worst if verdict in found), Verdict.OK)


@dataclass(frozen=True)
class Check:
    """One thing that the doctor looks at."""

    key: str
    title: str
    look: Callable[[Facts], Awaitable[Outcome]]
    about: str
    """What is looked at and when it is told, for the docs."""
    asks_engine: bool = True
    """Whether there is nothing to look at while the engine is silent."""
    limit_s: float = 10.0


def not_applicable(why: str) -> Outcome:
    """Return the outcome of a check that has nothing to look at."""
    return Outcome(why, applies=False)


def problem(what: str, text: str, remedy: str) -> Finding:
    """Return a finding of something that does not work."""
    return Finding(what, Verdict.PROBLEM, text, remedy)


def warning(what: str, text: str, remedy: str) -> Finding:
    """Return a finding of something that works for now."""
    return Finding(what, Verdict.WARNING, text, remedy)
