"""Addresses, cables and uplinks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from ipaddress import IPv4Address

from linacre.base.listing import counted
from linacre.engines.base import Cable, Capability
from linacre.engines.labels import ADDRESS
from linacre.kinds.addresses import mac_address
from linacre.kinds.checking.facts import Facts
from linacre.kinds.checking.model import Finding, Outcome, not_applicable, problem, warning
from linacre.session.roles import ioc_of

_PATIENCE_S = 1.0


def no_cables(facts: Facts) -> str:
    """Return why there are no cables to look at."""
    if Capability.FILE_SYSTEM in facts.engine.capabilities():
        return "the daemon is on another host, where cables end: run linacre doctor there"
    return f"the {facts.engine.name} engine has no bridges and no cables"


async def addresses_unique(facts: Facts) -> Outcome:
    """Ask on each network, by ARP, who has the address of each machine and of the host."""
    if not facts.has(Capability.CABLES):
        return not_applicable(no_cables(facts))
    networks = await facts.engine.networks()
    plugged = {network: _plugged(facts, network) for network in networks}
    found = await asyncio.gather(*(_network(facts, each, plugged[each]) for each in networks))
    total = sum(len(set(each.values())) for each in plugged.values())
    return Outcome(
        f"{counted(total, 'address', 'addresses')} on {counted(len(networks), 'network')}, "
        "each answered by its machine alone",
        tuple(finding for findings in found for finding in findings),
    )


def _plugged(facts: Facts, network: str) -> dict[str, IPv4Address]:
    """Return the addresses of the machines whose cable is in a network now."""
    return {
        name: IPv4Address(machine.labels[ADDRESS])
        for name, machine in facts.machines.items()
        if (cable := facts.cables.get(name)) is not None
        and cable.is_there
        and not cable.is_shut
        and cable.found == network
        and machine.labels.get(ADDRESS)
    }


async def _network(facts: Facts, network: str, plugged: Mapping[str, IPv4Address]) -> list[Finding]:
    owners = facts.engine.wiring.owners
    asked = sorted({*plugged.values(), *_host_address(facts, network)})
    answers = await owners(network, asked)
    unanswered = [a for a in plugged.values() if not answers[a]]
    if unanswered:
        # A machine under load may be late.
        answers = {**answers, **await owners(network, unanswered, wait_s=_PATIENCE_S)}
    holders: dict[IPv4Address, list[str]] = {}
    for name, address in plugged.items():
        holders.setdefault(address, []).append(name)
    findings: list[Finding] = []
    for address in asked:
        names = holders.get(address, [])
        ours = mac_address(facts.facility.facility, address) if names else None
        who = f"{address} ({' and '.join(names) or 'this host'})"
        findings += [
            _answered(who, mac, network, instead=ours is not None and ours not in answers[address])
            for mac in answers[address]
            if mac != ours
        ]
        if names and not answers[address]:
            findings.append(_silent(facts, names[0], who, network))
        if len(names) > 1:
            text = f"all of them are plugged into {network}"
            remedy = f"linacre ioc unplug {_ioc(facts, names[-1])}, for the one that is not to be"
            findings.append(problem(who, text, remedy))
    return findings


def _host_address(facts: Facts, network: str) -> list[IPv4Address]:
    declared = facts.facility.networks.get(network)
    return [] if declared is None or declared.host_address is None else [declared.host_address]


def _answered(who: str, mac: str, network: str, *, instead: bool) -> Finding:
    text = (
        f"is answered by another device on {network}: {mac} has it"
        if instead
        else f"is answered twice on {network}: {mac} has it too"
    )
    return problem(
        who, text, f"find that device (bridge fdb show | grep {mac}) and give it another address"
    )


def _silent(facts: Facts, name: str, who: str, network: str) -> Finding:
    each = next((each for each in facts.program_machines if each.name == name), None)
    look = f"{each.command('shell')}, then ip address" if each else f"linacre shell at {name}"
    return problem(who, f"runs and does not answer on {network}", look)


def _ioc(facts: Facts, name: str) -> str:
    return ioc_of(facts.machines[name]) or ""


async def cables_recorded(facts: Facts) -> Outcome:
    """Compare where each cable is with where it is recorded to be."""
    if not facts.has(Capability.CABLES):
        return not_applicable(no_cables(facts))
    wrong = [cable for cable in facts.cables.values() if not cable.is_right]
    there = sum(cable.is_there or cable.is_cut for cable in facts.cables.values())
    return Outcome(
        f"{there - len(wrong)} of {counted(there, 'cable')} as recorded",
        tuple(problem(cable.machine, cable.fault, _replug(facts, cable)) for cable in wrong),
    )


def _replug(facts: Facts, cable: Cable) -> str:
    each = next((each for each in facts.ioc_machines if each.name == cable.machine), None)
    if cable.is_cut:
        return "linacre up, which restarts it: only the start of a machine makes its cable"
    if each is None or cable.is_shut:
        return "linacre up"
    if cable.recorded is None:
        return each.command("unplug")
    return each.command("plug", "--network", cable.recorded)


async def uplinks_there(facts: Facts) -> Outcome:
    """See that each network with an uplink reaches the site by it."""
    declared = {
        name: network.uplink
        for name, network in facts.facility.networks.items()
        if network.uplink is not None
    }
    if not declared:
        return not_applicable("no network has an uplink")
    if not facts.has(Capability.UPLINK):
        return not_applicable(no_cables(facts))
    findings = [
        problem(
            network,
            f"does not reach the site through {uplink}: {why}",
            f"see ip link show {uplink}; then linacre up",
        )
        for network, uplink in declared.items()
        if (why := facts.engine.wiring.uplink_fault(network, uplink))
    ]
    named = ", ".join(f"{network} through {uplink}" for network, uplink in declared.items())
    return Outcome(named, tuple(findings))


async def cables_walled(facts: Facts) -> Outcome:
    """See that each cable carries its machine's addresses alone, and what was dropped there."""
    if not facts.has(Capability.CABLES):
        return not_applicable(no_cables(facts))
    walled = await facts.engine.wiring.walls()
    if walled.why is not None:
        text = f"there are none: {walled.why}; a machine can take another's address"
        return Outcome("none", (problem("walls", text, "apt-get install nftables; linacre up"),))
    mend = "linacre up lays them again"
    findings = [
        *(problem(name, "nothing guards its cable", mend) for name in walled.missing),
        *(
            warning(
                name,
                f"{line}: dropped",
                f"find out who is root in it; linacre up --rebuild {name} makes it anew",
            )
            for name, lines in sorted(walled.dropped.items())
            for line in lines
        ),
    ]
    guarded = len(facts.machines) - len(walled.missing)
    return Outcome(f"{guarded} of {counted(len(facts.machines), 'cable')} guarded", tuple(findings))
