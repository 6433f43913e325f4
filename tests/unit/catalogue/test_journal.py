from __future__ import annotations

import asyncio
import json
import os
import pwd
import socket
from pathlib import Path

import pytest

from linacre.base.errors import LinacreError, UserError
from linacre.base.log import get_logger
from linacre.base.tasks import StepState, TaskEvent, TaskEventKind, TaskState
from linacre.catalogue import Catalogue, logs

STEPS = [("image", "build the image"), ("S02-MAG", "make S02-MAG")]

log = get_logger("test")


async def test_a_task_is_kept_with_who_does_it_and_its_steps(catalogue: Catalogue) -> None:
    handle = await catalogue.begin_task(facility="clara", verb="up", detail="-f x", steps=STEPS)
    await handle.step_started("image")
    await handle.step_done("image")
    await handle.step_started("S02-MAG")

    task = await catalogue.task(handle.id)
    assert (task.facility, task.verb, task.detail) == ("clara", "up", "-f x")
    assert (task.pid, task.host) == (os.getpid(), socket.gethostname())
    assert task.user == pwd.getpwuid(os.geteuid()).pw_name
    assert (task.state, task.steps_total, task.steps_done) == (TaskState.RUNNING, 2, 1)
    first, second = await catalogue.steps(handle.id)
    assert (first.number, first.key, first.title) == (1, "image", "build the image")
    assert first.state is StepState.DONE and first.ended_at is not None
    assert second.state is StepState.RUNNING and second.ended_at is None


async def test_steps_may_be_added_and_known_ones_are_left_alone(catalogue: Catalogue) -> None:
    handle = await catalogue.begin_task(facility="clara", verb="up", steps=STEPS)
    await handle.step_started("image")
    await handle.add_steps([("image", "again"), ("S02-BPM", "make S02-BPM")])

    steps = await catalogue.steps(handle.id)
    assert [(s.number, s.key) for s in steps] == [(1, "image"), (2, "S02-MAG"), (3, "S02-BPM")]
    assert steps[0].state is StepState.RUNNING and steps[0].title == "build the image"


async def test_a_step_that_the_task_does_not_have_is_a_fault(catalogue: Catalogue) -> None:
    handle = await catalogue.begin_task(facility="clara", verb="up", steps=STEPS)
    with pytest.raises(ValueError, match="no step 'nonsense'"):
        await handle.step_started("nonsense")


async def test_a_block_that_ends_well_is_done(catalogue: Catalogue) -> None:
    async with await catalogue.begin_task(facility="clara", verb="up") as handle:
        pass
    task = await catalogue.task(handle.id)
    assert task.state is TaskState.DONE and task.error is None and task.ended_at is not None


async def test_a_block_that_fails_is_failed_with_the_reason_in_one_line(
    catalogue: Catalogue,
) -> None:
    with pytest.raises(LinacreError, match="no space"):
        async with await catalogue.begin_task(facility="clara", verb="up", steps=STEPS) as handle:
            await handle.step_started("image")
            raise LinacreError("no space\nin the pool, password=hunter2")

    task = await catalogue.task(handle.id)
    assert task.state is TaskState.FAILED
    assert task.error == "no space in the pool, password=***"
    assert (await catalogue.steps(handle.id))[0].state is StepState.INTERRUPTED


async def test_a_group_of_failures_is_one_line(catalogue: Catalogue) -> None:
    with pytest.raises(ExceptionGroup):
        async with await catalogue.begin_task(facility="clara", verb="up") as handle:
            raise ExceptionGroup("x", [LinacreError("one"), ValueError("two")])
    assert (await catalogue.task(handle.id)).error == "one; ValueError: two"


async def test_a_cancelled_block_is_interrupted(catalogue: Catalogue) -> None:
    begun = asyncio.Event()
    ids: list[int] = []

    async def work() -> None:
        async with await catalogue.begin_task(facility="clara", verb="up") as handle:
            ids.append(handle.id)
            begun.set()
            await asyncio.Event().wait()

    running = asyncio.create_task(work())
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await catalogue.task(ids[0])).state is TaskState.INTERRUPTED


async def test_only_the_first_end_counts(catalogue: Catalogue) -> None:
    async with await catalogue.begin_task(facility="clara", verb="up") as handle:
        await handle.finish("it broke")
    assert (await catalogue.task(handle.id)).error == "it broke"


async def test_a_listener_hears_each_step(catalogue: Catalogue) -> None:
    heard: list[TaskEvent] = []
    async with await catalogue.begin_task(
        facility="clara", verb="up", steps=STEPS, listener=heard.append
    ) as handle:
        await handle.step_started("image")
        await handle.step_done("image")
        await handle.step_started("S02-MAG")
        await handle.step_failed("S02-MAG", "no")

    assert [(e.kind, e.key, e.error) for e in heard] == [
        (TaskEventKind.STEP_STARTED, "image", None),
        (TaskEventKind.STEP_DONE, "image", None),
        (TaskEventKind.STEP_STARTED, "S02-MAG", None),
        (TaskEventKind.STEP_FAILED, "S02-MAG", "no"),
        (TaskEventKind.ENDED, None, None),
    ]


async def test_the_newest_tasks_come_first(catalogue: Catalogue) -> None:
    for verb in ("up", "down", "up"):
        async with await catalogue.begin_task(facility="clara", verb=verb):
            pass
    assert [t.id for t in await catalogue.tasks(2)] == [3, 2]
    assert await catalogue.tasks(facility="another") == []


async def test_a_task_that_is_not_there(catalogue: Catalogue) -> None:
    with pytest.raises(UserError, match="there is no task 7: see linacre task list"):
        await catalogue.task(7)


async def test_the_log_holds_what_the_block_logged(catalogue: Catalogue) -> None:
    async with await catalogue.begin_task(facility="clara", verb="up", steps=STEPS) as handle:
        await handle.step_started("image")
        log.info("from the work")
    log.info("too late")

    events = [json.loads(line)["event"] for line in handle.log_path.read_text().splitlines()]
    assert events == ["task started", "step started", "from the work", "task ended"]
    shown = [logs.human(line) async for line in catalogue.read_log(handle.id)]
    assert "step started step=image" in shown[1]


async def test_a_log_is_followed_until_the_task_ends(catalogue: Catalogue) -> None:
    seen = asyncio.Event()
    got: list[str] = []

    async def follow(number: int) -> None:
        async for line in catalogue.read_log(number, follow=True):
            got.append(json.loads(line)["event"])
            if "first" in got:
                seen.set()

    async with await catalogue.begin_task(facility="clara", verb="up") as handle:
        log.info("first")
        following = asyncio.create_task(follow(handle.id))
        await asyncio.wait_for(seen.wait(), 10)
        log.info("second")
    await asyncio.wait_for(following, 10)
    assert got == ["task started", "first", "second", "task ended"]


async def test_a_log_that_is_no_longer_kept(catalogue: Catalogue) -> None:
    async with await catalogue.begin_task(facility="clara", verb="up") as handle:
        pass
    handle.log_path.unlink()
    with pytest.raises(LinacreError, match="log of task 1 is no longer kept"):
        _ = [line async for line in catalogue.read_log(handle.id)]


def test_only_the_newest_logs_are_kept_and_those_of_running_tasks(tmp_path: Path) -> None:
    for number in range(1, 11):
        (tmp_path / logs.log_name(number)).touch()
    (tmp_path / "incusd.log").touch()

    logs.remove_old(tmp_path, keep={2}, count=3)

    kept = sorted(p.name for p in tmp_path.iterdir())
    assert kept == ["incusd.log", *(logs.log_name(n) for n in (2, 8, 9, 10))]


def test_a_torn_last_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(b"one\ntw")
    tail = logs.Tail(path)
    assert list(tail.lines()) == ["one"]
    with path.open("ab") as file:
        file.write(b"o\n")
    assert list(tail.lines()) == ["two"]


def test_text_that_is_no_record_is_shown_as_it_is() -> None:
    assert logs.human("plain") == "plain"
    assert logs.human("[1, 2]") == "[1, 2]"
    assert logs.human('{"at": "never"}') == '{"at": "never"}'
