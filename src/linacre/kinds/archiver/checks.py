"""What the doctor looks at in archivers alone."""

from __future__ import annotations

import asyncio
from typing import cast
from urllib.parse import quote

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

_PAGE = 100_000


async def pvs_archived(facts: Facts) -> Outcome:
    """Compare what each archiver archives with what it is declared to."""
    reports = await facts.reported()
    running = [
        each
        for each in facts.program_machines
        if isinstance(each.declared, Archiver)
        and (report := reports.get(each.name)) is not None
        and report.booted
    ]
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
        if not info["read_only"] and (lacking := wanted - await _archived(facts, each, wanted)):
            text = f"{len(lacking)} of {counted(len(wanted), 'declared PV')} not archived: "
            remedy = f"linacre up; where that changes nothing, {each.command('restart')}"
            findings.append(problem(each.name, f"{text}{listed(sorted(lacking))}", remedy))
        if info["damaged"]:
            text = f"{counted(info['damaged'], 'block')} of its files damaged and set aside"
            remedy = f"see what lacks: linacre archiver show {each.ioc}"
            findings.append(warning(each.name, text, remedy))
    except ArchiverError as error:
        findings.append(problem(each.name, str(error), each.command("restart")))
    return len(wanted), findings


async def _archived(facts: Facts, each: ProgramMachine, wanted: set[str]) -> set[str]:
    """Return those of some PVs that an archiver archives now."""
    found: set[str] = set()
    if len(wanted) == 1:
        (one,) = wanted
        pattern = quote("".join(f"[{c}]" if c in "*?[" else c for c in one), safe="")
        told = await ask(facts.engine, each.name, f"pvs?limit=1&pattern={pattern}")
        return {pv["pv"] for pv in told["pvs"]}
    while True:
        told = await ask(facts.engine, each.name, f"pvs?limit={_PAGE}&offset={len(found)}")
        found |= {pv["pv"] for pv in told["pvs"]}
        if len(told["pvs"]) < _PAGE:
            return found & wanted


CHECKS: tuple[Check, ...] = (
    Check(
        "archived",
        "PVs archived",
        pvs_archived,
        "What each archiver that runs archives, against its PVs and what its patterns mean by the "
        "catalogue. Wrong where it does not archive one that it is declared to. A PV that a "
        "pattern means and that cannot be archived for its name is a warning, and so is a block "
        "of its files that is damaged.",
    ),
)
