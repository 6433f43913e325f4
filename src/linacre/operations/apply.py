"""Following a plan: its steps in parallel, each journalled before it starts and when it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, cast

from linacre.base.clock import Clock
from linacre.base.errors import LinacreError
from linacre.engines.base import Engine, Machine, MachineSpec
from linacre.engines.labels import (
    IMAGE,
    LOADED_DIGEST,
    PROGRAM_DIGEST,
    RELOADABLE_DIGEST,
    RUNNING_DIGEST,
    kept_key,
    network_record,
)
from linacre.kinds.service.ports import ports_of
from linacre.planning.plan import Action, Plan, Step
from linacre.planning.specs import Declared

_AT_ONCE = 4


class Journal(Protocol):
    """Where the steps are written before they start and when they end."""

    async def step_started(self, key: str) -> None:
        """Write that a step starts."""
        ...

    async def step_done(self, key: str) -> None:
        """Write that a step is done."""
        ...

    async def step_failed(self, key: str, error: str) -> None:
        """Write that a step failed."""
        ...


@dataclass(frozen=True)
class ApplyContext:
    """All that steps need."""

    engine: Engine
    declared: Declared
    found: Mapping[str, Machine]
    build_image: Callable[[str], Awaitable[Path]]
    """Has the image of a digest ready, and returns its folder."""
    record: Mapping[str, str]
    """The entries written to the facility's record at the end."""
    clock: Clock
    boot_limit_s: float = 60.0
    copies: Mapping[str, str] = field(default_factory=dict[str, str])
    """For a new machine, the one whose persistent folder its own begins as a copy of."""


class StepsFailedError(LinacreError):
    """Some steps failed; the others were carried on as far as they could be."""


async def apply(plan: Plan, context: ApplyContext, journal: Journal) -> None:
    """Do every step of a plan, those that do not wait for one another in parallel.

    A step that fails holds back those after it and no others. Raises `StepsFailedError` with
    what failed first.
    """
    runner = _Runner(plan, context, journal)
    await runner.run()


def _first_of(error: BaseException) -> BaseException:
    """Return what an exception group says, which no operator is to see."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    return _first_of(cast("BaseExceptionGroup[BaseException]", error).exceptions[0])


class _Runner:
    """The steps of one plan on their way."""

    def __init__(self, plan: Plan, context: ApplyContext, journal: Journal) -> None:
        self._plan = plan
        self._context = context
        self._kinds = context.declared.kinds
        self._journal = journal
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._building = asyncio.Lock()
        self._tasks: dict[str, asyncio.Task[bool]] = {}
        self._failures: list[str] = []
        self._held_back = 0

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for step in self._plan.steps:
                    self._tasks[step.key] = group.create_task(self._follow(step))
        except BaseExceptionGroup as failed:  # pyright: ignore[reportUnknownVariableType]
            # The journal itself has failed: without it nothing more may be done.
            raise _first_of(failed) from None  # pyright: ignore[reportUnknownArgumentType]
        if self._failures:
            held = f"; {self._held_back} more not tried" if self._held_back else ""
            raise StepsFailedError(
                f"{len(self._failures)} of {len(self._plan.steps)} steps failed{held}: "
                + "; ".join(self._failures[:3])
            )

    async def _follow(self, step: Step) -> bool:
        before = [await self._tasks[key] for key in step.after]
        if not all(before):
            self._held_back += 1
            return False
        await self._at_once.acquire()
        try:
            await self._journal.step_started(step.key)
            await self._do(step)
        except (LinacreError, OSError) as error:
            self._failures.append(f"{step.title}: {error}")
            await self._journal.step_failed(step.key, str(error))
            return False
        finally:
            self._at_once.release()
        try:
            await self._confirm(step)
        except LinacreError as error:
            self._failures.append(str(error))
            await self._journal.step_failed(step.key, str(error))
            return False
        await self._journal.step_done(step.key)
        return True

    async def _do(self, step: Step) -> None:
        engine = self._context.engine
        match step.action:
            case Action.PREPARE:
                await engine.prepare()
                await engine.set_record({"prepared": "yes"})
            case Action.NETWORK:
                network = next(n for n in self._context.declared.networks if n.name == step.target)
                await engine.ensure_network(network)
                await engine.set_record(dict([network_record(network)]))
            case Action.IMAGE:
                # One at a time: a build takes all of the host, and an engine may unpack but one.
                async with self._building:
                    folder = await self._context.build_image(step.target)
                    await engine.ensure_image(step.target, folder)
            case Action.REMOVE:
                await self._remove(step.target)
            case Action.RECORD:
                await engine.set_record(self._context.record)
            case _:
                await self._do_with_machine(step, self._context.declared.machine(step.target))

    async def _remove(self, name: str) -> None:
        """Remove a machine, and what it kept too unless its kind keeps that."""
        kept = self._kinds.of(self._context.found[name]).keeps_data
        await self._context.engine.delete(name, keep_persistent=kept)
        if kept:
            at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._context.clock.now()))
            await self._context.engine.set_record({kept_key(name): at})

    async def _do_with_machine(self, step: Step, spec: MachineSpec) -> None:
        engine = self._context.engine
        match step.action:
            case Action.CREATE:
                copied = self._context.copies.get(spec.name)
                await engine.create(_marked_as_running(spec), persistent_from=copied)
                if self._kinds.of(spec).keeps_data:
                    await engine.set_record({kept_key(spec.name): None})
            case Action.REBUILD:
                await engine.rebuild(_marked_as_running(spec))
            case Action.STOP:
                await engine.stop(spec.name)
            case Action.UPDATE:
                # The machine keeps the image it was made from: only a rebuild changes that.
                image = self._context.found[spec.name].labels.get(IMAGE, "")
                await engine.update(replace(spec, labels={**spec.labels, IMAGE: image}))
            case Action.START:
                if not self._is_marked(spec):
                    # Written while nothing runs: a crash in between leaves a truth.
                    await engine.set_labels(spec.name, _running_labels(spec))
                await engine.start(spec.name)
            case Action.RESTART:
                # Until it serves nobody knows with which files it runs, so the next `up` restarts
                # it, also where the files of before are declared again.
                await engine.set_labels(spec.name, {RUNNING_DIGEST: ""})
                await engine.restart_program(spec.name)
            case Action.PLUG:
                cable = (await engine.wiring.cables())[spec.name]
                await engine.wiring.record_moves({spec.name: cable.recorded}, notes={})
                await engine.wiring.finish_moves()
            case Action.RELOAD:
                await self._kinds.of(spec).reload(engine, spec)
                await engine.set_labels(spec.name, {LOADED_DIGEST: spec.labels[RELOADABLE_DIGEST]})
            case Action.CHECK:
                pass
            case _:
                raise AssertionError(step.action)

    def _is_marked(self, spec: MachineSpec) -> bool:
        """Tell whether the label of the running files is right already."""
        made = {f"{Action.CREATE} {spec.name}", f"{Action.REBUILD} {spec.name}"}
        if not made.isdisjoint(self._tasks):
            return True
        found = self._context.found.get(spec.name)
        there: Mapping[str, str] = {} if found is None else found.labels
        return all(there.get(key) == value for key, value in _running_labels(spec).items())

    async def _confirm(self, step: Step) -> None:
        """Wait until an IOC or a service that was started serves; others may start meanwhile."""
        if step.action not in (Action.START, Action.RESTART, Action.CHECK):
            return
        spec = self._context.declared.machine(step.target)
        if not spec.traits.runs_program:
            return
        await self._kinds.of(spec).wait_until_serving(
            self._context.engine,
            spec.name,
            spec.address.ip,
            clock=self._context.clock,
            limit_s=self._context.boot_limit_s,
            ports=ports_of(spec.labels),
        )
        if step.action is Action.RESTART:
            await self._context.engine.set_labels(spec.name, _running_labels(spec))


def _marked_as_running(spec: MachineSpec) -> MachineSpec:
    """Return the spec of a new machine, which will first start with the files it is made with."""
    return replace(spec, labels={**spec.labels, **_running_labels(spec)})


def _running_labels(spec: MachineSpec) -> dict[str, str]:
    """Return the labels that tell what a program runs with that starts now."""
    running = {RUNNING_DIGEST: spec.labels[PROGRAM_DIGEST]}
    if RELOADABLE_DIGEST in spec.labels:
        running[LOADED_DIGEST] = spec.labels[RELOADABLE_DIGEST]
    return running
