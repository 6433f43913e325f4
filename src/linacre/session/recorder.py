"""Who writes into the catalogue what a task makes of a facility."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from linacre.catalogue.inventory import Inventory


class TaskRecorder(Protocol):
    """Writes into the catalogue what a task makes of the facility."""

    async def begun(self, inventory: Inventory, task_id: int) -> None:
        """Write what is known before anything is done."""
        ...

    async def ended(self, inventory: Inventory) -> None:
        """Write what there is after it was done, or a part of it was."""
        ...
