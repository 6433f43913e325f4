"""Bringing back what ran before the host went down: what there is is started, nothing changed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from linacre.base.clock import Clock, SystemClock
from linacre.base.errors import BusyError, LinacreError
from linacre.base.paths import StatePaths
from linacre.base.tasks import TaskState
from linacre.declaration.order import cycles
from linacre.engines.base import Engine, Machine, MachineState
from linacre.engines.labels import AFTER, PROGRAM_DIGEST, RUNNING_DIGEST
from linacre.kinds.registry import KINDS, Kinds, kinds_of
from linacre.kinds.service.ports import ports_of
from linacre.operations.apply import ApplyContext, apply
from linacre.operations.interaction import Interaction
from linacre.planning.plan import Action, Found, Plan, make_plan
from linacre.planning.specs import Declared
from linacre.planning.twin_overrides import as_found
from linacre.session.autostart import is_marked
from linacre.session.lock import FacilityLock
from linacre.session.roles import ioc_of, pairs
from linacre.session.sandboxes import expired, expired_line
from linacre.session.session import FacilityHandle, open_handle
from linacre.session.state import (
    FacilityNote,
    Standing,
    facility_folders,
    read_note,
    write_note,
)

_ROUNDS = 3
_BOOT_LIMIT_S = 180.0
"""More than `up` gives an IOC: after a power cut all of the host starts at once."""


class Outcome(StrEnum):
    """What came of a facility."""

    UP = "up"
    FAILED = "failed"
    BUSY = "busy"
    """Another command is changing it."""


@dataclass(frozen=True)
class Booted:
    """One facility that was to be brought up."""

    facility: str
    engine: str
    outcome: Outcome
    iocs: int = 0
    iocs_up: int = 0
    """How many of them serve PVs."""
    started: tuple[str, ...] = ()
    """The machines that were started."""
    took_s: float = 0.0
    error: str | None = None


@dataclass(frozen=True)
class _Look:
    """A facility's machines as they were found once."""

    machines: Mapping[str, Machine]
    """Those that are wholly made."""
    half_made: tuple[str, ...]
    record: Mapping[str, str]
    silent: frozenset[str]
    """Running machines whose IOC or service does not serve."""
    kinds: Kinds = KINDS

    @property
    def iocs(self) -> dict[str, bool]:
        """Whether each IOC serves, from its live machine."""
        names = {ioc for each in self.machines.values() if (ioc := ioc_of(each)) is not None}
        found = pairs(sorted(names), self.machines, self.record)
        return {ioc: self._serves(pair.live) for ioc, pair in found.items()}

    @property
    def down(self) -> list[str]:
        """The IOCs and services that do not serve."""
        alone = [m.name for m in self.machines.values() if self.kinds.of(m).stands_alone]
        silent = [name for name in alone if not self._serves(name)]
        return [ioc for ioc, serves in self.iocs.items() if not serves] + silent

    def _serves(self, name: str) -> bool:
        return self.machines[name].state is MachineState.RUNNING and name not in self.silent


async def boot(
    state: StatePaths,
    interaction: Interaction,
    *,
    clock: Clock | None = None,
    journal_hook: Callable[[int], None] | None = None,
) -> tuple[Booted, ...]:
    """Bring up every facility that is marked autostart, one after the other.

    One that fails does not stop the others: see the outcomes.
    """
    clock = clock or SystemClock()
    outcomes: list[Booted] = []
    for name in facility_folders(state):
        try:
            note = read_note(state.facility(name))
            if note is None or not await is_marked(note, say=interaction.say):
                continue
        except LinacreError as error:
            outcomes.append(Booted(name, "-", Outcome.FAILED, error=str(error)))
            continue
        begun = clock.monotonic()
        booting = _Booting(note, state, interaction, clock, journal_hook)
        outcomes.append(replace(await booting.run(), took_s=clock.monotonic() - begun))
    # A note that is damaged is an outcome above, and keeps nothing from being told.
    with contextlib.suppress(LinacreError):
        for over in expired(state, clock.now()):
            interaction.say(expired_line(over))
    return tuple(outcomes)


class _Booting:
    """One facility on its way up."""

    def __init__(
        self,
        note: FacilityNote,
        state: StatePaths,
        interaction: Interaction,
        clock: Clock,
        journal_hook: Callable[[int], None] | None,
    ) -> None:
        self._note = note
        self._state = state
        self._interaction = interaction
        self._clock = clock
        self._hook = journal_hook
        self._iocs: Mapping[str, bool] = {}
        self._started: list[str] = []

    async def run(self) -> Booted:
        try:
            handle = open_handle(
                self._note,
                state=self._state,
                clock=self._clock,
                journal_hook=self._hook,
                say=self._say,
            )
            await self._bring_up(handle)
        except BusyError as error:
            return self._outcome(Outcome.BUSY, str(error))
        except (LinacreError, OSError) as error:
            return self._outcome(Outcome.FAILED, str(error))
        except Exception as error:
            # A defect of ours in one facility must not keep the others down.
            said = f"unexpected {type(error).__name__}: {error}"
            return self._outcome(Outcome.FAILED, said)
        return self._outcome(Outcome.UP, None)

    def _outcome(self, outcome: Outcome, error: str | None) -> Booted:
        return Booted(
            facility=self._note.facility,
            engine=self._note.engine,
            outcome=outcome,
            iocs=len(self._iocs),
            iocs_up=sum(self._iocs.values()),
            started=tuple(self._started),
            error=error,
        )

    def _say(self, line: str) -> None:
        self._interaction.say(f"{self._note.facility}: {line}")

    async def _bring_up(self, handle: FacilityHandle) -> None:
        async with FacilityLock(handle.paths, command="boot", clock=handle.clock):
            if not await handle.engine.exists():
                raise LinacreError(f"the {handle.engine.name} engine has nothing of it: linacre up")
            async with handle.engine_open():
                await self._start_all(handle)

    async def _start_all(self, handle: FacilityHandle) -> None:
        found = await _look(handle)
        self._iocs = found.iocs
        await self._tell_unfinished(handle, found)
        if not found.machines:
            raise LinacreError("none of its machines is made: linacre up")
        if self._note.standing is not Standing.UP:
            write_note(handle.paths, self._note.model_copy(update={"standing": Standing.UP}))
        try:
            for _ in range(_ROUNDS):
                plan = _plan(found)
                if plan.is_empty:
                    return
                await self._carry_out(handle, found, plan)
                # One that was about to end when we looked has ended by now.
                found = await _look(handle)
                self._iocs = found.iocs
        except LinacreError:
            with contextlib.suppress(LinacreError):
                self._iocs = (await _look(handle)).iocs
            raise
        if not _plan(found).is_empty:
            down = ", ".join(found.down) or "a desk"
            raise LinacreError(f"does not stay up: {down}; see linacre doctor")

    async def _tell_unfinished(self, handle: FacilityHandle, found: _Look) -> None:
        cut_short = "digest" not in found.record
        async with handle.catalogue_open() as catalogue:
            for task in await catalogue.tasks():
                if task.verb == "up":
                    cut_short = cut_short or task.state is TaskState.INTERRUPTED
                    break
        if found.half_made:
            self._say(f"half made, left so until linacre up: {', '.join(found.half_made)}")
        elif cut_short:
            self._say("its last up was cut short: linacre up finishes it")

    async def _carry_out(self, handle: FacilityHandle, found: _Look, plan: Plan) -> None:
        async def no_image(_: str) -> Path:
            raise AssertionError("nothing is made here")

        context = ApplyContext(
            engine=handle.engine,
            declared=_declared(found),
            found=found.machines,
            build_image=no_image,
            record={},
            clock=handle.clock,
            boot_limit_s=_BOOT_LIMIT_S,
        )
        self._interaction.show_plan(plan)
        async with handle.catalogue_open() as catalogue:
            task = await catalogue.begin_task(
                facility=handle.name,
                verb="boot",
                steps=[(step.key, step.title) for step in plan.steps],
                listener=self._interaction.listener,
            )
            async with task:
                await apply(plan, context, task)
        self._started += [step.target for step in plan.steps if step.action is Action.START]


async def _look(handle: FacilityHandle) -> _Look:
    kinds = kinds_of(handle)
    machines, record = await handle.machines(), await handle.engine.record()
    # The labels of a machine are written last: without them it is half made.
    whole = {name: each for name, each in machines.items() if PROGRAM_DIGEST in each.labels}
    running = [
        each
        for each in whole.values()
        if each.state is MachineState.RUNNING and kinds.of(each).traits.runs_program
    ]
    told = await asyncio.gather(
        *(_is_silent(handle.engine, each, handle.clock, kinds) for each in running)
    )
    return _Look(
        machines=whole,
        half_made=tuple(sorted(machines.keys() - whole.keys())),
        record=record,
        silent=frozenset(m.name for m, silent in zip(running, told, strict=True) if silent),
        kinds=kinds,
    )


async def _is_silent(engine: Engine, machine: Machine, clock: Clock, kinds: Kinds) -> bool:
    address = as_found(machine).address.ip
    ports = ports_of(machine.labels)
    kind = kinds.of(machine)
    report = await kind.report(engine, machine.name, address, clock=clock, ports=ports)
    return not report.booted or report.restart_loop


def _declared(found: _Look) -> Declared:
    """Return what is to be: the machines that there are, as they are."""
    names = {ioc for each in found.machines.values() if (ioc := ioc_of(each)) is not None}
    live = {m.name: m.name for m in found.machines.values() if found.kinds.of(m).stands_alone}
    live |= {ioc: p.live for ioc, p in pairs(names, found.machines, found.record).items()}
    after = {
        name: [live[first] for first in each.labels.get(AFTER, "").split() if first in live]
        for name, each in found.machines.items()
        if found.kinds.of(each).traits.runs_program
    }
    # An `up` that was cut short can leave labels of two files, each without a cycle.
    for ring in cycles(after):
        after[ring[-2]].remove(ring[-1])
    return Declared(
        networks=(),
        machines=tuple(as_found(each, found.kinds) for each in found.machines.values()),
        after={name: tuple(waits) for name, waits in after.items()},
        iocs={},
        kinds=found.kinds,
    )


def _plan(found: _Look) -> Plan:
    """Return what starts the machines that do not run; those that run are left as they are."""
    machines = {
        # A running IOC keeps its files, also where newer ones wait for a restart.
        name: replace(
            each, labels={**each.labels, RUNNING_DIGEST: each.labels.get(PROGRAM_DIGEST, "")}
        )
        for name, each in found.machines.items()
    }
    record = {**found.record, "prepared": "yes"}
    return make_plan(_declared(found), Found(machines, record, found.silent), digest=None)
