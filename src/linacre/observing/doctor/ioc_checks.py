"""procServ and the IOC or service inside each machine."""

from __future__ import annotations

import asyncio
import contextlib

from linacre.base.errors import LinacreError
from linacre.base.listing import counted
from linacre.engines.base import Capability
from linacre.epics.launch import PROCSERV_PORT
from linacre.epics.report import IocReport
from linacre.kinds.checking.facts import Facts, ProgramMachine
from linacre.kinds.checking.model import Finding, Outcome, not_applicable, problem, warning
from linacre.kinds.service.ports import ClosedPort, closed_ports

_BANNER_LIMITS_S = (2.0, 6.0)
"""For one that hangs the first is enough; on a host that is busy all are late, and not unwell."""
_BOOT_PATIENCE_S = 60.0


async def procserv_answers(facts: Facts) -> Outcome:
    """Connect to each procServ, and wait for its banner."""
    reports = await facts.reported()
    running = [each for each in facts.program_machines if each.name in reports]
    if not running:
        return not_applicable("no machine of an IOC or a service runs")
    found = await asyncio.gather(*(_procserv(facts, e, reports[e.name]) for e in running))
    findings = tuple(finding for finding in found if finding is not None)
    answered = len(running) - len(findings)
    return Outcome(f"{answered} of {len(running)} answer with their banner", findings)


async def _procserv(facts: Facts, each: ProgramMachine, report: IocReport) -> Finding | None:
    if not report.procserv_up:
        return problem(each.name, "procServ does not run", each.command("restart"))
    text = ""
    for limit_s in _BANNER_LIMITS_S:
        try:
            async with asyncio.timeout(limit_s):
                if await _banner(facts, each.name):
                    return None
            text = "procServ closes the connection at once"
        except TimeoutError:
            text = f"procServ runs, and gives no banner within {limit_s:.0f} s"
            continue
        except (LinacreError, OSError) as error:
            text = f"procServ runs, and port {PROCSERV_PORT} refuses ({error})"
        break
    return problem(each.name, text, each.command("restart"))


async def _banner(facts: Facts, name: str) -> bytes:
    if not facts.has(Capability.CABLES) and facts.has(Capability.FILE_SYSTEM):
        # On a host that is reached by its URL alone: by way of the socket inside.
        stream = await facts.engine.console(name)
        try:
            return await stream.read()
        finally:
            await stream.close()
    reader, writer = await facts.engine.connect(name, PROCSERV_PORT)
    try:
        return await reader.read(1)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def restart_loop(facts: Facts) -> Outcome:
    """Look for IOCs and services that procServ starts again and again."""
    reports = await facts.reported()
    if not reports:
        return not_applicable("no machine of an IOC or a service runs")
    findings = tuple(
        problem(
            each.name,
            f"a restart loop: started {report.starts} times since its procServ was",
            f"{each.command('log')} shows why it ends",
        )
        for each in facts.program_machines
        if (report := reports.get(each.name)) is not None and report.restart_loop
    )
    return Outcome(f"{len(reports) - len(findings)} of {len(reports)} stay up", findings)


async def iocs_booted(facts: Facts) -> Outcome:
    """See that each IOC serves PVs, and that each service's ports are open."""
    reports = await facts.reported()
    if not reports:
        return not_applicable("no machine of an IOC or a service runs")
    now = facts.session.clock.now()
    findings: list[Finding] = []
    for each in facts.program_machines:
        report = reports.get(each.name)
        closed: tuple[ClosedPort, ...] = ()
        if report is not None and report.ioc_up and not report.booted:
            closed = await closed_ports(facts.engine, each.name, each.ports or ())
        if report is not None and (finding := _boot(each, report, closed, now=now)) is not None:
            findings.append(finding)
    booted = sum(report.booted for report in reports.values())
    nouns = [each.kind.noun for each in facts.program_machines if each.name in reports]
    counts = {kind.noun: nouns.count(kind.noun) for kind in facts.kinds}
    words = [counted(n, word) for word, n in counts.items() if n]
    what = f"{len(nouns)} ({' and '.join(words)})" if len(words) > 1 else words[0]
    return Outcome(f"{booted} of {what} have booted", tuple(findings))


def _boot(
    each: ProgramMachine, report: IocReport, closed: tuple[ClosedPort, ...], *, now: float
) -> Finding | None:
    # What procServ or a restart loop is to blame for is told there.
    if report.booted or report.restart_loop or not report.procserv_up:
        return None
    if not report.ioc_up:
        text = f"procServ runs, and its {each.kind.noun} does not"
        return problem(each.name, text, each.command("restart"))
    if report.lacks_ioc_init:
        text = "its start script ended without iocInit: it serves nothing"
        return problem(each.name, text, f"{each.command('log')} shows how far it came")
    since_s = 0.0 if report.started_at is None else max(0.0, now - report.started_at)
    text = f"started {since_s:.0f} s ago and not booted yet"
    if closed:
        text = f"started {since_s:.0f} s ago, and {', '.join(map(str, closed))}"
    if since_s < _BOOT_PATIENCE_S:
        return warning(each.name, text, f"wait, or see how far it is: {each.command('log')}")
    return problem(each.name, text, f"see where it stands: {each.command('console')}")
