"""The virtual accelerator: a beam, and the elements that it goes through.

`Machine` is the way in: a lattice file, settings, pulses and readings, without EPICS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linacre.accelerator.machine.machine import Machine

__all__ = ["Machine"]


def __getattr__(name: str) -> Any:
    # Who wants the maps alone does not wait for all else.
    if name == "Machine":
        from linacre.accelerator.machine.machine import Machine

        return Machine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
