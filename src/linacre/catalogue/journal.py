"""The journal of one task, in the hands of whoever does the work."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from linacre.base.clock import Clock
from linacre.base.errors import LinacreError
from linacre.base.log import JsonFile, get_logger, logging_to, redact_text
from linacre.base.tasks import TaskEvent, TaskEventKind, TaskListener, TaskState
from linacre.catalogue import queries
from linacre.catalogue.database import Database

_log = get_logger(__name__)


class TaskHandle:
    """A running task. When one of its methods returns, the catalogue has it on the disk.

    As an async context it sends the log lines of its block to the task's log and ends the task:
    done, failed with the exception that leaves the block, or interrupted when it is cancelled.
    """

    def __init__(
        self,
        database: Database,
        task_id: int,
        *,
        log_path: Path,
        clock: Clock,
        listener: TaskListener | None,
    ) -> None:
        self.id = task_id
        self.log_path = log_path
        self._database = database
        self._clock = clock
        self._listener = listener
        self._ended = False
        self._logging = ExitStack()

    async def add_steps(self, steps: Sequence[tuple[str, str]]) -> None:
        """Add pending steps (key, title) at the end; a key that the task has is left alone."""
        await self._database.write(
            lambda connection: queries.insert_steps(connection, self.id, steps)
        )

    async def step_started(self, key: str) -> None:
        """Journal that a step is about to be done; also once more, for one that is repeated."""
        at = self._clock.now()
        title = await self._database.write(
            partial(queries.start_step, task_id=self.id, key=key, at=at)
        )
        _log.info("step started", step=key, title=title)
        self._tell(TaskEventKind.STEP_STARTED, at, key=key, title=title)

    async def step_done(self, key: str) -> None:
        """Journal that a step is done."""
        at = self._clock.now()
        title = await self._database.write(
            partial(queries.end_step, task_id=self.id, key=key, at=at, error=None)
        )
        _log.info("step done", step=key, title=title)
        self._tell(TaskEventKind.STEP_DONE, at, key=key, title=title)

    async def step_failed(self, key: str, error: str) -> None:
        """Journal that a step failed, and why in one line."""
        at, error = self._clock.now(), redact_text(error)
        title = await self._database.write(
            partial(queries.end_step, task_id=self.id, key=key, at=at, error=error)
        )
        _log.error("step failed", step=key, title=title, error=error)
        self._tell(TaskEventKind.STEP_FAILED, at, key=key, title=title, error=error)

    async def finish(self, error: str | None = None, *, interrupted: bool = False) -> None:
        """End the task: failed where there is an error, else done; only the first call counts."""
        if self._ended:
            return
        state = TaskState.DONE if error is None else TaskState.FAILED
        if interrupted:
            state = TaskState.INTERRUPTED
        at, error = self._clock.now(), None if error is None else redact_text(error)
        await self._database.write(
            partial(queries.end_task, task_id=self.id, at=at, state=state, error=error)
        )
        self._ended = True
        _log.info("task ended", task=self.id, state=state, error=error)
        self._tell(TaskEventKind.ENDED, at, state=state, error=error)

    async def __aenter__(self) -> Self:
        """Send the log lines of this context to the task's log."""
        try:
            sink = JsonFile(self.log_path, clock=self._clock)
        except OSError as error:
            # Work goes on without a log: its journal is in the catalogue.
            _log.warning("the task has no log", path=self.log_path, error=error.strerror)
            return self
        self._logging.callback(sink.close)
        self._logging.enter_context(logging_to(sink))
        _log.info("task started", task=self.id)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the task, unless `finish` did."""
        with self._logging:
            if error is None:
                await self.finish()
                return
            if isinstance(error, LinacreError):
                _log.error("the task failed", error=str(error))
            elif isinstance(error, Exception):
                _log.error("the task failed", exc_info=error)
            try:
                await self._finish_after(error)
            except LinacreError as second:
                # What ended the work is what its user must hear of.
                _log.error("the end of the task is not in the catalogue", error=str(second))

    async def _finish_after(self, error: BaseException) -> None:
        stopped = isinstance(error, asyncio.CancelledError | KeyboardInterrupt | SystemExit)
        said = "it was told to stop" if stopped else one_line(error)
        await self.finish(said, interrupted=stopped)

    def _tell(
        self,
        kind: TaskEventKind,
        at: float,
        *,
        key: str | None = None,
        title: str | None = None,
        state: TaskState | None = None,
        error: str | None = None,
    ) -> None:
        if self._listener:
            self._listener(
                TaskEvent(
                    task_id=self.id,
                    kind=kind,
                    at=at,
                    key=key,
                    title=title,
                    state=state,
                    error=error,
                )
            )


def one_line(error: BaseException) -> str:
    """Return what an exception says in one line; its kind, where that is not plain."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return "; ".join(one_line(inner) for inner in group.exceptions)
    said = " ".join(str(error).split())
    if isinstance(error, LinacreError):
        return said
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
