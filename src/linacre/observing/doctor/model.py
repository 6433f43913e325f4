"""What the doctor tells: the result of each check, and what they come to."""

from __future__ import annotations

from dataclasses import dataclass

from linacre.kinds.checking.model import Finding, Verdict


@dataclass(frozen=True)
class Result:
    """One check that was made."""

    check: str
    title: str
    verdict: Verdict
    said: str
    findings: tuple[Finding, ...]
    took_s: float


@dataclass(frozen=True)
class Diagnosis:
    """All that the doctor has to say of a facility."""

    facility: str
    engine: str
    iocs: int
    healthy: bool
    """Whether no check found a problem; warnings are allowed."""
    problems: int
    warnings: int
    took_s: float
    checks: tuple[Result, ...]
