"""What is asked of the tables and changed in them, one transaction a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, RowMapping, Select, Table, func, insert, select, update

from linacre.base.processes import ProcessId
from linacre.base.tasks import Step, StepState, Task, TaskState
from linacre.catalogue.errors import UnreadableError
from linacre.catalogue.logs import log_name
from linacre.catalogue.soundness import Rows, read_rows
from linacre.catalogue.tables import step, task

_LONGEST_NAME = 63


@dataclass(frozen=True)
class NewTask:
    """What is known of a task when it begins."""

    facility: str
    verb: str
    detail: str
    user: str
    host: str
    pid: int
    process_started: str
    started_at: float


@dataclass(frozen=True)
class TaskList:
    """Tasks, newest first."""

    tasks: list[Task]
    unreadable: int
    """How many more there are that are damaged."""


def insert_task(
    connection: Connection, new: NewTask, steps: Sequence[tuple[str, str]]
) -> tuple[int, frozenset[int]]:
    """Add a running task; return its id and the ids of all running tasks."""
    target = new.detail if len(new.detail) <= _LONGEST_NAME else ""
    values = {**vars(new), "state": TaskState.RUNNING.value, "log": "", "target": target}
    result = connection.execute(insert(task).values(values))
    assert result.inserted_primary_key is not None
    number = int(result.inserted_primary_key[0])
    connection.execute(update(task).where(task.c.id == number).values(log=log_name(number)))
    insert_steps(connection, number, steps)
    running = connection.execute(select(task.c.id).where(task.c.state == TaskState.RUNNING.value))
    return number, frozenset(running.scalars())


def insert_steps(connection: Connection, task_id: int, steps: Sequence[tuple[str, str]]) -> None:
    """Add pending steps (key, title) after those that the task has; a known key is left alone."""
    mine = step.c.task_id == task_id
    known = set(connection.execute(select(step.c.key).where(mine)).scalars())
    last = connection.execute(select(func.max(step.c.number)).where(mine)).scalar() or 0
    fresh = {key: title for key, title in steps if key not in known}
    rows = [
        {
            "task_id": task_id,
            "number": last + place,
            "key": key,
            "title": title,
            "state": StepState.PENDING.value,
            "target": key.rpartition(" ")[2] if " " in key else "",
        }
        for place, (key, title) in enumerate(fresh.items(), start=1)
    ]
    if rows:
        connection.execute(insert(step), rows)


def start_step(connection: Connection, task_id: int, key: str, *, at: float) -> str:
    """Mark a step as running and return its title."""
    values = {"state": StepState.RUNNING.value, "started_at": at, "ended_at": None, "error": None}
    return _change_step(connection, task_id, key, values)


def end_step(
    connection: Connection, task_id: int, key: str, *, at: float, error: str | None
) -> str:
    """Mark a step as done, or failed where there is an error, and return its title."""
    state = StepState.DONE if error is None else StepState.FAILED
    return _change_step(
        connection, task_id, key, {"state": state.value, "ended_at": at, "error": error}
    )


def _change_step(
    connection: Connection, task_id: int, key: str, values: Mapping[str, object]
) -> str:
    chosen = (step.c.task_id == task_id) & (step.c.key == key)
    title = connection.execute(select(step.c.title).where(chosen)).scalar()
    if title is None:
        raise ValueError(f"task {task_id} has no step {key!r}")
    connection.execute(update(step).where(chosen).values(values))
    return title


def end_task(
    connection: Connection, task_id: int, *, at: float, state: TaskState, error: str | None
) -> bool:
    """End a running task and the steps it left running; False if it had ended already."""
    running = (task.c.id == task_id) & (task.c.state == TaskState.RUNNING.value)
    values = {"state": state.value, "ended_at": at, "error": error}
    if not connection.execute(update(task).where(running).values(values)).rowcount:
        return False
    left = (step.c.task_id == task_id) & (step.c.state == StepState.RUNNING.value)
    connection.execute(
        update(step).where(left).values(state=StepState.INTERRUPTED.value, ended_at=at)
    )
    return True


def running_tasks(connection: Connection, *, host: str) -> list[tuple[int, ProcessId]]:
    """Return id and process of a host's running tasks; those that cannot be read are left out."""
    columns: list[Column[Any]] = [task.c.id, task.c.pid, task.c.process_started]
    running = (task.c.state == TaskState.RUNNING.value) & (task.c.host == host)
    query = select(*columns).where(running).order_by(task.c.id)
    found = read_rows(connection, query, key=task.c.id, columns=columns)
    return [(row["id"], ProcessId(row["pid"], row["process_started"])) for row in found.sound]


def interrupt_tasks(
    connection: Connection, *, host: str, alive: Callable[[ProcessId], bool], at: float
) -> list[int]:
    """Mark a host's running tasks whose process is gone as interrupted; return their ids."""
    gone = [
        (number, process.pid)
        for number, process in running_tasks(connection, host=host)
        if not alive(process)
    ]
    for number, pid in gone:
        error = f"its process (pid {pid}) ended before the work did"
        end_task(connection, number, at=at, state=TaskState.INTERRUPTED, error=error)
    return [number for number, _ in gone]


def select_tasks(
    connection: Connection, *, logs: Path, limit: int, facility: str | None = None
) -> TaskList:
    """Return the newest tasks, newest first; those that cannot be read are counted."""
    query = _tasks().order_by(task.c.id.desc()).limit(limit)
    if facility is not None:
        query = query.where(task.c.facility == facility)
    found = read_rows(connection, query, key=task.c.id, columns=_columns(task))
    return TaskList([_task(row, logs) for row in found.sound], found.unreadable)


def select_task(connection: Connection, task_id: int, *, logs: Path) -> Task | None:
    """Return one task, or None where there is none of this id.

    Raises `UnreadableError` where it is damaged.
    """
    query = _tasks().where(task.c.id == task_id)
    found = _whole(read_rows(connection, query, key=task.c.id, columns=_columns(task)))
    return _task(found[0], logs) if found else None


def select_steps(connection: Connection, task_id: int) -> list[Step]:
    """Return the steps of a task in their order; `UnreadableError` where any is damaged."""
    columns = _columns(step)
    query = select(*columns).where(step.c.task_id == task_id).order_by(step.c.number)
    found = _whole(read_rows(connection, query, key=step.c.number, columns=columns))
    return [_step(row) for row in found]


def _whole(found: Rows) -> list[RowMapping]:
    if found.unreadable:
        raise UnreadableError("not all that was asked for can be read")
    return found.sound


def _columns(table: Table) -> list[Column[Any]]:
    """Return the columns that tell of a task or step; the others are for searches."""
    return [column for column in table.c if column is not table.c.target]


def _tasks() -> Select[tuple[object, ...]]:
    mine = select(func.count()).select_from(step).where(step.c.task_id == task.c.id)
    total = mine.scalar_subquery()
    done = mine.where(step.c.state == StepState.DONE.value).scalar_subquery()
    return select(*_columns(task), total.label("steps_total"), done.label("steps_done"))


def _task(row: RowMapping, logs: Path) -> Task:
    values: dict[str, Any] = dict(row)
    log_path = logs / values.pop("log")
    state = TaskState(values.pop("state"))
    return Task(**values, state=state, log_path=log_path)


def _step(row: RowMapping) -> Step:
    values: dict[str, Any] = dict(row)
    return Step(state=StepState(values.pop("state")), **values)
