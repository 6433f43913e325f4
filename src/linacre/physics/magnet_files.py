"""Files of magnets: YAML with the excitation curve of each, and those of CLARA."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from linacre.base.errors import UserError
from linacre.documents.document import Key, Problem, parse
from linacre.documents.quoting import one_of, quoted
from linacre.documents.reading import load_error, read_text
from linacre.physics.curves import Part
from linacre.physics.magnets import Magnet, MagnetData

_DATA = Path(__file__).parent / "data"

CLARA = _DATA / "clara-magnet-table.yaml"
"""The magnet table of 2024: every magnet from the gun to SP3."""

CLARA_PHASE_1 = _DATA / "clara-phase-1.yaml"
"""The fits of 2021, to C2V: polynomials, and solenoids with their Larmor angles."""


class _File(Part):
    magnets: dict[str, MagnetData] = Field(min_length=1)


@dataclass(frozen=True)
class MagnetTable:
    """The magnets of a file by their names, in its order: `table["CLA-S02-MAG-QUAD-01"]`."""

    file: Path
    by_name: Mapping[str, Magnet]

    def __getitem__(self, name: str) -> Magnet:
        """Return a magnet; raises `UserError` for a name that the file has not."""
        if name in self.by_name:
            return self.by_name[name]
        near = difflib.get_close_matches(name, self.by_name, n=1)
        advice = f"; the nearest is {near[0]}" if near else ""
        raise UserError(f"{self.file.name} has no magnet {name}{advice}")

    def __contains__(self, name: object) -> bool:
        return name in self.by_name

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_name)

    def __len__(self) -> int:
        return len(self.by_name)


def load_magnets(file: Path) -> MagnetTable:
    """Read a file of magnets; raises `LoadError` with a line for every problem found."""
    document = parse(read_text(file, kind="a file of magnets", usual="magnets.yaml"))
    if document.problems:
        raise load_error(file, document.lines, document.problems)
    try:
        found = _File.model_validate(document.data)
    except ValidationError as error:
        problems = [_problem(each) for each in error.errors(include_url=False)]
        raise load_error(file, document.lines, problems) from None
    by_name = {name: Magnet(name, data) for name, data in found.magnets.items()}
    return MagnetTable(file, by_name)


_FORMS = ("linear", "saturating", "polynomial", "solenoid")


def _problem(detail: ErrorDetails) -> Problem:
    # Pydantic puts the form of a curve into the path; the file has no such key.
    path: tuple[Key, ...] = tuple(key for key in detail["loc"] if key not in _FORMS)
    return Problem(path, _message(detail))


def _message(detail: ErrorDetails) -> str:
    given = quoted(detail["input"])
    match detail["type"]:
        case "missing":
            return "missing; write it"
        case "extra_forbidden":
            return "unknown key; remove it"
        case "union_tag_not_found":
            return f"form is missing; write form: {one_of(_FORMS)}"
        case "union_tag_invalid":
            return f"{quoted(detail['input']['form'])} is no form of curve; write {one_of(_FORMS)}"
        case "enum":
            return f"{given} is none of these: {detail.get('ctx', {})['expected']}"
        case "too_short":
            return "too short; write all that belong in it"
        case "greater_than":
            return f"{given} is not above 0; write a number that is"
        case "dict_type" | "model_type" | "model_attributes_type":
            return f"{given} is not a mapping; write keys with values"
        case "tuple_type":
            return f"{given} is not a list; write one like [0.5, 0]"
        case "value_error":
            return str(detail.get("ctx", {})["error"])
        case _:
            return f"{given} is not {'text' if detail['type'] == 'string_type' else 'a number'}"
