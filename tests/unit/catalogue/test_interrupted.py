"""What is left of a task whose process was killed, and of writers that meet."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from linacre.base.tasks import StepState, TaskState
from linacre.catalogue import Catalogue


def child(script: str, *args: str | Path) -> subprocess.Popen[str]:
    lines = textwrap.dedent(script)
    return subprocess.Popen(
        [sys.executable, "-c", lines, *map(str, args)], stdout=subprocess.PIPE, text=True
    )


HANGS = """
    import asyncio, sys
    from pathlib import Path
    from linacre.catalogue import Catalogue

    async def main(path):
        async with await Catalogue.open(path, logs=path.parent / "log") as catalogue:
            steps = [("a", "A"), ("b", "B"), ("c", "C")]
            async with await catalogue.begin_task(facility="x", verb="up", steps=steps) as task:
                await task.step_started("a")
                await task.step_done("a")
                await task.step_started("b")
                print("ready", flush=True)
                await asyncio.Event().wait()

    asyncio.run(main(Path(sys.argv[1])))
"""


async def test_a_task_whose_process_was_killed_is_interrupted(
    catalogue: Catalogue, path: Path
) -> None:
    process = child(HANGS, path)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    assert await catalogue.mark_interrupted() == []
    process.kill()
    assert process.wait() == -signal.SIGKILL

    (task,) = await catalogue.mark_interrupted()

    assert task.state is TaskState.INTERRUPTED and task.pid == process.pid
    assert task.error == f"its process (pid {process.pid}) ended before the work did"
    states = [step.state for step in await catalogue.steps(task.id)]
    assert states == [StepState.DONE, StepState.INTERRUPTED, StepState.PENDING]
    assert await catalogue.mark_interrupted() == []
    process.stdout.close()


async def test_a_task_of_another_host_is_left_alone(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    await catalogue.begin_task(facility="x", verb="up")
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    async with await Catalogue.open(path, logs=path.parent / "log") as elsewhere:
        assert await elsewhere.mark_interrupted(lambda process: False) == []
    assert len(await catalogue.mark_interrupted(lambda process: False)) == 1


KILLED_AFTER = """
    import asyncio, os, signal, sys
    from pathlib import Path
    from linacre.catalogue import Catalogue

    async def main(path, last):
        kill = lambda n: os.kill(os.getpid(), signal.SIGKILL) if n == last else None
        logs = path.parent / "log"
        async with await Catalogue.open(path, logs=logs, after_write=kill) as catalogue:
            async with await catalogue.begin_task(
                facility="x", verb="up", steps=[("a", "A"), ("b", "B")]
            ) as task:
                for key in "ab":
                    await task.step_started(key)
                    await task.step_done(key)

    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


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
    path: Path, writes: int, expected: list[str]
) -> None:
    process = child(KILLED_AFTER, path, str(writes))
    assert await asyncio.to_thread(process.wait) == -signal.SIGKILL
    assert process.stdout is not None
    process.stdout.close()

    async with await Catalogue.open(path, logs=path.parent / "log") as catalogue:
        (task,) = await catalogue.mark_interrupted()
        assert [step.state for step in await catalogue.steps(task.id)] == expected


WRITES = """
    import asyncio, sys
    from pathlib import Path
    from linacre.catalogue import Catalogue

    async def main(path, count):
        async with await Catalogue.open(path, logs=path.parent / "log") as catalogue:
            steps = [(str(n), "t") for n in range(count)]
            async with await catalogue.begin_task(facility="x", verb="up", steps=steps) as task:
                for key, _ in steps:
                    await task.step_started(key)
                    await task.step_done(key)

    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


async def test_processes_may_make_and_write_the_catalogue_at_once(path: Path) -> None:
    writers = [child(WRITES, path, "40") for _ in range(3)]
    for writer in writers:
        assert await asyncio.to_thread(writer.wait) == 0
        assert writer.stdout is not None
        writer.stdout.close()

    async with await Catalogue.open(path, logs=path.parent / "log") as catalogue:
        tasks = await catalogue.tasks()
        assert sorted(t.id for t in tasks) == [1, 2, 3]
        assert {(t.state, t.steps_done) for t in tasks} == {(TaskState.DONE, 40)}


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
