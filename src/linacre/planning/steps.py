"""The steps of a plan, what a plan is made against, and the part of one that concerns some."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from linacre.engines.base import Machine


class Action(StrEnum):
    """What a step does."""

    PREPARE = "prepare"
    NETWORK = "network"
    IMAGE = "image"
    CREATE = "create"
    REBUILD = "rebuild"
    STOP = "stop"
    UPDATE = "update"
    START = "start"
    RESTART = "restart"
    CHECK = "check"
    PLUG = "plug"
    RELOAD = "tell"
    """Tell an archiver that runs its PVs and its end."""
    REMOVE = "remove"
    RECORD = "record"


@dataclass(frozen=True)
class Step:
    """One thing to do, and the keys of the steps that come before it."""

    action: Action
    target: str
    title: str
    after: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The step's name in the plan, the same in every run of the same work."""
        return f"{self.action} {self.target}"


@dataclass(frozen=True)
class Found:
    """What the engine has of the facility."""

    machines: Mapping[str, Machine] = field(default_factory=dict[str, Machine])
    record: Mapping[str, str] = field(default_factory=dict[str, str])
    silent: frozenset[str] = frozenset()
    """Running machines whose IOC or service does not serve: not booted, or it keeps ending."""
    moved: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    """Machines whose cable is not where it is recorded to be, or is shut: the network it belongs
    in."""
    cut: frozenset[str] = frozenset()
    """Machines that run and whose cable is gone."""


@dataclass(frozen=True)
class Plan:
    """The steps in an order that can be followed, and what a person should know of them."""

    steps: tuple[Step, ...]
    restarts: tuple[str, ...] = ()
    """IOCs and services that run now and will be restarted."""
    outdated: tuple[str, ...] = ()
    """Machines made from an older image, and left so."""
    undeclared: tuple[str, ...] = ()
    """Machines that are no longer declared, and left there."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.steps


_GROUND = frozenset({Action.PREPARE, Action.NETWORK, Action.IMAGE})
"""What is done for machines and not to one."""


def narrowed(plan: Plan, machines: Collection[str]) -> Plan:
    """Return the part of a plan that concerns these machines, and what it stands on.

    The declaration is recorded only where nothing else of the plan is left out.
    """
    by_key = {step.key: step for step in plan.steps}
    chosen = [step for step in plan.steps if step.target in machines]
    wanted = {step.key for step in chosen}
    while chosen:
        # What a step stands on goes with it, except another machine's.
        stands_on = [by_key[key] for step in chosen for key in step.after if key not in wanted]
        chosen = [step for step in stands_on if step.action in _GROUND]
        wanted |= {step.key for step in chosen}
    steps = [step for step in plan.steps if step.key in wanted]
    recording = [step for step in plan.steps if step.action is Action.RECORD]
    if len(steps) + len(recording) == len(plan.steps):
        steps += recording
    keys = {step.key for step in steps}
    kept = (replace(s, after=tuple(key for key in s.after if key in keys)) for s in steps)
    return replace(
        plan,
        steps=tuple(kept),
        restarts=tuple(name for name in plan.restarts if name in machines),
        outdated=tuple(name for name in plan.outdated if name in machines),
        undeclared=(),
    )
