"""What is done where an answer lacks samples, as some of the archive's files are damaged."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from enum import StrEnum

from linacre.archiver.errors import LackingError, LackingWarning
from linacre.base.errors import UserError


class OnDamage(StrEnum):
    """What is done."""

    WARN = "warn"
    RAISE = "raise"
    IGNORE = "ignore"

    @classmethod
    def of(cls, text: str) -> OnDamage:
        """Return what a word means; raises `UserError`."""
        if text not in list(cls):
            raise UserError(f"on_damage={text!r}: write one of {', '.join(cls)}")
        return cls(text)

    def tell(self, by_pv: Mapping[str, int]) -> None:
        """Warn of the damaged blocks of PVs, or raise `LackingError`; nothing where none lacks."""
        lacking = {pv: count for pv, count in by_pv.items() if count}
        if not lacking or self is OnDamage.IGNORE:
            return
        told = ", ".join(f"{pv} ({count})" for pv, count in lacking.items())
        text = f"samples lack, since blocks of the archive's files are damaged: {told}"
        if self is OnDamage.RAISE:
            raise LackingError(text)
        # The line that asked the archive.
        warnings.warn(text, LackingWarning, stacklevel=3)
