"""What was done with an IOC, and what it was."""

from __future__ import annotations

from linacre.catalogue.model import Action, State
from linacre.declaration.names import TWIN_ENDING
from linacre.session.session import Session


async def history(session: Session, name: str) -> tuple[list[State], list[Action]]:
    """Return the states of an IOC and what was done with its machines, each oldest first.

    One that is declared no more may have some.
    """
    async with session.catalogue_open() as catalogue:
        inventory = catalogue.inventory(session.name)
        states = await inventory.states(name)
        return states, await inventory.actions(name, f"{name}{TWIN_ENDING}")
