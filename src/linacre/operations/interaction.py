"""How an operation asks and tells whoever called it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from linacre.base.tasks import TaskListener
from linacre.planning.plan import Plan


@dataclass(frozen=True)
class Interaction:
    """How an operation asks and tells whoever called it."""

    confirm: Callable[[str], bool]
    """Asks for a yes; True where nobody is to be asked."""
    say: Callable[[str], None]
    """Shows one line."""
    show_plan: Callable[[Plan], None]
    """Shows what will be done, before it is."""
    listener: TaskListener | None = None
    """Is told of each step as it goes."""
    asks: bool = True
    """Whether `confirm` asks a person, for whom it pays to look closer."""
