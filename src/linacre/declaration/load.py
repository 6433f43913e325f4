"""From the text of a facility file to a declaration, or to all that is wrong with it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from linacre.base.errors import UserError
from linacre.base.sizes import readable
from linacre.declaration.check import Names, check
from linacre.declaration.check_addresses import address_advice
from linacre.declaration.document import Document, Key, Lines, Problem, parse
from linacre.declaration.models import IOCS, Facility, Network, Section, facility_model
from linacre.declaration.problems import problems_of

if TYPE_CHECKING:
    from linacre.declaration.editing.edit import FacilityText

_LARGEST = 16 << 20
"""Of a facility file, in bytes: several ten thousand IOCs."""

_STAND_IN = {"stand-in": {"subnet": "10.0.0.0/8"}}


class LoadError(UserError):
    """A facility file that cannot be taken; one line a problem, each with file and line."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        super().__init__("\n".join(lines))


@dataclass(frozen=True)
class Declaration:
    """A facility file that was read and found right."""

    facility: Facility
    """The facility, with its defaults merged into every IOC."""
    file: Path
    folder: Path
    """The folder of the file, absolute: what its relative paths are relative to."""
    text: str
    _lines: Lines

    @cached_property
    def written(self) -> FacilityText:
        """The text, to be read or changed in parts; its parts are found once for all of them."""
        from linacre.declaration.editing.edit import FacilityText

        return FacilityText(self.text, self.file)

    def where(self, *path: Key) -> str:
        """Return the place of a key, such as `where("iocs", "s02-mag")`, as FILE:LINE."""
        return f"{self.file}:{self._lines.at(path)}"

    def check_ioc(self, name: str) -> str:
        """Return the name of a declared IOC; raise `UserError` with the names there are."""
        if name not in self.facility.iocs:
            there = ", ".join(self.facility.iocs) or "none"
            raise UserError(f"{self.facility.facility} has no IOC {name}; it has: {there}")
        return name


def load(file: Path, *, text: str | None = None, sections: Sequence[Section] = ()) -> Declaration:
    """Read a facility file; with `text`, as if that stood in it.

    `sections` are those that it may have beside what every Linacre knows.

    Raises `LoadError`, whose message has a line for every problem found.
    """
    text = _read(file) if text is None else text
    document = parse(text)
    folder = file.absolute().parent
    if document.problems and document.data is None:
        raise _error(file, document.lines, document.problems)
    data = _top_level(file, document)
    model = facility_model(tuple(sections))
    names = _names(data, model)
    facility, wrong = _validate(data, names, model)
    problems = [*document.problems, *wrong]
    if facility is not None:
        problems += check(facility, folder, names=names)
    if problems or facility is None:
        raise _error(file, document.lines, problems)
    return Declaration(facility, file, folder, text, document.lines)


def _read(file: Path) -> str:
    try:
        data = _content(file)
    except FileNotFoundError:
        message = "no such file; write the path of a facility file, or make one"
        raise LoadError([f"{file}: {message}"]) from None
    except IsADirectoryError:
        message = f"this is a folder; write {file / 'facility.yaml'}"
        raise LoadError([f"{file}: {message}"]) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        advice = (
            "; give yourself the right to read it" if isinstance(error, PermissionError) else ""
        )
        message = f"cannot be read: {reason}{advice}"
        raise LoadError([f"{file}: {message}"]) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise LoadError([f"{file}:{line}: {message}"]) from None


def _content(file: Path) -> bytes:
    # A pipe without a writer would be waited for, and a device may have no end.
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as opened:
        found = os.fstat(opened.fileno())
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError
        if not stat.S_ISREG(found.st_mode):
            message = "a pipe or a device; write the path of a plain file"
            raise LoadError([f"{file}: {message}"])
        data = opened.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        message = f"larger than {readable(_LARGEST)}; write the path of a facility file"
        raise LoadError([f"{file}: {message}"])
    return data


def _top_level(file: Path, document: Document) -> dict[str, Any]:
    data: object = document.data
    if isinstance(data, dict):
        return cast("dict[str, Any]", data)
    if data is None:
        message = "the file is empty; write facility: NAME, networks and iocs"
    else:
        what = "a list" if isinstance(data, list) else "text"
        message = f"the file holds {what}; write keys with values, such as facility: clara"
    raise LoadError([f"{file}:{document.lines.line}: {message}"])


def _validate(
    data: dict[str, Any], names: Names, model: type[Facility]
) -> tuple[Facility | None, list[Problem]]:
    """Return the facility and its problems.

    Items that are wrong by themselves are left out of the facility, so that the others can be
    checked against each other all the same. There is none when too little is right.
    """
    try:
        return model.model_validate(data).settled(), []
    except ValidationError as error:
        problems = problems_of(error, data, model)
    facility = _what_is_right(_without(data, problems, model), names, model)
    return facility, [_with_advice(problem, facility, data) for problem in problems]


def _what_is_right(data: dict[str, Any], names: Names, model: type[Facility]) -> Facility | None:
    networks: object = data.get("networks")
    try:
        # A facility must have a network: where none is right, one stands in to get past that.
        right = model.model_validate(data | {"networks": networks or _STAND_IN})
    except ValidationError:
        return None
    right = right if networks else right.model_copy(update={"networks": {}})
    return right.settled(networks=names.networks)


def _without(
    data: dict[str, Any], problems: list[Problem], model: type[Facility]
) -> dict[str, Any]:
    """Return the file's data without the items that problems are in."""
    pruned: dict[str, Any] = {"facility": "unnamed", **data}
    of_items = {"networks", "hosts", *(each.key for each in model.sections)}
    for problem in problems:
        match problem.path:
            case ("facility", *_):
                pruned["facility"] = "unnamed"
            case (section, str(name), *_) if section in of_items:
                items = cast("Mapping[str, Any]", pruned[str(section)])
                pruned[str(section)] = {key: item for key, item in items.items() if key != name}
            case (section, *_):
                pruned.pop(str(section), None)
            case _:
                pass
    return pruned


def _with_advice(problem: Problem, facility: Facility | None, data: Mapping[str, Any]) -> Problem:
    """Return the problem of a mistyped or missing address with one that would be right."""
    missing = problem.path[-1:] == ("address",) and problem.message.startswith("missing")
    if not missing and not problem.message.endswith("is not an IPv4 address"):
        return problem
    message = "missing" if missing else problem.message
    network = _network_at(problem.path, facility, data)
    if facility is None or network is None:
        return Problem(problem.path, f"{message}; write one like 10.61.2.11")
    return Problem(problem.path, f"{message}; {address_advice(facility, network)}")


def _network_at(
    path: tuple[Key, ...], facility: Facility | None, data: Mapping[str, Any]
) -> Network | None:
    if facility is None or path[0] not in {each.key for each in facility.sections}:
        return None
    named = data[str(path[0])][path[1]].get("network")
    if path[0] == IOCS.key:
        named = named or facility.defaults.ioc.network
    if named is None and len(facility.networks) == 1:
        named = next(iter(facility.networks))
    return facility.networks.get(str(named))


def _names(data: Mapping[str, Any], model: type[Facility]) -> Names:
    def keys(section: str) -> list[str]:
        found = data.get(section)
        return [*cast("Mapping[str, Any]", found)] if isinstance(found, Mapping) else []

    return Names(
        hosts=keys("hosts"),
        networks=keys("networks"),
        of_sections={each.key: keys(each.key) for each in model.sections},
    )


def _error(file: Path, lines: Lines, problems: list[Problem] | tuple[Problem, ...]) -> LoadError:
    placed = [(p.line or lines.at(p.path), _dotted(p.path), p.message) for p in problems]
    shown = [
        f"{file}:{line}: {where}: {message}" if where else f"{file}:{line}: {message}"
        for line, where, message in sorted(placed, key=lambda each: each[0])
    ]
    return LoadError([*dict.fromkeys(shown)])


def _dotted(path: tuple[Key, ...]) -> str:
    text = ""
    for key in path:
        shown = key if isinstance(key, int) or key.isprintable() else repr(key)
        text += f"[{key}]" if isinstance(key, int) else f".{shown}"
    return text.removeprefix(".")
