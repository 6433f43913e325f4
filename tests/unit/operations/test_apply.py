"""A step that fails, which a real engine cannot be made to show at will."""

import asyncio
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any, cast

import pytest

from linacre.base.clock import SystemClock
from linacre.base.errors import EngineError, LinacreError
from linacre.engines.base import MachineSpec, Payload, Traits
from linacre.engines.labels import PROGRAM_DIGEST
from linacre.operations.apply import ApplyContext, StepsFailedError, apply
from linacre.planning.plan import Action, Plan, Step
from linacre.planning.specs import Declared


class Journal:
    def __init__(self) -> None:
        self.lines: list[str] = []

    async def step_started(self, key: str) -> None:
        self.lines.append(f"started {key}")

    async def step_done(self, key: str) -> None:
        self.lines.append(f"done {key}")

    async def step_failed(self, key: str, error: str) -> None:
        self.lines.append(f"failed {key}: {error}")


class Engine:
    """Makes machines, all but one."""

    def __init__(self, *, broken: str) -> None:
        self.broken = broken
        self.at_once = 0
        self.most_at_once = 0

    async def create(self, spec: Any, *, persistent_from: str | None = None) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if spec.name == self.broken:
            raise EngineError("no room")


def spec(name: str) -> MachineSpec:
    return MachineSpec(
        name=name,
        kind="desk",
        network="controls",
        address=IPv4Interface("10.9.0.2/24"),
        gateway=IPv4Address("10.9.0.1"),
        mac="02:00:00:00:00:01",
        image=None,
        payload=Payload(),
        traits=Traits(runs_program=False),
        labels={PROGRAM_DIGEST: "program-1"},
    )


def context(engine: Engine, *names: str) -> ApplyContext:
    specs = tuple(spec(name) for name in names)

    async def image() -> Path:
        raise AssertionError("no image is asked for")

    return ApplyContext(
        engine=cast(Any, engine),
        declared=Declared((), specs, {}, {}),
        found={},
        build_image=image,
        record={},
        clock=SystemClock(),
    )


def create(name: str, *after: str) -> Step:
    return Step(Action.CREATE, name, f"make {name}", after)


async def test_a_failed_step_holds_back_those_after_it_and_no_others():
    journal = Journal()
    plan = Plan((create("a"), create("b", "create a"), create("c"), create("d", "create b")))
    with pytest.raises(StepsFailedError, match=r"1 of 4 steps failed; 2 more .*: make a: no room"):
        await apply(plan, context(Engine(broken="a"), "a", "b", "c", "d"), journal)
    assert "failed create a: no room" in journal.lines
    assert "done create c" in journal.lines
    assert not [line for line in journal.lines if "create b" in line or "create d" in line]


async def test_a_journal_that_fails_is_told_in_its_own_words():
    class Cut(Journal):
        async def step_started(self, key: str) -> None:
            raise LinacreError("the catalogue was cut off by its server")

        async def step_failed(self, key: str, error: str) -> None:
            raise LinacreError("the catalogue was cut off by its server")

    plan = Plan((create("a"), create("b")))
    with pytest.raises(LinacreError, match=r"^the catalogue was cut off by its server$"):
        await apply(plan, context(Engine(broken=""), "a", "b"), Cut())


async def test_each_step_is_journalled_before_it_starts_and_after_it_ends():
    journal = Journal()
    await apply(
        Plan((create("a"), create("b", "create a"))), context(Engine(broken=""), "a", "b"), journal
    )
    assert journal.lines == [
        "started create a",
        "done create a",
        "started create b",
        "done create b",
    ]


async def test_steps_that_do_not_wait_for_one_another_go_together_within_a_limit():
    engine = Engine(broken="")
    names = [f"m{n}" for n in range(20)]
    await apply(Plan(tuple(create(n) for n in names)), context(engine, *names), Journal())
    assert 1 < engine.most_at_once <= 8
