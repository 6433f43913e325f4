"""The faults of a machine as plain data, to go on with them from any pulse."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, ValidationError

from linacre.accelerator.faults.orders import LAST_PULSE, parse_order
from linacre.accelerator.faults.standing import MOST, Faults, Standing, State
from linacre.accelerator.faults.targets import Targets
from linacre.base.errors import UserError
from linacre.physics.curves import Number, Part

_Count = Annotated[int, Field(ge=0, le=LAST_PULSE)]


class SavedOrder(Part):
    """An order, and what it remembers."""

    number: _Count
    order: str
    state: State
    cleared: bool
    reset: bool
    acted: bool
    kept: dict[str, Number] = Field(max_length=100)


class SavedFaults(Part):
    """All orders of a machine."""

    pulse: int = Field(ge=-1, le=LAST_PULSE)
    next: _Count
    orders: tuple[SavedOrder, ...] = Field(max_length=MOST)


def save_faults(faults: Faults) -> dict[str, Any]:
    """Return everything that they need to go on, as JSON has it; quick enough for each pulse."""
    orders = [
        {
            "number": each.number,
            "order": each.order.text,
            "state": each.state.value,
            "cleared": each.cleared,
            "reset": each.reset,
            "acted": each.acted,
            "kept": dict(each.kept),
        }
        for each in faults.standing
    ]
    return {"pulse": faults.pulse, "next": faults.next_number, "orders": orders}


def load_faults(saved: object, targets: Targets) -> Faults:
    """Return faults that go on where `save_faults` was called; raises `UserError` of one line."""
    try:
        found = SavedFaults.model_validate(saved)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(f"these are no saved faults: {where or 'all'}: {first['msg']}") from None
    standing = [
        Standing(
            number=each.number,
            # All of them were taken when they were given, those that have begun too.
            order=parse_order(each.order, targets=targets, now=-1),
            state=each.state,
            cleared=each.cleared,
            reset=each.reset,
            acted=each.acted,
            kept=dict(each.kept),
        )
        for each in found.orders
    ]
    return Faults(targets, pulse=found.pulse, next_number=found.next, standing=standing)
