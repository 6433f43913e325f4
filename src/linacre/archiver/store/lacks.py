"""What an archive lacks: blocks of samples that are damaged, and of which PVs they were.

It is told for as long as samples of that time are kept: a merge writes it into the new segment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from linacre.archiver.model import DRIFT_NS

HOUR_NS = 3_600_000_000_000


@dataclass(frozen=True, kw_only=True)
class Lack:
    """A block of samples that cannot be read any more."""

    block: str
    """Where it was: the segment, its file and row group, or the journal and the place in it."""
    first_ns: int
    last_ns: int
    """Its samples had times from one to the other, as far as is known."""
    spans: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """By PV the times of its first and last sample; none: of which PVs it was is not known."""

    def is_of(self, pv: str, start_ns: int, end_ns: int) -> bool:
        """Whether it may have had samples of a PV in (start, end]."""
        first_ns, last_ns = self.spans.get(pv, (self.first_ns, self.last_ns))
        if self.spans and pv not in self.spans:
            return False
        return last_ns > start_ns and first_ns <= end_ns

    @classmethod
    def load(cls, body: Mapping[str, Any]) -> Lack:
        """Return what JSON says; raises `KeyError`, `TypeError` or `ValueError`."""
        spans = {pv: (int(first), int(last)) for pv, (first, last) in body["spans"].items()}
        return cls(
            block=str(body["block"]),
            first_ns=int(body["first_ns"]),
            last_ns=int(body["last_ns"]),
            spans=spans,
        )


def lack_of_hour(block: str, start_ns: int, end_ns: int | None = None) -> Lack:
    """Return a block of any PVs that was received from a time on, to the end of its hour or later.

    Samples' times may be off from when they are received.
    """
    start_ns = start_ns // HOUR_NS * HOUR_NS
    end_ns = start_ns + HOUR_NS if end_ns is None else end_ns
    return Lack(block=block, first_ns=start_ns - DRIFT_NS, last_ns=end_ns + DRIFT_NS)


def count(lacks: Iterable[Lack], pv: str, start_ns: int, end_ns: int) -> int:
    """Return how many blocks may have had samples of a PV in (start, end]."""
    return len({lack.block for lack in lacks if lack.is_of(pv, start_ns, end_ns)})
