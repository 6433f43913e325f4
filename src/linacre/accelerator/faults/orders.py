"""Orders of faults as text, as a PV or a command gives them.

    trip CLA-S02-MAG-QUAD-01 at 100 for 50
    drift CLA-S02-DIA-BPM-01:X rate=0.002 limit=1 for 6000
    clear 3
    reset CLA-S02-MAG-QUAD-01

A word for the fault, the element (or one reading of it), parameters, the pulse that it begins at
(`at 100`, or `at +20` from now; the next one where unsaid) and how many pulses it lasts (until it
is cleared where unsaid).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from linacre.accelerator.faults.kinds import FaultKind
from linacre.accelerator.faults.table import FAULTS
from linacre.accelerator.faults.targets import Target, Targets
from linacre.base.errors import UserError
from linacre.documents.quoting import nearest, one_of, quoted

LAST_PULSE = 2**53
"""As far as a PV of type double counts."""
_LONGEST = 1000
_WHOLE = re.compile("[0-9]{1,16}")
_USUAL = "write FAULT ELEMENT [NAME=NUMBER]... [at PULSE] [for PULSES]"


class OrderError(UserError):
    """An order that cannot be taken: one line with what is wrong and what to write instead."""


@dataclass(frozen=True)
class Order:
    """A fault that is to happen; equal orders do the same."""

    fault: str
    target: str
    at: int
    """Its first pulse."""
    pulses: int | None = None
    """How many it lasts; None until it is cleared."""
    quantity: str = ""
    """Which reading of the element; empty for those that are usual."""
    given: tuple[tuple[str, float], ...] = ()
    """Parameters that are not the usual ones, in the order of the fault's."""

    @property
    def kind(self) -> FaultKind:
        """The kind of the fault."""
        return FAULTS[self.fault]

    @cached_property
    def parameters(self) -> Mapping[str, float]:
        """Every parameter of the fault."""
        return {each.name: each.default for each in self.kind.parameters} | dict(self.given)

    @property
    def end(self) -> int | None:
        """The first pulse behind it; None until it is cleared."""
        return None if self.pulses is None else self.at + self.pulses

    @cached_property
    def text(self) -> str:
        """The order as it is written; read again it is the same."""
        element = f"{self.target}:{self.quantity}" if self.quantity else self.target
        words = [self.fault, element, *(f"{name}={value!r}" for name, value in self.given)]
        words += ["at", str(self.at)]
        return " ".join(words if self.pulses is None else [*words, "for", str(self.pulses)])


@dataclass(frozen=True)
class Clear:
    """What is to be ended with the next pulse; what latches stays until it is reset."""

    number: int | None = None
    """Of an order."""
    target: str = ""
    """All orders of an element; all there are where neither is said."""


@dataclass(frozen=True)
class ResetOrder:
    """What an operator does at an element so that a fault which latched lets go."""

    target: str


def parse(text: str, *, targets: Targets, now: int) -> Order | Clear | ResetOrder:
    """Read an order, the last pulse being `now`; raises `OrderError`."""
    if len(text) > _LONGEST:
        raise OrderError(f"an order of {len(text)} characters; {_LONGEST} are enough")
    words = text.split()
    if not words:
        raise OrderError(f"an empty order; {_USUAL}")
    if words[0] == "clear":
        return _clear(words[1:], targets)
    if words[0] == "reset":
        return _reset(words[1:], targets)
    return _order(words, targets, now)


def parse_order(text: str, *, targets: Targets, now: int) -> Order:
    """Read an order of a fault; raises `OrderError`, also for other words."""
    found = parse(text, targets=targets, now=now)
    if not isinstance(found, Order):
        raise OrderError(f"{text.split()[0]} orders no fault; {_USUAL}")
    return found


def _clear(words: list[str], targets: Targets) -> Clear:
    usual = "write clear NUMBER, clear ELEMENT or clear all"
    if len(words) != 1:
        raise OrderError(f"clear takes one word; {usual}")
    if words[0] == "all":
        return Clear()
    if words[0] in targets:
        return Clear(target=words[0])
    if _WHOLE.fullmatch(words[0]):
        return Clear(number=int(words[0]))
    raise OrderError(f"{quoted(words[0])} is no order and no element; {usual}")


def _reset(words: list[str], targets: Targets) -> ResetOrder:
    if len(words) != 1:
        raise OrderError("reset takes one word; write reset ELEMENT")
    if words[0] not in targets:
        raise _no_element(words[0], targets)
    return ResetOrder(words[0])


def _order(words: list[str], targets: Targets, now: int) -> Order:
    kind = _kind(words[0])
    if len(words) == 1:
        raise OrderError(f"{kind.name} of what? {_USUAL}")
    target, quantity = _target(words[1], kind, targets)
    rest = words[2:]
    given: dict[str, float] = {}
    times: dict[str, int] = {}
    while rest:
        word = rest.pop(0)
        if word in ("at", "for"):
            if word in times:
                raise OrderError(f"{word} is given twice; keep one")
            times[word] = _pulse(word, rest.pop(0) if rest else "", now)
        else:
            name, value = _parameter(word, kind)
            if name in given:
                raise OrderError(f"{name} is given twice; keep one")
            given[name] = value
    at, pulses = times.get("at", now + 1), times.get("for")
    if at <= now:
        raise OrderError(f"at {at} is over, the last pulse was {now}; write at +1 for the next")
    if max(at, at + (pulses or 0)) > LAST_PULSE:
        raise OrderError(f"that is behind pulse {LAST_PULSE}, the last that there is")
    chosen = tuple(
        (each.name, given[each.name])
        for each in kind.parameters
        if given.get(each.name, each.default) != each.default
    )
    return Order(kind.name, target.name, at, pulses, quantity, chosen)


def _kind(word: str) -> FaultKind:
    if word in FAULTS:
        return FAULTS[word]
    near = nearest(word, FAULTS)
    advice = f"the nearest is {near}" if near else f"there are: {', '.join(FAULTS)}"
    raise OrderError(f"there is no fault {quoted(word)}; {advice}")


def _target(word: str, kind: FaultKind, targets: Targets) -> tuple[Target, str]:
    found = targets.split(word)
    if found is None:
        raise _no_element(word, targets)
    target, quantity = found
    if target.kind not in kind.targets:
        raise OrderError(
            f"{target.name} ({target.kind}) cannot have {kind.name}; "
            f"that is for: {', '.join(kind.targets)}"
        )
    if quantity and not kind.of_quantity:
        raise OrderError(f"{kind.name} is of a whole element; write {target.name}")
    if quantity and quantity not in target.readings:
        known = one_of(target.readings)
        raise OrderError(f"{target.name} has no reading {quoted(quantity)}; write {known}")
    return target, quantity


def _no_element(word: str, targets: Targets) -> OrderError:
    near = targets.nearest(word)
    advice = f"the nearest is {near}" if near else "write the name of one of the machine"
    return OrderError(f"there is no element {quoted(word)}; {advice}")


def _pulse(word: str, text: str, now: int) -> int:
    relative = word == "at" and text.startswith("+")
    digits = text[1:] if relative else text
    if not _WHOLE.fullmatch(digits):
        what = f"{word} {text}".strip()
        raise OrderError(f"{quoted(what)}: {word} is followed by a whole number of pulses")
    found = int(digits) + (now if relative else 0)
    if word == "for" and found == 0:
        raise OrderError("for 0: a fault lasts at least one pulse")
    return found


def _parameter(word: str, kind: FaultKind) -> tuple[str, float]:
    name, equals, text = word.partition("=")
    if not equals:
        raise OrderError(f"{quoted(word)} has no meaning here; {_USUAL}")
    parameter = kind.parameter(name)
    if parameter is None:
        known = [each.name for each in kind.parameters]
        advice = f"it has {', '.join(known)}" if known else "it has none"
        raise OrderError(f"{kind.name} has no parameter {quoted(name)}; {advice}")
    try:
        return name, parameter.read(text)
    except ValueError as error:
        raise OrderError(f"{quoted(word)}: {error}") from None
