"""What is told of samples that were dropped."""

from __future__ import annotations

from collections.abc import Mapping

from linacre.archiver.model import Drop

_AHEAD = (Drop.AHEAD.value, Drop.FUTURE.value)


def dropped(new: Mapping[str, int], ahead_ns: int) -> dict[str, int]:
    """Return a notice's detail: how many by reason; where some were ahead, the newest's time."""
    if any(why in new for why in _AHEAD):
        return {**new, "stamp_ns": ahead_ns}
    return dict(new)
