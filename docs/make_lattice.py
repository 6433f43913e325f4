"""Makes docs/reference/lattice.md from the models: `python docs/make_lattice.py`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from linacre.accelerator.lattice.elements import Element
from linacre.accelerator.lattice.file import TYPES
from linacre.accelerator.lattice.schema import lattice_schema

PAGE = Path(__file__).parent / "reference/lattice.md"

TITLES = {
    "StartingBeam": "Starting beam",
    "FaradayCup": "Faraday cup",
    "ChargeMonitor": "Charge monitor",
}
"""Titles that are not the name of the model."""

HEAD = """\
# The lattice file

*Made from the models by `docs/make_lattice.py`; do not edit it by hand.*

A lattice file says which elements a beam line has, where they stand, what is about them and which
devices they are. `examples/clara/lattice/lattice.yaml` is CLARA's. A drift added or an element
moved is an edit of the file; all that is wrong in it is told in one go, a line each, with file and
line.

`linacre schema lattice` prints the JSON Schema of the file, with which editors complete and check
what is typed: `# yaml-language-server: $schema=lattice.schema.json` as its first line.

## Places

A place is z in m on the axis of the gun, or `[x, z]` in the plane of the floor. An element has one
of `start_m`, `middle_m` and `end_m`; where more are written they must fit each other and the length
to 0.2 mm. Elements are written in the order in which the beam comes to them, and between two of
them is a drift. What overlaps, stands beside the orbit by more than 0.2 mm, or beyond the end of
its section is refused.

A section goes on from the one that is written before it, or is a branch: it leaves another at a
dipole, which is written among the elements of the line that is left. The dipole's field decides
which way the beam goes; what is bent by some angle between the two hits the pipe. A solenoid that
stands around a cavity is written behind it, with `around`.

## Devices

The devices of a lattice are magnets, RF stations, monitors, valves, shutters and the axes of
screens, each by the name that its PVs begin with. No two elements have one device, and every magnet
has an excitation curve in its file of magnets.

"""


def page() -> str:
    """Return the page."""
    schema = lattice_schema()
    models: dict[str, dict[str, Any]] = schema["$defs"]
    kinds = [name for name, part in models.items() if "type" in part.get("properties", ())]
    common = [*Element.model_fields]
    sections = [_section("Top level", schema, models)]
    sections += [
        _section(_title(name), part, models)
        for name, part in models.items()
        if "properties" in part and name not in kinds
    ]
    every = {"properties": {key: models["Marker"]["properties"][key] for key in common}}
    words = ", ".join(f"`{word}`" for word in TYPES)
    intro = f"Keys of every element, beside those of its `type`, which is one of {words}."
    sections.append(_section("Element", every | {"description": intro}, models))
    for name in kinds:
        part = models[name]
        base = models["Marker"]["properties"]
        own = {k: v for k, v in part["properties"].items() if k == "type" or base.get(k) != v}
        sections.append(_section(_title(name), part | {"properties": _type_first(own)}, models))
    return HEAD + "\n".join(sections)


def _type_first(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": properties["type"], **properties}


def _title(model: str) -> str:
    return TITLES.get(model, model)


def _section(title: str, part: dict[str, Any], models: dict[str, Any]) -> str:
    needed = part.get("required", ())
    rows = [_row(key, value, key in needed, models) for key, value in part["properties"].items()]
    intro = re.sub(r"\s+", " ", part.get("description", "")).strip()
    head = "| key | type | default | meaning |\n| --- | --- | --- | --- |"
    return "\n".join([f"## {title}\n", intro, "", head, *rows, ""])


def _row(key: str, value: dict[str, Any], needed: bool, models: dict[str, Any]) -> str:
    default = value.get("default")
    shown = "**needed**" if needed else "" if default in (None, "", []) else f"`{default}`"
    meaning = value.get("description", "What it is." if key == "type" else "")
    examples = [each for each in value.get("examples", ()) if each not in ({}, [{}])]
    if examples:
        meaning += f" Example: `{_flow(examples[0])}`"
    cells = [f"`{key}`", _type(value, models), shown, meaning]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _type(value: dict[str, Any], models: dict[str, Any]) -> str:
    match value:
        case {"$ref": str(ref)}:
            name = ref.rpartition("/")[2]
            if "enum" in models[name]:
                return _type(models[name], models)
            title = _title(name)
            return f"[{title}](#{title.lower().replace(' ', '-')})"
        case {"const": word}:
            return f"`{word}`"
        case {"enum": words}:
            return " or ".join(f"`{word}`" for word in words)
        case {"oneOf": _}:
            return "[Element](#element)"
        case {"anyOf": kinds}:
            there = [kind for kind in kinds if kind.get("type") != "null"]
            if [kind.get("type") for kind in there] == ["number", "array"]:
                return "[place](#places)"
            return " or ".join(_type(kind, models) for kind in there)
        case {"type": "array", "items": items}:
            return f"list of {_type(items, models)}"
        case {"type": "object", "patternProperties": inner}:
            return f"mapping of names to {_type(next(iter(inner.values())), models)}"
        case {"type": "object", "additionalProperties": inner}:
            return f"mapping of names to {_type(inner, models)}"
        case {"type": kind}:
            return {"integer": "whole number", "string": "text"}.get(kind, kind)
        case _:
            raise AssertionError(value)


def _flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return value if isinstance(value, str) else json.dumps(value)


if __name__ == "__main__":
    PAGE.write_text(page())
