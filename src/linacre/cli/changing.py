"""How commands that change a facility ask, show their steps and tell what came of them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from linacre.cli.context import progress_interaction, run, say, session_of

if TYPE_CHECKING:
    from linacre.operations.interaction import Interaction
    from linacre.session.session import Session

    Change = Callable[[Session, Interaction], Coroutine[Any, Any, "T"]]

T = TypeVar("T")


def carry_out(change: Change[T], file: Path | None, *, yes: bool = False) -> T:
    """Carry out a change of the facility that a command means, its steps shown as they go.

    Without `yes`, the person at the terminal is asked what the change asks.
    """
    from linacre.cli.render import UpProgress

    async def work(progress: UpProgress) -> T:
        return await change(await session_of(file), progress_interaction(progress, yes=yes))

    with UpProgress() as progress:
        return run(work(progress))


def agreed(done: T | None) -> T:
    """Return what was done; where the person asked said no, the command ends with status 1."""
    if done is None:
        say("nothing was changed")
        raise typer.Exit(1)
    return done


def tell(done: T, words: Callable[[T], None], *, as_json: bool) -> None:
    """Tell what was done: as JSON, or in words."""
    from linacre.cli.render import print_json

    if as_json:
        print_json(done)
    else:
        words(done)
