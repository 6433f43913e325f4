"""Making the checks, all at once, each within its time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from linacre.base.errors import LinacreError
from linacre.kinds.checking.facts import Facts, gather_facts, no_facts
from linacre.kinds.checking.model import Check, Outcome, Verdict, not_applicable, problem
from linacre.kinds.registry import kinds_of
from linacre.observing.doctor.checks import checks_of
from linacre.observing.doctor.model import Diagnosis, Result
from linacre.session.session import Session
from linacre.session.state import Standing

ENGINE_LIMIT_S = 15.0
_AGAIN = "run it again as linacre --debug doctor for the whole story"


async def diagnose(session: Session, *, checks: Sequence[Check] | None = None) -> Diagnosis:
    """Make every check of a facility and tell what was found; nothing is mended.

    As with any command, a daemon of ours that does not run is started, and cables that a command
    killed meanwhile was moving are brought to their place.
    """
    begun = session.clock.monotonic()
    if checks is None:
        checks = checks_of(kinds_of(session))
    async with _facts(session) as facts:
        results = await asyncio.gather(*(_make(check, facts) for check in checks))
    problems, warnings = (
        sum(f.verdict is verdict for result in results for f in result.findings)
        for verdict in (Verdict.PROBLEM, Verdict.WARNING)
    )
    return Diagnosis(
        facility=session.name,
        engine=session.engine.name,
        iocs=len(session.declaration.facility.iocs),
        healthy=not problems,
        problems=problems,
        warnings=warnings,
        took_s=round(session.clock.monotonic() - begun, 3),
        checks=tuple(results),
    )


@asynccontextmanager
async def _facts(session: Session) -> AsyncGenerator[Facts]:
    """Give the facts, those of the engine where it answers in time."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(ENGINE_LIMIT_S):
                facts = await _from_engine(session, stack)
        except TimeoutError:
            why = f"it does not answer within {ENGINE_LIMIT_S:.0f} s"
            facts = no_facts(session, why=why, wrong=True)
        except (LinacreError, OSError) as error:
            facts = no_facts(session, why=str(error), wrong=True)
        try:
            yield facts
        finally:
            asked: list[asyncio.Task[Any]] = [*facts.listings.values()]
            asked += [facts.reports] if facts.reports is not None else []
            for each in asked:
                each.cancel()
            await asyncio.gather(*asked, return_exceptions=True)


async def _from_engine(session: Session, stack: contextlib.AsyncExitStack) -> Facts:
    if session.note is not None and session.note.standing is Standing.DOWN:
        return no_facts(session, why=f"{session.name} is down: linacre up", wrong=False)
    if not await session.engine.exists():
        # That it was brought up here and is gone is a fault; that it never was is none.
        return no_facts(session, why=f"{session.name} is not up", wrong=session.note is not None)
    await stack.enter_async_context(session.engine_open())
    return await gather_facts(session)


async def _make(check: Check, facts: Facts) -> Result:
    clock = facts.session.clock
    begun = clock.monotonic()
    if check.asks_engine and facts.silence is not None:
        outcome = not_applicable(facts.silence)
    else:
        outcome = await _outcome(check, facts)
    return Result(
        check=check.key,
        title=check.title,
        verdict=outcome.verdict,
        said=outcome.said,
        findings=outcome.findings,
        took_s=round(clock.monotonic() - begun, 3),
    )


async def _outcome(check: Check, facts: Facts) -> Outcome:
    """Make one check; what breaks in it is a finding, and the others go on."""
    try:
        async with asyncio.timeout(check.limit_s):
            return await check.look(facts)
    except TimeoutError:
        text = f"this check did not end within {check.limit_s:g} s"
    except LinacreError as error:
        text = f"this check could not be made: {error}"
    except Exception as error:
        # A defect of one check must not take the others' findings from whoever needs them.
        text = f"this check broke: {type(error).__name__}: {error}"
    return Outcome("not known", (problem(check.title, text, _AGAIN),))
