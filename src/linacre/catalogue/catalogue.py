"""The catalogue as the rest of Linacre sees it: tasks begun, followed and found again."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Self

from linacre.base.clock import Clock, SystemClock
from linacre.base.errors import LinacreError, UserError
from linacre.base.log import redact_text
from linacre.base.processes import ProcessId
from linacre.base.tasks import (
    Step,
    Task,
    TaskListener,
    TaskState,
    user_name,
)
from linacre.catalogue import logs, queries
from linacre.catalogue.database import AfterWrite, Database
from linacre.catalogue.inventory import Inventory
from linacre.catalogue.journal import TaskHandle
from linacre.catalogue.queries import TaskList

FOLLOW_PERIOD_S = 0.2

_IDS = range(1, 1 << 63)
"""What a database takes for a task's number."""


class Catalogue:
    """The database of record, of one facility or, where they share one, of several."""

    def __init__(self, database: Database, *, logs: Path, clock: Clock) -> None:
        self._database = database
        self._logs = logs
        self._clock = clock
        self._host = socket.gethostname()

    @classmethod
    async def open(
        cls,
        where: Path | str,
        *,
        logs: Path,
        clock: Clock | None = None,
        after_write: AfterWrite | None = None,
    ) -> Catalogue:
        """Open a catalogue, a SQLite file or a database's URL; one that is not there is made.

        `logs` is the folder of task logs. `after_write` is called after each committed write
        with the number of writes so far. Raises `LinacreError` for a file that is damaged, another
        program's or a newer Linacre's.
        """
        database = await Database.open(where, after_write=after_write)
        return cls(database, logs=logs, clock=clock or SystemClock())

    async def close(self) -> None:
        """Close the database."""
        await self._database.close()

    async def __aenter__(self) -> Self:
        """Return the catalogue."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the database."""
        await self.close()

    def inventory(self, facility: str) -> Inventory:
        """Return what this catalogue holds of a facility beside its tasks."""
        return Inventory(self._database, facility=facility, clock=self._clock)

    async def begin_task(
        self,
        *,
        facility: str,
        verb: str,
        detail: str = "",
        steps: Sequence[tuple[str, str]] = (),
        listener: TaskListener | None = None,
    ) -> TaskHandle:
        """Journal a task of this process with its steps (key, title); keys are unique in it.

        Logs of tasks older than the newest 200 are removed, those of running tasks excepted.
        """
        process = ProcessId.own()
        new = queries.NewTask(
            facility=facility,
            verb=verb,
            detail=redact_text(detail),
            user=user_name(),
            host=self._host,
            pid=process.pid,
            process_started=process.started,
            started_at=self._clock.now(),
        )
        number, running = await self._database.write(
            lambda connection: queries.insert_task(connection, new, steps)
        )
        logs.remove_old(self._logs, keep=running)
        return TaskHandle(
            self._database,
            number,
            log_path=self._logs / logs.log_name(number),
            clock=self._clock,
            listener=listener,
        )

    async def mark_interrupted(
        self, alive: Callable[[ProcessId], bool] = lambda process: process.is_alive
    ) -> list[Task]:
        """Mark running tasks of this host whose process is gone as interrupted and return them."""
        found = await self._database.read(
            lambda connection: queries.running_tasks(connection, host=self._host)
        )
        if all(alive(process) for _, process in found):
            return []
        marked = await self._database.write(
            partial(queries.interrupt_tasks, host=self._host, alive=alive, at=self._clock.now())
        )
        return [await self.task(number) for number in marked]

    async def tasks(self, limit: int = 50, *, facility: str | None = None) -> list[Task]:
        """Return the newest tasks, newest first, without those that cannot be read."""
        return (await self.task_list(limit, facility=facility)).tasks

    async def task_list(self, limit: int = 50, *, facility: str | None = None) -> TaskList:
        """Return the newest tasks, newest first, and how many of them cannot be read."""
        return await self._database.read(
            partial(queries.select_tasks, logs=self._logs, limit=limit, facility=facility)
        )

    async def task(self, task_id: int) -> Task:
        """Return one task; raises `UserError` where there is none of this id."""
        found = None
        if task_id in _IDS:
            found = await self._database.read(
                lambda connection: queries.select_task(connection, task_id, logs=self._logs)
            )
        if found is None:
            raise UserError(f"there is no task {task_id}: see linacre task list")
        return found

    async def steps(self, task_id: int) -> list[Step]:
        """Return the steps of a task in their order."""
        return await self._database.read(
            lambda connection: queries.select_steps(connection, task_id)
        )

    async def read_log(self, task_id: int, *, follow: bool = False) -> AsyncGenerator[str]:
        """Yield the lines of a task's log and, with `follow`, those to come until it ends.

        Raises `LinacreError` where the log of a task that ended is no longer kept.
        """
        tail = logs.Tail((await self.task(task_id)).log_path)
        while True:
            await self.mark_interrupted()
            ended = (await self.task(task_id)).state is not TaskState.RUNNING
            if ended and not tail.exists():
                raise LinacreError(f"the log of task {task_id} is no longer kept: {tail.path}")
            for line in tail.lines():
                yield line
            if ended or not follow:
                return
            await self._clock.sleep(FOLLOW_PERIOD_S)
