"""The elements of a machine that faults can befall, as a file lists them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from linacre.accelerator.faults.targets import Target, TargetKind, Targets
from linacre.accelerator.faults.texts import ElementName
from linacre.documents.document import Problem
from linacre.documents.models import ModelFile
from linacre.documents.quoting import quoted
from linacre.documents.reading import load_error
from linacre.physics.curves import Number, Part

_LARGEST = 1 << 20


class ElementData(Part):
    """An element, by the name that its PVs begin with."""

    kind: TargetKind = Field(description="What it is.")
    z_m: Number | None = Field(
        default=None, description="Where the beam meets it, along its way; without it, nowhere."
    )
    feeds: str = Field(
        default="", description="Of cavity water, the RF station of the cavity that it cools."
    )
    suffix: str = Field(default="", description="Of its reading, where that is not the usual one.")


class ElementsFile(Part):
    """A list of elements."""

    elements: dict[ElementName, ElementData] = Field(min_length=1, max_length=20_000)


_FILE = ModelFile(
    model=ElementsFile, kind="a list of elements", usual="elements.yaml", largest=_LARGEST
)


def load_targets(file: Path) -> Targets:
    """Read a list of elements; raises `LoadError` with a line for every problem found."""
    found, lines = _FILE.read(file)
    if problems := [*_problems(found)]:
        raise load_error(file, lines, problems)
    return Targets([Target(name, *_values(element)) for name, element in found.elements.items()])


def _values(element: ElementData) -> tuple[TargetKind, float | None, str, str]:
    return element.kind, element.z_m, element.feeds, element.suffix


def _problems(file: ElementsFile) -> Iterator[Problem]:
    for name, element in file.elements.items():
        path = ("elements", name, "feeds")
        fed = file.elements.get(element.feeds)
        if element.kind is TargetKind.WATER and (fed is None or fed.kind is not TargetKind.RF):
            what = quoted(element.feeds) if element.feeds else "it"
            yield Problem(
                path, f"{what} is no RF station of this list; write the one that it cools"
            )
        elif element.feeds and element.kind is not TargetKind.WATER:
            yield Problem(path, f"only {TargetKind.WATER} feeds an RF station; remove it")
