"""Which samples a segment lacks: those of row groups that were found damaged."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from linacre.archiver.store.lacks import Lack
from linacre.archiver.store.segments.damage import Damage
from linacre.archiver.store.segments.description import Description
from linacre.archiver.store.segments.encoding import ROLLUP
from linacre.archiver.store.segments.index import Entry, Group

Contents = tuple[Sequence[Entry], Sequence[Group]]
"""An index as a whole."""


def damaged_samples(damage: Sequence[Damage]) -> list[Damage]:
    """Return the damage by which samples lack, not only what can be made again of them."""
    return [one for one in damage if one.row_group is not None and not one.file.startswith(ROLLUP)]


class Lacks:
    """What a segment lacks, worked out again when more damage was found; any thread may ask."""

    def __init__(self) -> None:
        self._found: tuple[int, list[Lack]] = (0, [])
        """By how much of the damage, and what."""

    def all(
        self, segment: Description, damage: Sequence[Damage], contents: Callable[[], Contents]
    ) -> list[Lack]:
        """Return what lacked when the segment was merged, and what lacks since."""
        samples = damaged_samples(damage)
        known, found = self._found
        if known != len(samples):
            found = lacks_in(segment, samples, contents())
            self._found = len(samples), found
        return [*segment.lacks, *found]


def lacks_in(segment: Description, damage: Sequence[Damage], contents: Contents) -> list[Lack]:
    """Return what lacks by damage that was found, with the PVs that the index names for it.

    Of a row group that is not in the index, as that was made again without it, nobody knows.
    """
    entries, groups = contents
    found: list[Lack] = []
    numbers = {(segment.parts[group.part].file, group.within): k for k, group in enumerate(groups)}
    spans = _spans(
        entries,
        groups,
        {k for one in damage if (k := numbers.get((one.file, one.row_group or 0))) is not None},
    )
    for one in damage:
        number = numbers.get((one.file, one.row_group or 0))
        pvs = {} if number is None else spans.get(number, {})
        found.append(
            Lack(
                block=f"{segment.name}/{one.file}/{one.row_group}",
                first_ns=min((first for first, _ in pvs.values()), default=segment.first_ns),
                last_ns=max((last for _, last in pvs.values()), default=segment.last_ns),
                spans=pvs,
            )
        )
    return found


def _spans(
    entries: Sequence[Entry], groups: Sequence[Group], damaged: Collection[int]
) -> Mapping[int, dict[str, tuple[int, int]]]:
    """Return by row group the PVs in it, with the times between which their rows there lie."""
    found: dict[int, dict[str, tuple[int, int]]] = {}
    for entry in entries:
        if entry.step_s:
            continue
        end = entry.group + entry.groups
        for number in damaged:
            if not entry.group <= number < end:
                continue
            first_ns = entry.first_ns if number == entry.group else groups[number].first_ns
            last_ns = entry.last_ns if number + 1 == end else groups[number + 1].first_ns - 1
            here = found.setdefault(number, {})
            before = here.get(entry.pv, (first_ns, last_ns))
            here[entry.pv] = min(first_ns, before[0]), max(last_ns, before[1])
    return found
