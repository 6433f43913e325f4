"""The virtual accelerator without EPICS: set, step, read."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from linacre.accelerator.faults.saving import load_faults, save_faults
from linacre.accelerator.faults.standing import Faults
from linacre.accelerator.instruments.sources import STEADY, Source
from linacre.accelerator.instruments.views import View
from linacre.accelerator.lattice.lattice import Lattice, load_lattice
from linacre.accelerator.machine import saving
from linacre.accelerator.machine.instruments import Instruments, Readings
from linacre.accelerator.machine.tables import Orbit, TwissTable, orbit_of, twiss_table
from linacre.accelerator.machine.targets import targets_of
from linacre.accelerator.machine.viewing import Cameras
from linacre.accelerator.model.model import Model
from linacre.accelerator.model.moments import MomentModel
from linacre.accelerator.model.passage import Passage
from linacre.accelerator.model.settings import Key, Setting, settings_of
from linacre.accelerator.shots import Shot
from linacre.base.errors import LinacreError, UserError
from linacre.documents.quoting import nearest


class NoBeamError(LinacreError):
    """An instrument has no value in a pulse, since no beam came to it."""


@dataclass(frozen=True)
class Reading:
    """A value that was read, and the pulse that it is of."""

    value: float
    pulse: int


@dataclass(frozen=True)
class Shown:
    """All that there is of one pulse."""

    pulse: int
    settings: Mapping[Key, float]
    """That acted in it, whatever is wrong with it."""
    passage: Passage
    readings: Readings
    """Of the monitors, and of the settings as they read back."""
    ideal: Readings
    """What perfect instruments would have read of it."""


class Machine:
    """A lattice with its settings, pulse by pulse.

    A value that `set` has accepted acts on the next pulse, and so on every reading of that pulse;
    `set` returns its number. Nothing but the lattice, the seed and what was set before which pulse
    goes into the readings. It may be set and read from several threads.
    """

    def __init__(
        self,
        model: Model,
        *,
        seed: int = 0,
        source: Source = STEADY,
        instruments: Instruments | None = None,
        faults: Faults | None = None,
    ) -> None:
        self._model = model
        self._source = source
        self._faults = faults or Faults(targets_of(model.lattice))
        self._faults_before: Any = None
        self._instruments = instruments or Instruments(model.lattice)
        self._cameras = Cameras(model.lattice)
        self._possible = settings_of(model.lattice)
        self._settings = {key: each.start for key, each in self._possible.items()}
        self._set_before = dict(self._settings)
        self._seed = seed
        self._lock = threading.RLock()
        self._shown = self._fire(0, self._settings)

    @classmethod
    def open(cls, file: str | Path, *, seed: int = 0, source: Source | None = None) -> Machine:
        """Return the machine of a lattice file, with our model.

        Its source varies from shot to shot in the usual measure, where none is given: `STEADY`
        of `linacre.accelerator.instruments.sources` does not vary.
        """
        model = MomentModel(load_lattice(Path(file)))
        return cls(model, seed=seed, source=Source() if source is None else source)

    @property
    def lattice(self) -> Lattice:
        """Its elements."""
        return self._model.lattice

    @property
    def seed(self) -> int:
        """What all that is random in it follows from."""
        return self._seed

    @property
    def pulse(self) -> int:
        """The number of the last pulse."""
        return self._shown.pulse

    @property
    def shown(self) -> Shown:
        """All that there is of the last pulse."""
        return self._shown

    @property
    def faults(self) -> Faults:
        """What is wrong with it: `faults.give("trip CLA-S02-MAG-QUAD-01 at 100 for 50")`."""
        return self._faults

    @property
    def possible(self) -> Mapping[Key, Setting]:
        """What can be set, with units and bounds."""
        return MappingProxyType(self._possible)

    @property
    def settings(self) -> Mapping[Key, float]:
        """The settings that act on the next pulse, as they are now."""
        with self._lock:
            return dict(self._settings)

    def set(self, device: str, quantity: str, value: float) -> int:
        """Set a quantity, and return the number of the first pulse on which it acts.

        Raises `UserError` for what cannot be set, or not to that value.
        """
        return self.set_all({(device, quantity): value})

    def set_all(self, values: Mapping[Key, float]) -> int:
        """Set several quantities for the same pulse, or none of them; as `set` else."""
        checked = {key: self._checked(key, value) for key, value in values.items()}
        with self._lock:
            self._settings.update(checked)
            return self._shown.pulse + 1

    def step(self, pulses: int = 1) -> int:
        """Let the machine pulse, and return the number of the last pulse."""
        with self._lock:
            for _ in range(pulses):
                self._shown = self._fire(self._shown.pulse + 1, self._settings)
            return self._shown.pulse

    def read(self, device: str, quantity: str, *, ideal: bool = False) -> Reading:
        """Return a reading of the last pulse, or what a perfect instrument would have read.

        Raises `UserError` for what no instrument reads, `NoBeamError` for a position without beam.
        """
        shown = self._shown
        readings = shown.ideal if ideal else shown.readings
        key = (device, quantity)
        if key in readings:
            return Reading(readings[key], shown.pulse)
        if any(each == device for each, _ in readings):
            if (device, "RDY") in readings and quantity in ("X", "Y"):
                raise NoBeamError(f"{device} saw no beam in pulse {shown.pulse}")
            there = ", ".join(suffix for each, suffix in readings if each == device)
            raise UserError(f"{device} has no reading {quantity}; it has: {there}")
        raise UserError(f"no instrument {device}{_meant(device, readings)}")

    def view(self, camera: str, *, gain: float = 1.0) -> View:
        """Return the image that a camera has of the last pulse, and what is found in it.

        Raises `UserError` for a camera that there is not.
        """
        shown = self._shown
        shot = Shot(self._seed, shown.pulse)
        return self._cameras.view(camera, shown.passage, shown.settings, shot, gain=gain)

    def orbit(self) -> Orbit:
        """Return the beam's centre in the last pulse along the machine, without noise."""
        return orbit_of(self.lattice, self._shown.passage)

    def twiss(self) -> TwissTable:
        """Return the Twiss parameters of the beam in the last pulse along the machine."""
        return twiss_table(self.lattice, self._shown.passage)

    def save(self, file: str | Path) -> None:
        """Write settings, faults, seed and pulse number into a file."""
        with self._lock:
            shown = self._shown
            state = saving.State(
                self._seed,
                shown.pulse,
                settings=dict(self._settings),
                acted=self._set_before,
                faults=save_faults(self._faults),
                faults_before=self._faults_before,
            )
            saving.save(Path(file), self.lattice, state)

    def load(self, file: str | Path) -> None:
        """Go on from where a machine of the same lattice was saved.

        Raises `UserError` for a file of another lattice.
        """
        state = saving.load(Path(file), self.lattice)
        for values in (state.settings, state.acted):
            if values.keys() != self._possible.keys():
                raise UserError(f"{file}: this is no saved machine of {self.lattice.file}")
        settings = {key: self._checked(key, value) for key, value in state.settings.items()}
        acted = {key: self._checked(key, value) for key, value in state.acted.items()}
        before = load_faults(state.faults_before, self._faults.targets)
        after = load_faults(state.faults, self._faults.targets)
        with self._lock:
            self._seed, self._settings, self._faults = state.seed, settings, before
            self._shown = self._fire(state.pulse, acted)
            self._faults = after

    def _fire(self, number: int, settings: Mapping[Key, float]) -> Shown:
        shot = Shot(self._seed, number)
        self._set_before, self._faults_before = dict(settings), save_faults(self._faults)
        acting = self._faults.settings(dict(settings), shot)
        deviation = self._source.deviation(shot, self.lattice.gun.name)
        passage = self._model.step(acting, deviation)
        ideal = {**acting, **self._instruments.ideal(passage)}
        readings = {**acting, **self._instruments.read(passage, shot)}
        readings = self._faults.readings(readings, shot)
        return Shown(number, acting, passage, readings, ideal)

    def _checked(self, key: Key, value: float) -> float:
        device, quantity = key
        possible = self._possible.get(key)
        if possible is None:
            there = [suffix for each, suffix in self._possible if each == device]
            if there:
                has = ", ".join(there)
                raise UserError(f"{device} has no {quantity} to set; it has: {has}")
            raise UserError(f"no device {device} to set{_meant(device, self._possible)}")
        number = float(value)
        if not (math.isfinite(number) and possible.low <= number <= possible.high):
            raise UserError(
                f"{device}:{quantity} cannot be {number:g}; write a value from "
                f"{possible.low:g} to {possible.high:g}{f' {possible.unit}'.rstrip()}"
            )
        return number


def _meant(device: str, there: Mapping[Key, object]) -> str:
    names = {name.lower(): name for name, _ in there}
    found = nearest(device, names)
    return f"; the nearest is {names[found]}" if found else ""
