"""Long work: what a task and its steps are, what they report, and who runs them."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class TaskState(StrEnum):
    """Where a task stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """Its process ended, or was told to stop, before the work did."""


class StepState(StrEnum):
    """Where a step of a task stands."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """Begun, and nobody knows how far it got."""


@dataclass(frozen=True)
class Task:
    """A piece of long work. Times are seconds since the Unix epoch."""

    id: int
    facility: str
    verb: str
    """The command, such as `up`."""
    detail: str
    user: str
    host: str
    pid: int
    process_started: str
    """When its process started, as `ProcessId.started`; a pid alone is used again."""
    started_at: float
    ended_at: float | None
    state: TaskState
    steps_total: int
    steps_done: int
    error: str | None
    log_path: Path
    """The log; the files of old tasks are removed."""


@dataclass(frozen=True)
class Step:
    """A part of a task that is journalled before it starts and when it ends."""

    task_id: int
    number: int
    """Its place in the task, from 1."""
    key: str
    """Its name within the task, the same in every run of the same work."""
    title: str
    state: StepState
    started_at: float | None
    ended_at: float | None
    error: str | None


class TaskEventKind(StrEnum):
    """What happened to a task."""

    STEP_STARTED = "step started"
    STEP_DONE = "step done"
    STEP_FAILED = "step failed"
    ENDED = "ended"


@dataclass(frozen=True)
class TaskEvent:
    """Progress of a task, told after it is in the catalogue."""

    task_id: int
    kind: TaskEventKind
    at: float
    """Seconds since the Unix epoch."""
    key: str | None = None
    """The step, or None for the task itself."""
    title: str | None = None
    state: TaskState | None = None
    """How the task ended, with `ENDED` only."""
    error: str | None = None


TaskListener = Callable[[TaskEvent], None]


def user_name() -> str:
    """Return the name of the user that this process runs as, or the number where it has none."""
    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
