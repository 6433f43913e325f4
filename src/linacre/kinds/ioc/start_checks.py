"""What start scripts printed of errors, and IOCs that serve nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from linacre.base.listing import counted, listed
from linacre.declaration.models import Ioc
from linacre.epics.report import IocReport
from linacre.kinds.checking.facts import Facts, ProgramMachine
from linacre.kinds.checking.model import Finding, Outcome, not_applicable, problem, warning
from linacre.kinds.ioc.start_errors import errors_to_see_to
from linacre.kinds.ioc.unserved import labelled_unserved


async def start_scripts_right(facts: Facts) -> Outcome:
    """Look at what the start script of each IOC printed until it ended."""
    reports = await facts.reported()
    there = [(each, reports[each.name]) for each in facts.ioc_machines if each.name in reports]
    ended = [(each, report) for each, report in there if report.start_errors is not None]
    if not ended:
        return not_applicable("no IOC that runs has a start script whose errors are known")
    findings = tuple(finding for one in ended for finding in _findings(*one))
    count = sum(report.start_errors.count for _, report in ended if report.start_errors)
    scripts = counted(len(ended), "start script")
    return Outcome(f"{scripts} ended, {counted(count, 'error')} printed", findings)


def _findings(each: ProgramMachine, report: IocReport) -> Iterator[Finding]:
    ioc = cast("Ioc", each.declared)
    errors = errors_to_see_to(ioc, report.start_errors)
    if errors is not None:
        said = listed(map(str, errors.first), most=3)
        yield problem(
            each.name,
            f"{counted(errors.count, 'error')} in its start script: {said}",
            f"{each.command('log')} shows them; mend the script, or write start_errors: accepted "
            f"for {each.ioc}",
        )
    if (unserved := labelled_unserved(each.machine)) is not None and report.booted:
        tell = problem if ioc.start_errors is None else warning
        yield tell(each.name, str(unserved), f"{each.command('log')} shows what its script loaded")
    elif errors is None and report.booted and report.pv_count == 0:
        text = "it has booted and serves no PV"
        yield warning(each.name, text, f"{each.command('log')} shows what its script loaded")
