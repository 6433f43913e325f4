"""What commands share: the facility they mean, how they speak, and how they end."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from linacre.base.orders import without_orders

if TYPE_CHECKING:
    from linacre.base.tasks import TaskEvent, TaskListener
    from linacre.catalogue.catalogue import Catalogue
    from linacre.cli.render import UpProgress
    from linacre.operations.interaction import Interaction
    from linacre.planning.plan import Plan
    from linacre.session.catalogue_access import KnownFacility
    from linacre.session.session import Session

FileOption = Annotated[
    Path | None,
    typer.Option(
        "--file", "-f", help="The facility file, or its folder.", show_default=False, metavar="FILE"
    ),
]
SandboxOption = Annotated[
    str | None,
    typer.Option("--sandbox", help="A sandbox of the facility.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
_Result = TypeVar("_Result")
_KILL_AFTER = "LINACRE_TEST_KILL_AFTER"


def run(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a command's work to its end; `--help` never pays for what this imports."""
    import asyncio

    results: list[_Result] = []

    async def keep() -> None:
        # A task's own result would be put into words, all of it: asyncio.run sets a handler of
        # signals that names its task, and the signal module words it to see that it is no enum.
        results.append(await work)

    asyncio.run(keep())
    return results[0]


async def session_of(file: Path | None, *, sandbox: str | None = None) -> Session:
    """Return the session of the facility that a command means, or of a sandbox of it."""
    from linacre.base.paths import StatePaths
    from linacre.kinds import registry
    from linacre.session.session import open_session

    return await open_session(
        file,
        state=StatePaths.from_environment(),
        folder=Path.cwd(),
        journal_hook=journal_hook(),
        say=say,
        kinds=registry.KINDS,
        sandbox=sandbox,
    )


def journal_hook() -> Callable[[int], None] | None:
    """Return what kills this process after the nth write to the journal, for the crash tests."""
    number = os.environ.get(_KILL_AFTER)
    if number is None:
        return None

    def hook(written: int) -> None:
        if written == int(number):
            os.kill(os.getpid(), signal.SIGKILL)

    return hook


@asynccontextmanager
async def open_catalogue(file: Path | None) -> AsyncGenerator[Catalogue]:
    """Open the catalogue of the facility that a command means; no engine is asked for it."""
    async with known_facility(file).catalogue_open() as catalogue:
        yield catalogue


def known_facility(file: Path | None) -> KnownFacility:
    """Return the facility that a command means, as this host knows it without its engine."""
    from linacre.base.paths import StatePaths
    from linacre.session import catalogue_access

    state = StatePaths.from_environment()
    return catalogue_access.known_facility(file, state=state, folder=Path.cwd())


async def mark_interrupted(catalogue: Catalogue) -> None:
    """Mark tasks whose process is gone; where that cannot be written, say so and go on."""
    from linacre.base.errors import LinacreError

    try:
        await catalogue.mark_interrupted()
    except LinacreError as error:
        say(f"tasks may be shown as running that are not: {error}")


def put(text: str, *, nl: bool = True) -> None:
    """Print a part of the result; what machines wrote in it gives a terminal no orders."""
    typer.echo(without_orders(text) if sys.stdout.isatty() else text, nl=nl)


def say(line: str) -> None:
    """Show one line beside the result, on stderr."""
    typer.echo(without_orders(line), err=True)


def confirm(question: str) -> bool:
    """Ask for a yes on a terminal; elsewhere nobody can be asked, and the answer is no."""
    if not sys.stdin.isatty():
        say(f"{question} There is no terminal to ask on: give --yes.")
        return False
    return typer.confirm(without_orders(question), err=True)


def progress_interaction(progress: UpProgress, *, yes: bool) -> Interaction:
    """Return how a command with steps speaks: its plan, its steps and its questions."""
    from linacre.operations.interaction import Interaction

    def announce(plan: Plan) -> None:
        progress.expect(len(plan.steps))
        if plan.restarts:
            progress.note(f"will restart: {', '.join(plan.restarts)}")

    return Interaction(
        confirm=lambda question: yes or confirm(question),
        say=progress.note,
        show_plan=announce,
        listener=listener_of(progress),
        asks=not yes,
    )


def listener_of(progress: UpProgress) -> TaskListener:
    """Return what shows the steps of a task as they go."""
    from linacre.base.tasks import TaskEventKind

    def listen(event: TaskEvent) -> None:
        if event.key is None:
            return
        if event.kind is TaskEventKind.STEP_STARTED:
            progress.started(event.key, event.title or event.key)
        elif event.kind is TaskEventKind.STEP_DONE:
            progress.done(event.key)
        elif event.kind is TaskEventKind.STEP_FAILED:
            progress.failed(event.key, event.error or "")

    return listen
