"""The state of a machine in a file: JSON, and refused where it is of another lattice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from linacre.accelerator.lattice.lattice import Lattice
from linacre.accelerator.model.settings import Key
from linacre.base.errors import UserError
from linacre.documents.reading import read_text
from linacre.physics.curves import Number, Part

_FORMAT = 1
_SEPARATOR = ":"


class _File(Part):
    format: int
    lattice: str
    digest: str
    seed: int = Field(ge=0)
    pulse: int = Field(ge=0)
    settings: dict[str, Number]
    acted: dict[str, Number]
    faults: dict[str, Any]
    faults_before: dict[str, Any]


@dataclass(frozen=True)
class State:
    """All that the pulses of a machine to come depend on."""

    seed: int
    pulse: int
    settings: Mapping[Key, float]
    """That act on the next pulse."""
    acted: Mapping[Key, float]
    """That were set for the last one."""
    faults: Mapping[str, Any]
    """As `faults.saving` has them, for the next pulse."""
    faults_before: Mapping[str, Any]
    """For the last one."""


def digest(lattice: Lattice) -> str:
    """Return what tells a lattice from any other: elements, places and curves."""
    magnets = {name: magnet.data.model_dump_json() for name, magnet in lattice.magnets.items()}
    text = json.dumps([lattice.data.model_dump_json(), magnets], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def save(file: Path, lattice: Lattice, state: State) -> None:
    """Write a state; a file that is there is replaced in one stroke."""
    written = {
        "format": _FORMAT,
        "lattice": lattice.data.lattice,
        "digest": digest(lattice),
        "seed": state.seed,
        "pulse": state.pulse,
        "settings": _flat(state.settings),
        "acted": _flat(state.acted),
        "faults": dict(state.faults),
        "faults_before": dict(state.faults_before),
    }
    temporary = file.with_name(f"{file.name}.new")
    temporary.write_text(json.dumps(written, indent=1) + "\n")
    temporary.replace(file)


def load(file: Path, lattice: Lattice) -> State:
    """Return a state; raises `UserError` where the file is none, or one of another lattice."""
    text = read_text(file, kind="a saved machine", usual="machine.json")
    try:
        found = _File.model_validate(json.loads(text))
    except (ValueError, ValidationError, RecursionError):
        raise UserError(f"{file}: this is no saved machine; write the path of one") from None
    if found.format != _FORMAT or found.digest != digest(lattice):
        raise UserError(
            f"{file}: saved with another lattice than {lattice.file}; open it with its own"
        )
    return State(
        found.seed,
        found.pulse,
        settings=_keyed(found.settings),
        acted=_keyed(found.acted),
        faults=found.faults,
        faults_before=found.faults_before,
    )


def _flat(settings: Mapping[Key, float]) -> dict[str, float]:
    return {_SEPARATOR.join(key): value for key, value in settings.items()}


def _keyed(settings: Mapping[str, float]) -> dict[Key, float]:
    split = {name: name.rpartition(_SEPARATOR) for name in settings}
    return {(device, quantity): settings[name] for name, (device, _, quantity) in split.items()}
