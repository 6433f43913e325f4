"""What must be done to bring what is found to what is declared: a pure comparison."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from linacre.engines.base import Machine, MachineSpec, MachineState
from linacre.engines.labels import (
    ACCESS_DIGEST,
    DECLARED_DIGEST,
    IMAGE,
    LOADED_DIGEST,
    NIC_DIGEST,
    PROGRAM_DIGEST,
    RELOADABLE_DIGEST,
    RUNNING_DIGEST,
    SETTINGS_DIGEST,
    network_record,
)
from linacre.planning.specs import Declared
from linacre.planning.steps import Action, Found, Plan, Step, narrowed

__all__ = [
    "Action",
    "Found",
    "Plan",
    "Step",
    "make_plan",
    "narrowed",
]


def make_plan(
    declared: Declared,
    found: Found,
    *,
    digest: str | None,
    rebuild: Collection[str] = (),
    prune: bool = False,
) -> Plan:
    """Compare what is declared with what is found.

    `digest` is the declaration's, kept in the record, or None where this is but a part of it;
    `rebuild` names the machines to be made anew; `prune` removes what is no longer declared.
    """
    planner = _Planner(declared, found, frozenset(rebuild))
    return planner.plan(digest=digest, prune=prune)


class _Planner:
    """The state of one comparison."""

    def __init__(self, declared: Declared, found: Found, rebuild: frozenset[str]) -> None:
        self._declared = declared
        self._found = found
        self._kinds = declared.kinds
        self._rebuild = rebuild
        self._steps: list[Step] = []
        self._keys: set[str] = set()
        self._restarts: list[str] = []

    def plan(self, *, digest: str | None, prune: bool) -> Plan:
        names = {spec.name for spec in self._declared.machines}
        undeclared = tuple(sorted(set(self._found.machines) - names))
        self._facility_steps()
        for spec in self._in_order():
            self._machine_steps(spec)
        if prune:
            for name in undeclared:
                kind = self._kinds.of(self._found.machines[name])
                kept = "; its data are kept" if kind.keeps_data else ""
                title = f"remove {name}" + (kept or " and its persistent folder")
                self._add(Action.REMOVE, name, title)
        if digest is not None and (self._steps or self._found.record.get("digest") != digest):
            everything = tuple(step.key for step in self._steps)
            self._add(Action.RECORD, "declaration", "record the declaration", everything)
        return Plan(
            steps=tuple(self._steps),
            restarts=tuple(self._restarts),
            outdated=tuple(s.name for s in self._declared.machines if self._is_outdated(s)),
            undeclared=() if prune else undeclared,
        )

    def _add(self, action: Action, target: str, title: str, after: Iterable[str] = ()) -> str:
        step = Step(action, target, title, tuple(key for key in after if key in self._keys))
        self._steps.append(step)
        self._keys.add(step.key)
        return step.key

    def _in_order(self) -> list[MachineSpec]:
        """Return machines so that each comes after those it waits for; desks come first."""
        after = self._declared.after
        ordered: list[MachineSpec] = []
        done: set[str] = set()
        waiting = sorted(self._declared.machines, key=lambda s: s.traits.runs_program)
        while waiting:
            ready = [spec for spec in waiting if done.issuperset(after.get(spec.name, ()))]
            if not ready:
                raise ValueError("a cycle in `after` came past the loader")
            ordered += ready
            done |= {spec.name for spec in ready}
            waiting = [spec for spec in waiting if spec.name not in done]
        return ordered

    def _facility_steps(self) -> None:
        if "prepared" not in self._found.record:
            self._add(Action.PREPARE, "facility", "prepare project and storage")
        for network in self._declared.networks:
            key, value = network_record(network)
            if self._found.record.get(key) != value:
                verb = "change" if key in self._found.record else "make"
                title = f"{verb} the network {network.name} ({network.subnet})"
                self._add(Action.NETWORK, network.name, title, ["prepare facility"])
        makes = [spec for spec in self._declared.machines if self._is_made(spec)]
        makes.sort(key=lambda spec: self._kinds.of(spec).stands_alone)
        for image in dict.fromkeys(spec.image for spec in makes if spec.image is not None):
            users = [spec for spec in makes if spec.image == image]
            title = "have the image ready"
            if all(self._kinds.of(spec).stands_alone for spec in users):
                named = ", ".join(spec.name for spec in users)
                title = f"have the image of {named} ready"
            self._add(Action.IMAGE, image, title, ["prepare facility"])

    def _is_half_made(self, machine: Machine | None) -> bool:
        return machine is None or PROGRAM_DIGEST not in machine.labels

    def _is_made(self, spec: MachineSpec) -> bool:
        found = self._found.machines.get(spec.name)
        return self._is_half_made(found) or spec.name in self._rebuild

    def _is_outdated(self, spec: MachineSpec) -> bool:
        found = self._found.machines.get(spec.name)
        if found is None or self._is_made(spec) or spec.image is None:
            return False
        return found.labels.get(IMAGE) != spec.image

    def _machine_steps(self, spec: MachineSpec) -> None:
        found = self._found.machines.get(spec.name)
        if found is None or self._is_half_made(found):
            self._create(spec)
        elif spec.name in self._rebuild:
            self._replace(spec, found)
        else:
            self._adjust(spec, found)
            if spec.name in self._found.moved:
                network = self._found.moved[spec.name]
                where = f"into {network}" if network else "out"
                title = f"plug {spec.name} {where}: its cable was moved or shut"
                self._add(Action.PLUG, spec.name, title)

    def _base(self, spec: MachineSpec) -> list[str]:
        image = f"image {spec.image}"
        return ["prepare facility", f"network {spec.network}", image]

    def _start(self, spec: MachineSpec, after: Iterable[str]) -> None:
        waits = [
            key
            for name in self._declared.after.get(spec.name, ())
            for key in (f"start {name}", f"restart {name}", f"check {name}")
        ]
        self._add(Action.START, spec.name, f"start {spec.name}", [*after, *waits])

    def _create(self, spec: MachineSpec) -> None:
        title = f"make {spec.name} ({spec.address.ip})"
        made = self._add(Action.CREATE, spec.name, title, self._base(spec))
        self._start(spec, [made])

    def _replace(self, spec: MachineSpec, found: Machine) -> None:
        # One at a time: each waits for the one before to run again.
        rebuilt = [s.target for s in self._steps if s.action is Action.REBUILD]
        before = [f"start {name}" for name in rebuilt[-1:]]
        title = f"rebuild {spec.name} from the new image, its persistent folder kept"
        made = self._add(Action.REBUILD, spec.name, title, [*self._base(spec), *before])
        self._note_restart(found)
        self._start(spec, [made])

    def _note_restart(self, found: Machine) -> None:
        if found.state is MachineState.RUNNING and self._kinds.of(found).traits.runs_program:
            self._restarts.append(found.name)

    def _adjust(self, spec: MachineSpec, found: Machine) -> None:
        differing = {
            name
            for name in (PROGRAM_DIGEST, ACCESS_DIGEST, SETTINGS_DIGEST, NIC_DIGEST)
            if found.labels.get(name) != spec.labels[name]
        }
        if found.labels.get(RELOADABLE_DIGEST) != spec.labels.get(RELOADABLE_DIGEST):
            differing.add(RELOADABLE_DIGEST)
        # The files of a promoted twin that are now declared: known from then on as such.
        if found.labels.get(DECLARED_DIGEST) not in (None, spec.labels.get(DECLARED_DIGEST)):
            differing.add(PROGRAM_DIGEST)
        after = self._base(spec)
        running = found.state is MachineState.RUNNING
        if NIC_DIGEST in differing and running:
            self._note_restart(found)
            title = f"stop {spec.name}: its address changes"
            after = [*after, self._add(Action.STOP, spec.name, title, after)]
            running = False
        elif spec.name in self._found.cut and running:
            self._note_restart(found)
            stop = self._add(Action.STOP, spec.name, f"stop {spec.name}: its cable is gone", after)
            after, running = [*after, stop], False
        elif found.state is MachineState.ERROR:
            after = [self._add(Action.STOP, spec.name, f"stop {spec.name}: it is in error")]
        if differing:
            told = " and ".join(self._kinds.of(spec).told)
            words = {**_WORDS, RELOADABLE_DIGEST: told}
            what = ", ".join(sorted(words[name] for name in differing))
            title = f"update {spec.name}: {what}"
            after = [self._add(Action.UPDATE, spec.name, title, after)]
        if not running:
            self._start(spec, after)
        elif spec.traits.runs_program and self._runs_old_files(spec, found):
            self._note_restart(found)
            self._add(Action.RESTART, spec.name, f"restart {self._called(spec)}", after)
        elif found.labels.get(LOADED_DIGEST) != spec.labels.get(RELOADABLE_DIGEST):
            told = " and ".join(f"its {what}" for what in self._kinds.of(spec).told)
            self._add(Action.RELOAD, spec.name, f"tell {self._called(spec)} {told}", after)
        elif spec.name in self._found.silent:
            self._add(Action.CHECK, spec.name, f"see whether {self._called(spec)} serves", after)

    @staticmethod
    def _runs_old_files(spec: MachineSpec, found: Machine) -> bool:
        return found.labels.get(RUNNING_DIGEST) != spec.labels[PROGRAM_DIGEST]

    def _called(self, spec: MachineSpec) -> str:
        return self._kinds.of(spec).called(spec.name)


_WORDS = {
    PROGRAM_DIGEST: "files",
    ACCESS_DIGEST: "log-in",
    SETTINGS_DIGEST: "settings",
    NIC_DIGEST: "address",
}
