"""What the doctor looks at in archivers alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, cast

from linacre.base.listing import counted, listed
from linacre.declaration.models import Archiver
from linacre.declaration.models.archiver_values import parted_pv
from linacre.kinds.archiver.http import ArchiverError, ask
from linacre.kinds.archiver.patterns import (
    WHY_NOT_ARCHIVED,
    archived_pvs,
    left_out,
    patterns_of,
    said_pvs,
)
from linacre.kinds.checking.facts import Facts, ProgramMachine
from linacre.kinds.checking.model import Check, Finding, Outcome, not_applicable, problem, warning
from linacre.kinds.names import names_of

_MOST_NAMED = 20_000


async def pvs_archived(facts: Facts) -> Outcome:
    """Compare what each archiver archives with what it is declared to."""
    running = [each for each in await facts.booted() if isinstance(each.declared, Archiver)]
    if not running:
        return not_applicable("no archiver runs")
    found = await asyncio.gather(*(_archiver(facts, each) for each in running))
    wanted = sum(count for count, _ in found)
    findings = tuple(finding for _, findings in found for finding in findings)
    what = f"{counted(wanted, 'declared PV')} of {counted(len(running), 'archiver')}"
    return Outcome(what, findings)


async def _archiver(facts: Facts, each: ProgramMachine) -> tuple[int, list[Finding]]:
    """Return how many PVs an archiver is declared to archive, and what is wrong with them."""
    item = cast(Archiver, each.declared)
    said = said_pvs(item, facts.session.declaration.folder)
    names = await names_of(facts.session, patterns_of(said))
    wanted = {parted_pv(one)[1] for one in archived_pvs(said, names, protocol=item.protocol)}
    findings = [
        warning(one, f"{each.ioc} does not archive it: {WHY_NOT_ARCHIVED}", "rename the record")
        for one in left_out(said, names)
    ]
    try:
        info = await ask(facts.engine, each.name, "")
        # Past its end it archives nothing.
        if not info["read_only"] and (said_of := await _lacking(facts, each, wanted, info["pvs"])):
            remedy = f"linacre up; where that changes nothing, {each.command('restart')}"
            findings.append(problem(each.name, said_of, remedy))
        findings += of_its_data(each.name, each.ioc, info)
    except ArchiverError as error:
        findings.append(problem(each.name, str(error), each.command("restart")))
    return len(wanted), findings


def of_its_data(machine: str, archiver: str, info: Mapping[str, Any]) -> Iterator[Finding]:
    """Give what is wrong with what an archiver keeps, by what it says of itself."""
    if info["damaged"]:
        text = f"{counted(info['damaged'], 'block')} of its files damaged: answers lack samples"
        yield warning(machine, text, "its events say which: /api/v1/events")
    # Those of earlier versions do not tell.
    if misdated := info.get("misdated", 0):
        text = f"{counted(misdated, 'PV')} with times ahead of its clock: samples are refused"
        remedy = f"set the clocks of their servers; linacre archiver show {archiver} says which"
        yield warning(machine, text, remedy)


async def _lacking(facts: Facts, each: ProgramMachine, wanted: set[str], there: int) -> str | None:
    """Say which declared PVs an archiver does not archive, or how many; None where there is none.

    Of very many their number has to do: to tell of each costs the archiver seconds.
    """
    of = counted(len(wanted), "declared PV")
    if max(len(wanted), there) > _MOST_NAMED:
        lack = len(wanted) - there
        return f"{lack} of {of} not archived" if lack > 0 else None
    lacking = wanted - await _archived(facts, each, wanted)
    return f"{len(lacking)} of {of} not archived: {listed(sorted(lacking))}" if lacking else None


async def _archived(facts: Facts, each: ProgramMachine, wanted: set[str]) -> set[str]:
    """Return those of some PVs that an archiver archives now, as far as it tells of so many."""
    told = await ask(facts.engine, each.name, f"pvs?limit={_MOST_NAMED}")
    return {pv["pv"] for pv in told["pvs"]} & wanted


CHECKS: tuple[Check, ...] = (
    Check(
        "archived",
        "PVs archived",
        pvs_archived,
        "What each archiver that runs archives, against its PVs and what its patterns mean by the "
        "catalogue (of more than 20,000 their number alone). Wrong where it does not archive one "
        "that it is declared to. A PV that a pattern means and that cannot be archived for its "
        "name is a warning, and so are a block of its files that is damaged and a PV whose times "
        "are ahead of the archiver's clock.",
    ),
)
