"""What is left of a task whose process was killed, and of writers that meet."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from linacre.base.tasks import StepState, TaskState
from linacre.catalogue import Catalogue
from linacre.catalogue.model import IocEntry, NewState, RecordEntry

Where = Path | str
Spawn = Callable[..., BaseProcess]


def run(work: Callable[[Catalogue], object], where: Where, logs: Path) -> None:
    async def main() -> None:
        async with await Catalogue.open(where, logs=logs) as catalogue:
            await work(catalogue)  # type: ignore[misc]

    asyncio.run(main())


def hang(where: Where, logs: Path, ready: Connection) -> None:
    async def work(catalogue: Catalogue) -> None:
        steps = [("a", "A"), ("b", "B"), ("c", "C")]
        async with await catalogue.begin_task(facility="x", verb="up", steps=steps) as task:
            await task.step_started("a")
            await task.step_done("a")
            await task.step_started("b")
            ready.send("ready")
            await asyncio.Event().wait()

    run(work, where, logs)


async def test_a_task_whose_process_was_killed_is_interrupted(
    catalogue: Catalogue, where: Where, tmp_path: Path, spawn: Spawn
) -> None:
    ready, sender = multiprocessing.Pipe()
    process = spawn(hang, where, tmp_path / "log", sender)
    assert await asyncio.to_thread(ready.poll, 20) and ready.recv() == "ready"
    assert await catalogue.mark_interrupted() == []
    process.kill()
    process.join(20)
    assert process.exitcode == -signal.SIGKILL

    (task,) = await catalogue.mark_interrupted()

    assert task.state is TaskState.INTERRUPTED and task.pid == process.pid
    assert task.error == f"its process (pid {process.pid}) ended before the work did"
    states = [step.state for step in await catalogue.steps(task.id)]
    assert states == [StepState.DONE, StepState.INTERRUPTED, StepState.PENDING]
    assert await catalogue.mark_interrupted() == []
    ready.close()
    sender.close()


async def test_a_task_of_another_host_is_left_alone(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, where: Where, tmp_path: Path
) -> None:
    await catalogue.begin_task(facility="x", verb="up")
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    async with await Catalogue.open(where, logs=tmp_path / "log") as elsewhere:
        assert await elsewhere.mark_interrupted(lambda process: False) == []
    assert len(await catalogue.mark_interrupted(lambda process: False)) == 1


def die_after(where: Where, logs: Path, last: int) -> None:
    def kill(number: int) -> None:
        if number == last:
            os.kill(os.getpid(), signal.SIGKILL)

    async def main() -> None:
        async with (
            await Catalogue.open(where, logs=logs, after_write=kill) as catalogue,
            await catalogue.begin_task(
                facility="x", verb="up", steps=[("a", "A"), ("b", "B")]
            ) as task,
        ):
            for key in "ab":
                await task.step_started(key)
                await task.step_done(key)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("writes", "expected"),
    [
        (1, ["pending", "pending"]),
        (2, ["interrupted", "pending"]),
        (3, ["done", "pending"]),
        (4, ["done", "interrupted"]),
        (5, ["done", "done"]),
    ],
)
async def test_killed_after_each_write_the_journal_says_how_far_it_got(
    where: Where, tmp_path: Path, spawn: Spawn, writes: int, expected: list[str]
) -> None:
    process = spawn(die_after, where, tmp_path / "log", writes)
    await asyncio.to_thread(process.join, 20)
    assert process.exitcode == -signal.SIGKILL

    async with await Catalogue.open(where, logs=tmp_path / "log") as catalogue:
        (task,) = await catalogue.mark_interrupted()
        assert [step.state for step in await catalogue.steps(task.id)] == expected


STEPS = 12


def write_much(where: Where, logs: Path, number: int) -> None:
    async def work(catalogue: Catalogue) -> None:
        steps = [(str(n), "t") for n in range(STEPS)]
        inventory = catalogue.inventory("shared")
        await inventory.set_iocs(entry(name) for name in ("A", "B", "COMMON"))
        async with await catalogue.begin_task(facility="x", verb="up", steps=steps) as task:
            for key, _ in steps:
                await task.step_started(key)
                await inventory.add_state(new_state("COMMON", f"{number}.{key}", task.id))
                names = [f"{number}:{key}:{n}" for n in range(50)]
                await inventory.set_records("COMMON", [RecordEntry(name) for name in names])
                own = catalogue.inventory(f"own-{number}")
                await own.set_iocs([entry("A")])
                await own.set_records("A", [RecordEntry(name) for name in names])
                await task.step_done(key)

    run(work, where, logs)


def entry(name: str) -> IocEntry:
    empty = dict.fromkeys(IocEntry.__dataclass_fields__, "")
    return IocEntry(**{**empty, "name": name})


def new_state(ioc: str, digest: str, task_id: int) -> NewState:
    return NewState(
        ioc=ioc,
        verb="up",
        task_id=task_id,
        user="me",
        at=1.0,
        source="",
        revision="",
        digest=digest,
        settings="",
    )


async def test_processes_may_make_and_write_the_catalogue_at_once(
    empty: Where, tmp_path: Path, spawn: Spawn
) -> None:
    writers = [spawn(write_much, empty, tmp_path / "log", number) for number in range(3)]
    for writer in writers:
        await asyncio.to_thread(writer.join, 50)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]

    async with await Catalogue.open(empty, logs=tmp_path / "log") as catalogue:
        tasks = await catalogue.tasks()
        assert len({t.id for t in tasks}) == 3
        assert {(t.state, t.steps_done) for t in tasks} == {(TaskState.DONE, STEPS)}
        shared = catalogue.inventory("shared")
        states = await shared.states("COMMON")
        assert [state.number for state in states] == list(range(1, 3 * STEPS + 1))
        said = {f"{number}.{key}" for number in range(3) for key in range(STEPS)}
        assert {state.digest for state in states} == said
        assert [ioc.name for ioc in await shared.iocs()] == ["A", "B", "COMMON"]
        # All of one writer's last records, and never some of each.
        (whose,) = {record.name.partition(":")[0] for record in await shared.records("COMMON")}
        assert {r.name.split(":")[1] for r in await shared.records("COMMON")} == {str(STEPS - 1)}
        assert (await shared.find(f"{whose}:*")).matches[0].ioc == "COMMON"
        for number in range(3):
            assert len(await catalogue.inventory(f"own-{number}").records("A")) == 50


async def test_steps_of_one_task_may_run_at_once(catalogue: Catalogue) -> None:
    keys = [str(n) for n in range(30)]
    async with await catalogue.begin_task(
        facility="x", verb="up", steps=[(key, "t") for key in keys]
    ) as task:

        async def work(key: str) -> None:
            await task.step_started(key)
            await task.step_done(key)

        await asyncio.gather(*map(work, keys))
    assert (await catalogue.task(task.id)).steps_done == 30
