"""What was done with an IOC, and what it was."""

from __future__ import annotations

from linacre.catalogue.inventory import Inventory
from linacre.catalogue.model import Action, State
from linacre.declaration.names import TWIN_ENDING


async def history(inventory: Inventory, name: str) -> tuple[list[State], list[Action]]:
    """Return the states of an IOC and what was done with its machines, each oldest first.

    One that is declared no more may have some.
    """
    states = await inventory.states(name)
    return states, await inventory.actions(name, f"{name}{TWIN_ENDING}")
