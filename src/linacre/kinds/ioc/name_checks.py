"""Whether each PV has one IOC that serves it."""

from __future__ import annotations

import asyncio

from linacre.base.listing import counted, listed
from linacre.kinds.checking.facts import Facts, ProgramMachine
from linacre.kinds.checking.model import Finding, Outcome, not_applicable, problem

_PAIRS_TOLD = 8


async def names_served_once(facts: Facts) -> Outcome:
    """Compare the lists of PVs of all live IOCs of a network that serve."""
    booted = await facts.booted()
    serving = [each for each in booted if each.kind.traits.serves_pvs and not each.is_twin]
    lists = await asyncio.gather(*(_names(facts, each) for each in serving))
    by_name: dict[tuple[str, str], list[str]] = {}
    for each, names in zip(serving, lists, strict=True):
        for name in names:
            by_name.setdefault((each.declared.network or "", name), []).append(each.ioc)
    if not by_name:
        return not_applicable("no IOC that has booted tells what PVs it serves")
    shared: dict[tuple[str, ...], list[str]] = {}
    for (_, name), iocs in by_name.items():
        if len(iocs) > 1:
            shared.setdefault(tuple(iocs), []).append(name)
    findings = [_finding(iocs, names) for iocs, names in sorted(shared.items())]
    said = f"{counted(len(by_name), 'name')} of {counted(len(serving), 'IOC')}"
    more = len(findings) - _PAIRS_TOLD
    rest = f"; {more} more sets of IOCs share names" if more > 0 else ""
    return Outcome(said + rest, tuple(findings[:_PAIRS_TOLD]))


async def _names(facts: Facts, each: ProgramMachine) -> frozenset[str]:
    served = await facts.served(each)
    return frozenset(pv.name for pv in served or ())


def _finding(iocs: tuple[str, ...], names: list[str]) -> Finding:
    shown = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    text = f"{shown}: served by {' and '.join(iocs)}; clients reach either of them"
    remedy = f"rename the records of one of them, or: linacre ioc stop {iocs[-1]}"
    return problem(listed(iocs), text, remedy)
