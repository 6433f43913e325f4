"""The engine, the image and the machines."""

from __future__ import annotations

import asyncio

from linacre.base.listing import counted, listed
from linacre.declaration.models import desk_name
from linacre.engines.base import Capability, MachineState
from linacre.engines.labels import IMAGE
from linacre.kinds.checking.facts import Facts
from linacre.kinds.checking.model import Finding, Outcome, not_applicable, problem, warning

_SLOW_S = 1.0


async def engine_reachable(facts: Facts) -> Outcome:
    """Ask the engine for its hosts, and see how long it takes to answer."""
    name = facts.engine.name
    if facts.silence is not None:
        if not facts.engine_is_wrong:
            return not_applicable(facts.silence)
        remedy = f"linacre up; the daemon's log is {facts.session.paths.logs / 'incusd.log'}"
        return Outcome(f"the {name} engine", (problem(name, facts.silence, remedy),))
    begun = facts.session.clock.monotonic()
    hosts = await facts.engine.hosts()
    took_s = facts.session.clock.monotonic() - begun
    findings = [
        problem(host.name, "this host of the cluster is offline", f"start {host.name} or its Incus")
        for host in hosts
        if not host.online
    ]
    if took_s > _SLOW_S:
        remedy = "see the load of its host: uptime"
        findings.append(warning(name, f"it took {took_s:.1f} s to answer", remedy))
    what = f"{name} ({hosts[0].description})" if hosts else name
    return Outcome(f"{what} answers in {took_s * 1000:.0f} ms", tuple(findings))


async def image_current(facts: Facts) -> Outcome:
    """Compare the image that each machine was made from with what it is to be made from."""
    if not facts.has(Capability.FILE_SYSTEM):
        return not_applicable(f"the {facts.engine.name} engine has no images")
    # Its libraries are of no use to the other checks.
    from linacre.kinds.image import base_recipe

    def digests() -> tuple[str, dict[str, str]]:
        recipes = (
            (name, kind.recipe(item)) for kind, name, item in facts.kinds.programs(facts.facility)
        )
        own = {name: recipe.digest() for name, recipe in recipes if recipe is not None}
        return base_recipe().digest(), own

    present, own = await asyncio.to_thread(digests)
    older: dict[str, list[str]] = {}
    for name, machine in facts.machines.items():
        if (image := machine.labels.get(IMAGE) or "(unknown)") != own.get(name, present):
            older.setdefault(image, []).append(name)
    findings = tuple(
        warning(
            listed(names, most=20),
            f"made from the older image {image}",
            f"linacre up --rebuild{f' {names[0]}' if len(names) == 1 else ''}",
        )
        for image, names in older.items()
    )
    current = len(facts.machines) - sum(map(len, older.values()))
    which = f"{present} and the images of services and archivers" if own else present
    return Outcome(f"{current} of {len(facts.machines)} machines from {which}", findings)


async def machines_up(facts: Facts) -> Outcome:
    """See that every machine is made and runs."""
    findings: list[Finding] = []
    every = facts.program_machines
    for each in every:
        if each.runs:
            continue
        if each.machine is None:
            findings.append(problem(each.name, "there is no such machine yet", "linacre up"))
            continue
        text = f"{each.machine.state}" if each.machine.state is not MachineState.ERROR else "broken"
        # A twin is for tests: nobody waits for it.
        make = warning if each.is_twin else problem
        findings.append(make(each.name, text, each.command("start")))
    desks = {desk.name: desk for desk in facts.desks}
    wanted = {desk_name(network) for network in facts.facility.networks}
    for name in sorted(desks.keys() | wanted) if facts.has(Capability.DESK) else ():
        desk = desks.get(name)
        if desk is None or desk.state is not MachineState.RUNNING:
            text = "there is no such desk yet" if desk is None else str(desk.state)
            findings.append(problem(name, text, "linacre up"))
    total = len(every) + len(desks.keys() | wanted)
    return Outcome(f"{total - len(findings)} of {counted(total, 'machine')} run", tuple(findings))
