"""The checks are made together: one that breaks takes nothing from the others."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from doctor_support import FakeEngine, session_of

from linacre.base.errors import EngineError, LinacreError
from linacre.kinds.checking.facts import Facts
from linacre.kinds.checking.model import Check, Outcome
from linacre.observing.doctor.checks import CHECKS
from linacre.observing.doctor.run import diagnose
from linacre.session.state import FacilityNote, Standing


async def fine(_: Facts) -> Outcome:
    return Outcome("all is well")


async def breaks(_: Facts) -> Outcome:
    raise ZeroDivisionError("a defect")


async def fails(_: Facts) -> Outcome:
    raise LinacreError("the world failed it")


async def hangs(_: Facts) -> Outcome:
    await asyncio.Event().wait()
    raise AssertionError


class Unreachable(FakeEngine):
    async def open(self) -> None:
        raise EngineError("incusd ended: no space left")

    async def close(self) -> None:
        pass


def check(key: str, look: object, *, asks_engine: bool = False) -> Check:
    return Check(key, key, look, "", asks_engine=asks_engine, limit_s=0.05)  # type: ignore[arg-type]


async def test_a_check_that_breaks_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    session = replace(session_of(tmp_path, Unreachable()), engine_line=None)
    checks = [check("a", breaks), check("b", fine), check("c", hangs), check("d", fails)]
    found = await diagnose(session, checks=checks)
    assert [(each.check, each.verdict) for each in found.checks] == [
        ("a", "problem"),
        ("b", "ok"),
        ("c", "problem"),
        ("d", "problem"),
    ]
    texts = [finding.text for each in found.checks for finding in each.findings]
    assert texts == [
        "this check broke: ZeroDivisionError: a defect",
        "this check did not end within 0.05 s",
        "this check could not be made: the world failed it",
    ]
    assert not found.healthy


async def test_an_engine_out_of_reach_is_one_problem(tmp_path: Path) -> None:
    found = await diagnose(session_of(tmp_path, Unreachable()))
    assert [each.check for each in found.checks] == [check.key for check in CHECKS]
    engine, *others = found.checks
    assert engine.verdict == "problem"
    assert engine.findings[0].text == "incusd ended: no space left"
    silent = {each.check for each in others if each.said == "incusd ended: no space left"}
    assert silent == {check.key for check in CHECKS if check.asks_engine}
    assert all(each.verdict == "not applicable" for each in others if each.check in silent)


async def test_a_facility_that_is_down_is_no_problem(tmp_path: Path) -> None:
    session = session_of(tmp_path, Unreachable())
    note = FacilityNote(facility="test", file=tmp_path, engine="incus", standing=Standing.DOWN)
    found = await diagnose(replace(session, note=note), checks=CHECKS[:8])
    assert found.healthy
    assert {each.said for each in found.checks} == {"test is down: linacre up"}
