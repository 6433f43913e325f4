"""Templates of new IOCs: folders of a group's own beside the facility file, and Linacre's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from linacre.base.errors import UserError
from linacre.declaration.yaml_nodes import Kind, pieces
from linacre.declaration.yaml_text import line_start
from linacre.documents.document import Document, Key, parse
from linacre.documents.quoting import as_written, nearest, quoted

FILE, FILES = "template.yaml", "files"
OWN_FOLDER = "templates"
_BUILT_IN = Path(__file__).parent / "templates"
_KEY = r"[A-Z][A-Z0-9_]*"
PLACE = re.compile(f"@({_KEY})@")
"""Where a setting goes."""
GIVEN = ("NAME", "NAME_UPPER", "ADDRESS", "FACILITY")
"""Settings that the command gives, and nobody else."""
PREFIX = "PREFIX"
PREFIX_DEFAULT = "@NAME_UPPER@:"


@dataclass(frozen=True)
class Setting:
    """What a template asks for."""

    description: str
    default: str | None
    """None where it must be given."""


@dataclass(frozen=True)
class Template:
    """A template of IOCs."""

    name: str
    folder: Path
    description: str
    settings: Mapping[str, Setting]
    entry: str
    """The entry in the facility file under the name `ioc`, its settings not filled in."""
    is_own: bool
    """Whether it stands beside the facility file, and is none of Linacre's."""

    @property
    def files(self) -> Path | None:
        """The folder with the IOC's own files; None where it brings none."""
        folder = self.folder / FILES
        return folder if folder.is_dir() else None

    def values(self, given: Mapping[str, str], built_in: Mapping[str, str]) -> dict[str, str]:
        """Return every setting, from those given and those that Linacre knows.

        Raises `UserError` for one that is unknown, missing, or not one line.
        """
        for key, value in given.items():
            self._check_given(key, value)
        settled = {PREFIX: filled(PREFIX_DEFAULT, built_in), **built_in, **given}
        missing: list[str] = []
        for key, setting in self.settings.items():
            if key in given:
                continue
            if setting.default is None:
                missing.append(f"--set {key}=... ({setting.description or 'required'})")
            else:
                settled[key] = filled(setting.default, built_in)
        if missing:
            raise UserError(f"the template {self.name} needs {', '.join(missing)}")
        return settled

    def _check_given(self, key: str, value: str) -> None:
        if key in GIVEN:
            option = " (write --address)" if key == "ADDRESS" else ""
            raise UserError(f"{key} is given by the command{option}; leave --set {key} out")
        if key not in self.settings:
            known = ", ".join(self.settings) or "none"
            meant = nearest(key, map(str.lower, self.settings))
            advice = f"write {meant.upper()}" if meant else f"it has: {known}"
            raise UserError(f"the template {self.name} has no setting {key}; {advice}")
        if not value.isprintable():
            raise UserError(f"--set {key}={quoted(value)}: write one line of plain text")


@dataclass(frozen=True)
class Broken:
    """A template that cannot be used, and why."""

    name: str
    problem: str


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a text with its settings filled in; what is no setting stays."""
    return PLACE.sub(lambda match: values.get(match[1], match[0]), text)


def list_templates(facility_folder: Path | None) -> list[Template | Broken]:
    """Return the templates there are by name, a group's own before Linacre's of the same name."""
    found: dict[str, Template | Broken] = {}
    for folder in _folders(facility_folder):
        for each in sorted(folder.iterdir()):
            if each.name in found or not each.is_dir() or each.name.startswith((".", "_")):
                continue
            try:
                found[each.name] = _read(each)
            except UserError as error:
                found[each.name] = Broken(each.name, str(error))
    return [found[name] for name in sorted(found)]


def get_template(name: str, facility_folder: Path | None) -> Template:
    """Return one template; raises `UserError` where there is none, or it cannot be used."""
    for folder in _folders(facility_folder):
        # A name of a folder only: no path leads out of the two.
        if name in (each.name for each in folder.iterdir() if each.is_dir()):
            return _read(folder / name)
    known = [each.name for each in list_templates(facility_folder)]
    meant = nearest(name, known)
    advice = f"write {meant}" if meant else f"there are: {', '.join(known)}"
    raise UserError(f"there is no template {quoted(name)}; {advice}")


def _folders(facility_folder: Path | None) -> Iterator[Path]:
    if facility_folder is not None and (own := facility_folder / OWN_FOLDER).is_dir():
        yield own
    yield _BUILT_IN


def _read(folder: Path) -> Template:
    file = folder / FILE
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "is not UTF-8"
        raise UserError(f"{file}: {why.lower()}; a template's folder holds a {FILE}") from None
    return _Reader(file, text).template()


class _Reader:
    """Reads one template, and raises `UserError` with file and line for what is wrong in it."""

    def __init__(self, file: Path, text: str) -> None:
        self._file = file
        self._text = text.replace("\r\n", "\n")
        self._document: Document = parse(self._text)

    def template(self) -> Template:
        if self._document.problems:
            problem = self._document.problems[0]
            raise self._error(problem.path, problem.message, line=problem.line)
        data: object = self._document.data
        if not isinstance(data, dict):
            raise self._error((), "write description: and ioc: with what is below it")
        top = cast("dict[str, Any]", data)
        for key in top:
            if key not in ("description", "settings", "ioc"):
                raise self._error((key,), "unknown key; the keys are description, settings, ioc")
        settings = self._settings(top.get("settings"))
        return Template(
            name=self._file.parent.name,
            folder=self._file.parent,
            description=self._line(("description",), top.get("description", "")),
            settings=settings,
            entry=self._entry(top.get("ioc"), {*settings, *GIVEN, PREFIX}),
            is_own=self._file.parent.parent != _BUILT_IN,
        )

    def _settings(self, given: object) -> dict[str, Setting]:
        if given is None:
            given = {}
        if not isinstance(given, dict):
            raise self._error(("settings",), "write KEY: and below it description and default")
        found: dict[str, Setting] = {}
        for key, about in cast("dict[str, Any]", given).items():
            found[key] = self._setting(key, about)
        return found

    def _setting(self, key: str, about: object) -> Setting:
        path = ("settings", key)
        if not re.fullmatch(_KEY, key):
            raise self._error(path, f"{quoted(key)} is no key; write one like {_mended(key)}")
        if key in GIVEN:
            raise self._error(path, "this is given by Linacre; choose another key")
        said = cast("dict[str, Any]", about if isinstance(about, dict) else {})
        if not isinstance(about, dict | None) or not {*said} <= _OF_A_SETTING:
            raise self._error(path, "write description, and default or required: true, below it")
        required = said.get("required", False)
        if not isinstance(required, bool) or (required and "default" in said):
            raise self._error((*path, "required"), "write required: true, or a default instead")
        default = None if required else PREFIX_DEFAULT if key == PREFIX else ""
        if "default" in said:
            default = self._line((*path, "default"), said["default"])
        elif not required and key != PREFIX:
            raise self._error(path, "has no default; write one, or required: true")
        return Setting(self._line((*path, "description"), said.get("description", "")), default)

    def _entry(self, given: object, known: set[str]) -> str:
        root = pieces(self._text)
        found = root.get("ioc") if root is not None else None
        if not isinstance(given, dict) or "kind" not in given or found is None or found[1].flow:
            raise self._error(("ioc",), "write what the IOC's entry is to be below it, kind first")
        start = line_start(self._text, found[0].start)
        behind = [key.start for key, _ in root.items if key and key.start > start] if root else []
        entry = self._text[start : min(behind, default=len(self._text))]
        lines = entry.rstrip().split("\n")
        while lines[-1].startswith("#") or not lines[-1].strip():
            lines.pop()
        for each in found[1].walk():
            for match in PLACE.finditer(each.value if each.kind is Kind.SCALAR else ""):
                if match[1] not in known:
                    line = self._text.count("\n", 0, each.start) + 1
                    advice = f"write one of {', '.join(sorted(known))}"
                    raise self._error((), f"{match[0]} is no setting; {advice}", line=line)
        return "\n".join(lines) + "\n"

    def _line(self, path: tuple[Key, ...], value: object) -> str:
        text = "" if value is None else as_written(value)
        if text is None or not text.isprintable():
            raise self._error(path, f"{quoted(value)} is not one line of text")
        return text

    def _error(self, path: tuple[Key, ...], message: str, *, line: int | None = None) -> UserError:
        where = ".".join(map(str, path))
        at = line or self._document.lines.at(path)
        return UserError(f"{self._file}:{at}: {where + ': ' if where else ''}{message}")


_OF_A_SETTING = {"description", "default", "required"}


def _mended(key: str) -> str:
    found = re.sub(r"[^A-Z0-9]+", "_", key.upper()).strip("_")
    return found if re.fullmatch(_KEY, found) else "DEVICE"
