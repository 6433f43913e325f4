"""Every PV of every IOC, read as a client at the network's desk reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from linacre.base.errors import LinacreError
from linacre.base.listing import counted, listed
from linacre.declaration.models import desk_name
from linacre.declaration.names import TWINS_ENDING
from linacre.engines.base import MachineState
from linacre.epics.answers import Answers, Asked, question, read_answer
from linacre.epics.report import IocReport
from linacre.kinds.checking.facts import Facts, ProgramMachine
from linacre.kinds.checking.model import Finding, Outcome, not_applicable, problem, warning

READ_LIMIT_S = 8.0


@dataclass(frozen=True)
class _Served:
    """The PVs of a machine, and where a client would read them."""

    each: ProgramMachine
    network: str
    names: tuple[str, ...]


async def pvs_answered(facts: Facts) -> Outcome:
    """Read every PV at the desk of the network that its machine is plugged into."""
    reports = await facts.reported()
    unread: list[Finding] = []
    places: list[tuple[ProgramMachine, str]] = []
    for each in facts.ioc_machines:
        report = reports.get(each.name)
        cable = facts.cables.get(each.name)
        if report is None or not report.booted or (cable is not None and not cable.is_right):
            continue  # told by the checks of the machine, the cable, procServ and the IOC
        network = _network(facts, each)
        if network is not None:
            places.append((each, network))
        elif not each.is_twin:
            text = "its PVs are not to be read: its cable is unplugged"
            unread.append(warning(each.name, text, each.command("plug")))
    served, untold = await _listings(facts, places, reports)
    by_network: dict[str, list[_Served]] = {}
    for one in served:
        by_network.setdefault(one.network, []).append(one)
    told = await asyncio.gather(*(_read(facts, name, by_network[name]) for name in by_network))
    answered = sum(count for count, _ in told)
    findings = (*unread, *(finding for _, findings in told for finding in findings))
    total = sum(len(one.names) for one in served)
    if not total and not findings:
        return not_applicable("no IOC that has booted tells what PVs it serves")
    silent = f"; {listed(untold)}: no list of PVs" if untold else ""
    said = f"{answered} of {counted(total, 'PV')} of {counted(len(served), 'IOC')} answered"
    return Outcome(said + silent, findings)


def _network(facts: Facts, each: ProgramMachine) -> str | None:
    """Return the network that the machine is in as clients see it."""
    if not facts.cables:
        return each.declared.network
    cable = facts.cables.get(each.name)
    return None if cable is None else cable.recorded


async def _listings(
    facts: Facts, places: list[tuple[ProgramMachine, str]], reports: Mapping[str, IocReport]
) -> tuple[list[_Served], list[str]]:
    async def names(each: ProgramMachine) -> tuple[str, ...] | None:
        served = await facts.served(each)
        return None if served is None else tuple(pv.name for pv in served)

    listings = await asyncio.gather(*(names(each) for each, _ in places))
    pairs = list(zip(places, listings, strict=True))
    served = [_Served(each, network, told) for (each, network), told in pairs if told]
    return served, [each.name for (each, _), told in pairs if told is None]


async def _read(facts: Facts, network: str, served: list[_Served]) -> tuple[int, list[Finding]]:
    """Read the PVs of one network at its desk; return how many answered, and what is wrong."""
    desk = facts.machines.get(desk_name(network))
    if desk is None or desk.state is not MachineState.RUNNING:
        text = f"the PVs of {listed(one.each.name for one in served)} cannot be read without it"
        return 0, [problem(desk_name(network), text, "linacre up")]
    layout = facts.engine.layout(desk.name, facts.facility.networks[_home(network)].desk_address)
    asked = {one.each.name: Asked(_endpoint(facts, one.each), one.names) for one in served}
    done = await facts.engine.exec(
        desk.name,
        [layout.python, "-m", "linacre.epics.reader"],
        stdin=question(asked, limit_s=READ_LIMIT_S),
    )
    try:
        answers = read_answer(done.stdout)
    except (ValueError, KeyError, TypeError, RecursionError):
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        if said and "No module named" in said[0]:
            text = f"it is of an older image, and cannot read {listed(s.each.name for s in served)}"
            return 0, [problem(desk.name, text, f"linacre up --rebuild {desk.name}")]
        raise LinacreError(
            f"the reader of PVs at {desk.name} gave no answer "
            f"({said[0] if said else f'status {done.status}'})"
        ) from None
    findings = [
        finding
        for one in served
        for finding in _findings(one, answers[one.each.name], desk=desk.name)
    ]
    return sum(each.answered for each in answers.values()), findings


def _home(network: str) -> str:
    return network.removesuffix(TWINS_ENDING)


def _endpoint(facts: Facts, each: ProgramMachine) -> str:
    address = each.declared.address
    return str(facts.engine.layout(each.name, address).bind or address)


def _findings(one: _Served, told: Answers, *, desk: str) -> Iterator[Finding]:
    name, each = one.each.name, one.each
    find = f"linacre exec --network {one.network} -- caget PV"
    for pv in told.silent:
        text = f"{name}: it connects, and gives no value: it hangs"
        yield problem(pv, text, f"see what it waits for: {each.command('console')}")
    if told.unread:
        text = f"no time was left to read {counted(len(told.unread), 'PV')}: {listed(told.unread)}"
        yield problem(name, text, each.command("restart"))
    if len(told.unheard) == len(one.names):
        text = f"nobody answers at {desk} for any of its {counted(len(one.names), 'PV')}"
        yield problem(name, text, f"{each.command('log')}, then {each.command('restart')}")
    else:
        for pv in told.unheard:
            yield problem(pv, f"{name}: nobody answers the search for it at {desk}", find)
    for pv, why in told.refused.items():
        text = f"{name}: it answers with an error: {why}"
        yield warning(pv, text, f"{each.command('log')} may say why")
    for pv, address in told.elsewhere.items():
        text = f"{name}: another server answers for it: {address}"
        yield problem(pv, text, f"find who serves {pv} at {address}, and rename one of the two")
