"""Which PVs the IOCs of the truth suite have, and of what type each is in each of their lives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from common.truth_values import CA_ALL, PVA_TYPES

NS = 1_000_000_000


@dataclass(frozen=True)
class TruthPv:
    """A PV; its place in the plan is its number in logs."""

    name: str
    types: tuple[str, ...]
    """Its type in each life of its IOC, over and over."""
    group: str
    """What happens to it: `plain`, `types`, or a clock's: see `CLOCKS`."""

    def type_in(self, life: int) -> str:
        """Return its type in a life of its IOC."""
        return self.types[life % len(self.types)]


CLOCKS = {"slow": -600.0, "slight": 3.0, "fast": 300.0, "steps": 0.0}
"""Groups whose clocks are ahead by so many seconds; that of `steps` is set again and again."""
STEPS_S = (0.0, 15.0, 0.0, 1200.0, 0.0, 7200.0, 0.0, -7200.0, 0.0, -1200.0, 0.0, 4.0, 0.0)
"""How far the clock of the group `steps` is ahead, one after the other."""
BEFORE_1991_NS = 644_000_000 * NS
"""In 1990: what a clock tells that was never set is of this time."""
_CLOCKED = {"ca": ("double", "long", "string", "enum"), "pva": ("d", "L", "s", "choice")}
_CHANGES = {
    "ca": (
        ("long", "double", "string", "enum", "double[]"),
        ("double", "double[]", "long[]", "char[]", "string[]"),
        ("enum", "long", "enum", "short", "float"),
        ("string", "string[]", "char[]", "string", "char"),
    ),
    "pva": (
        ("i", "d", "s", "choice", "d[]"),
        ("L", "l", "L", "d", "L[]"),
        ("choice", "i", "choice", "table", "s"),
        ("s", "s[]", "B[]", "point", "?"),
    ),
}


def plan(protocol: str, copies: int) -> Sequence[TruthPv]:
    """Return the PVs of an IOC: so many of each type, and some whose types or clocks change."""
    found = [
        TruthPv(f"TRUTH:{_word(name)}:{copy}", (name,), "plain")
        for copy in range(copies)
        for name in (CA_ALL if protocol == "ca" else PVA_TYPES)
    ]
    for number, types in enumerate(_CHANGES[protocol]):
        found.append(TruthPv(f"TRUTH:TYPES:{number}", types, "types"))
    for group in CLOCKS:
        for name in _CLOCKED[protocol]:
            found.append(TruthPv(f"TRUTH:{group.upper()}:{_word(name)}", (name,), group))
    return found


def _word(name: str) -> str:
    """Return a type as part of a PV's name."""
    words = {"?": "bool", "b": "i8", "B": "u8", "h": "i16", "H": "u16", "i": "i32", "I": "u32"}
    words |= {"l": "i64", "L": "u64", "f": "f32", "d": "f64", "s": "text"}
    single = name.removesuffix("[]")
    return words.get(single, single).upper() + ("S" if single != name else "")
