"""Records that an IOC's databases declare and that it did not serve after its last start."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from linacre.base.listing import counted
from linacre.engines.base import Machine
from linacre.engines.labels import PROGRAM_DIGEST, UNSERVED

_MOST_NAMED = 5


@dataclass(frozen=True)
class Unserved:
    """What an IOC serves, short of what its databases declare."""

    count: int
    declared: int
    first: tuple[str, ...]

    def __str__(self) -> str:
        """Return it in words, the first records named."""
        more = self.count - len(self.first)
        named = ", ".join(self.first) + (f" and {more} more" if more else "")
        return (
            f"{self.count} of {counted(self.declared, 'record')} that its databases declare "
            f"{'is' if self.count == 1 else 'are'} not served: {named}"
        )


def unserved_of(declared: Collection[str], served: Collection[str]) -> Unserved | None:
    """Return which of the declared records are not served; None where all are."""
    there = frozenset(served)
    missing = [name for name in declared if name not in there]
    if not missing:
        return None
    return Unserved(len(missing), len(declared), tuple(missing[:_MOST_NAMED]))


def as_label(unserved: Unserved | None, *, digest: str) -> str:
    """Return what a machine's label tells of it, for the files with a digest."""
    if unserved is None:
        return ""
    return " ".join([digest, str(unserved.count), str(unserved.declared), *unserved.first])


def labelled_unserved(machine: Machine | None) -> Unserved | None:
    """Return what a machine's label tells, if it is of the files that are in it now."""
    labels: Mapping[str, str] = machine.labels if machine is not None else {}
    digest, *words = labels.get(UNSERVED, "").split() or [""]
    if not digest or digest != labels.get(PROGRAM_DIGEST) or len(words) < 2:
        return None
    count, declared, *first = words
    return Unserved(int(count), int(declared), tuple(first))
