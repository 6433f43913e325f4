"""`linacre task`: the long work that was done, and what came of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linacre.cli.context import mark_interrupted, open_catalogue, put, run, say
from linacre.cli.render import (
    duration,
    iso_time,
    local_time,
    print_json,
    print_table,
    state_text,
)

if TYPE_CHECKING:
    from linacre.base.tasks import Step, Task
    from linacre.catalogue.queries import TaskList

app = typer.Typer()

FileOption = Annotated[
    Path | None, typer.Option("--file", "-f", help="The facility file.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
TaskArgument = Annotated[int, typer.Argument(metavar="ID", help="The task's number.")]


@app.command("list")
def list_tasks(
    file: FileOption = None,
    as_json: JsonOption = False,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=1_000_000, help="How many.")
    ] = 20,
) -> None:
    """List the newest tasks, newest first."""

    async def work() -> TaskList:
        async with open_catalogue(file) as catalogue:
            await mark_interrupted(catalogue)
            return await catalogue.task_list(limit)

    listed = run(work())
    tasks = listed.tasks
    if listed.unreadable:
        say(
            f"tasks that cannot be read: {listed.unreadable}; the catalogue is damaged: linacre"
            " catalogue rebuild sets it aside and makes it anew from the engine"
        )
    if as_json:
        print_json([task_data(task) for task in tasks])
        return
    columns = ["ID", "STARTED", "BY", "WHAT", "STATE", "STEPS", "TIME", "ERROR"]
    print_table(
        columns,
        [
            [
                str(task.id),
                local_time(task.started_at),
                task.user,
                f"{task.verb} {task.detail}".strip(),
                state_text(task.state),
                f"{task.steps_done}/{task.steps_total}",
                _took(task.started_at, task.ended_at),
                task.error or "",
            ]
            for task in tasks
        ],
    )


@app.command("show")
def show_task(number: TaskArgument, file: FileOption = None, as_json: JsonOption = False) -> None:
    """Show a task with its steps."""

    async def work() -> tuple[Task, list[Step]]:
        async with open_catalogue(file) as catalogue:
            await mark_interrupted(catalogue)
            return await catalogue.task(number), await catalogue.steps(number)

    task, steps = run(work())
    if as_json:
        print_json({**task_data(task), "steps": [step_data(step) for step in steps]})
        return
    put(
        f"task {task.id}: {task.verb} {task.detail}".rstrip()
        + f", {task.state}, by {task.user} on {task.host} (pid {task.pid}),"
        f" {local_time(task.started_at)}, {_took(task.started_at, task.ended_at)}"
    )
    if task.error:
        put(f"error: {task.error}")
    print_table(
        ["STEP", "STATE", "STARTED", "TIME", "ERROR"],
        [
            [
                step.title,
                state_text(step.state),
                local_time(step.started_at),
                "" if step.started_at is None else _took(step.started_at, step.ended_at),
                step.error or "",
            ]
            for step in steps
        ],
    )


@app.command("log")
def show_log(
    number: TaskArgument,
    file: FileOption = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the task ends.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the lines as stored.")] = False,
) -> None:
    """Print the log of a task."""

    async def work() -> None:
        from linacre.catalogue.logs import human

        async with open_catalogue(file) as catalogue:
            async for line in catalogue.read_log(number, follow=follow):
                put(line if as_json else human(line))

    run(work())


def task_data(task: Task) -> dict[str, object]:
    """Return a task for JSON, times as UTC."""
    return {
        "id": task.id,
        "facility": task.facility,
        "verb": task.verb,
        "detail": task.detail,
        "user": task.user,
        "host": task.host,
        "pid": task.pid,
        "started_at": iso_time(task.started_at),
        "ended_at": iso_time(task.ended_at),
        "state": task.state.value,
        "steps_total": task.steps_total,
        "steps_done": task.steps_done,
        "error": task.error,
        "log": str(task.log_path),
    }


def step_data(step: Step) -> dict[str, object]:
    """Return a step for JSON, times as UTC."""
    return {
        "number": step.number,
        "key": step.key,
        "title": step.title,
        "state": step.state.value,
        "started_at": iso_time(step.started_at),
        "ended_at": iso_time(step.ended_at),
        "error": step.error,
    }


def _took(started_at: float, ended_at: float | None) -> str:
    return duration((time.time() if ended_at is None else ended_at) - started_at)
