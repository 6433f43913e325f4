"""Which machines `up --rebuild` makes anew."""

from __future__ import annotations

from collections.abc import Iterable

from linacre.base.errors import UserError
from linacre.base.listing import listed
from linacre.engines.labels import IMAGE
from linacre.planning.plan import Found
from linacre.planning.twin_overrides import TwinOverrides

_ALL_OUTDATED = "all"


def machines_to_rebuild(
    found: Found, overrides: TwinOverrides, asked: Iterable[str]
) -> frozenset[str]:
    """Return the machines that these names of machines and IOCs mean; `all` is each outdated one.

    Raises `UserError` for one that is not there, and for one that stays as it was found, since
    nobody could say what to put into it.
    """
    chosen: set[str] = set()
    for name in asked:
        chosen |= _outdated(found, overrides) if name == _ALL_OUTDATED else {_one(name, overrides)}
    return frozenset(chosen)


def _outdated(found: Found, overrides: TwinOverrides) -> set[str]:
    return {
        spec.name
        for spec in overrides.declared.machines
        if (machine := found.machines.get(spec.name)) and machine.labels.get(IMAGE) != spec.image
    }


def _one(name: str, overrides: TwinOverrides) -> str:
    of_machine = {each: pair for pair in overrides.pairs.values() for each in pair.names}
    pair = overrides.pairs.get(name) or of_machine.get(name)
    if pair is None:
        names = {spec.name for spec in overrides.declared.machines}
        if name not in names:
            there = listed(sorted(names))
            raise UserError(f"there is no machine {name} to rebuild; there are: {there}")
        return name
    if pair.twin is not None:
        raise UserError(
            f"{pair.ioc} has a twin, and both stay as they are until one is chosen: "
            f"linacre ioc promote {pair.ioc} first"
        )
    if pair.ioc in overrides.held:
        raise UserError(
            f"{pair.ioc} keeps the files of its promoted twin, which would be lost: "
            "change those declared first"
        )
    return pair.live
