"""A kind of fault: what it does, to what, how that shows, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from numpy.random import Generator

from linacre.accelerator.faults.parameters import Parameter
from linacre.accelerator.faults.symptoms import Symptom
from linacre.accelerator.faults.targets import Key, Target, TargetKind, Values
from linacre.accelerator.shots import Shot


@dataclass(frozen=True)
class IocCondition:
    """What a fault asks the owner of a machine's processes to make of an IOC."""

    dead: bool = False
    delay_s: float = 0.0
    """By which all that the IOC says is late."""

    def and_also(self, other: IocCondition) -> IocCondition:
        """Return what two faults of one IOC make of it together."""
        return IocCondition(self.dead or other.dead, max(self.delay_s, other.delay_s))


@dataclass(frozen=True)
class Now:
    """A fault in one pulse, as it is given to what acts."""

    shot: Shot
    target: Target
    given: Mapping[str, float]
    """Its parameters."""
    quantity: str
    """Of its target, the one that was ordered; empty for those that are usual."""
    number: int
    """Of the order."""
    age: int
    """Pulses since it began."""
    first: bool
    """Whether it has not acted before."""
    kept: dict[str, float]
    """What it remembers from pulse to pulse: plain numbers, so that it can be saved."""

    def __getitem__(self, parameter: str) -> float:
        return self.given[parameter]

    def draws(self) -> Generator:
        """Return a generator of this fault's own numbers in this pulse."""
        return self.shot.draws(self.target.name, f"fault {self.number}")

    def happens(self, share: float) -> bool:
        """Tell whether this pulse is among a share of all, at random."""
        return bool(self.draws().random() < share)

    def main(self) -> list[Key]:
        """Return the keys of the readings that it is about: the ordered one, or the main ones."""
        return [(self.target.name, each) for each in self._chosen(self.target.main)]

    def readings(self) -> list[Key]:
        """Return the keys of the ordered reading, or of all of its target's."""
        return [(self.target.name, each) for each in self._chosen(self.target.readings)]

    def acting(self) -> list[Key]:
        """Return the keys of the settings of its target that the beam feels."""
        return [(self.target.name, each) for each in self.target.acting]

    def _chosen(self, usual: tuple[str, ...]) -> tuple[str, ...]:
        return (self.quantity,) if self.quantity else usual


Act = Callable[[Values, Now], None]
"""Changes the values of a pulse in place."""


def nothing(values: Values, now: Now) -> None:
    """Change nothing."""


@dataclass(frozen=True)
class Reset:
    """What an operator writes so that a fault which latches lets go, once its cause is over."""

    quantity: str
    value: float
    words: str


@dataclass(frozen=True)
class FaultKind:
    """One kind of fault."""

    name: str
    about: str
    """What is broken."""
    targets: tuple[TargetKind, ...]
    symptoms: tuple[Symptom, ...]
    finds: str
    """What one who looks for it finds, and where."""
    parameters: tuple[Parameter, ...] = ()
    on_settings: Act = nothing
    on_readings: Act = nothing
    condition: Callable[[Now], IocCondition] | None = None
    """For faults of processes: the state that is asked for."""
    hides: tuple[str, ...] = ()
    """Settings that it changes and whose readings do not tell: they show what they would."""
    reset: Reset | None = None
    """For one that latches; others are over with their end."""
    of_quantity: bool = False
    """Whether an order may name one reading of the element: ELEMENT:QUANTITY."""
    when_written: bool = False
    """Whether it shows only where a set point of the element is changed."""

    @property
    def recovery(self) -> str:
        """How all is as before."""
        over = "over with its end"
        return f"latches: after its end, {self.reset.words}" if self.reset else over

    def parameter(self, name: str) -> Parameter | None:
        """Return a parameter of this kind by its name."""
        return next((each for each in self.parameters if each.name == name), None)
