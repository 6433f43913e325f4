"""Files of data held against a pydantic model: what is wrong by file, line and key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from linacre.documents.document import Key, Lines, Problem, parse
from linacre.documents.quoting import nearest, one_of, quoted
from linacre.documents.reading import LARGEST, load_error, read_text

Model = TypeVar("Model", bound=BaseModel)

_OF_A_KEY = "[key]"


@dataclass(frozen=True)
class ModelFile(Generic[Model]):
    """What a kind of file holds, and how it is spoken of."""

    model: type[Model]
    kind: str
    """What it is, such as "a file of magnets"."""
    usual: str
    """How such a file is named."""
    tag: str = ""
    """The key that says of which form a part of it is, with those there are."""
    tags: Sequence[str] = ()
    tag_of: str = ""
    """What has a form, as in "cubic is no form of curve"."""
    largest: int = LARGEST
    """In bytes."""

    def read(self, file: Path) -> tuple[Model, Lines]:
        """Return the model of a file, and its lines.

        Raises `LoadError` with a line for every problem found.
        """
        text = read_text(file, kind=self.kind, usual=self.usual, largest=self.largest)
        document = parse(text)
        if document.problems:
            raise load_error(file, document.lines, document.problems)
        try:
            return self.model.model_validate(document.data), document.lines
        except ValidationError as error:
            details = error.errors(include_url=False)
            problems = [self._problem(each, document.data) for each in details]
            raise load_error(file, document.lines, problems) from None

    def _problem(self, detail: ErrorDetails, data: Any) -> Problem:
        return Problem(self._path(detail["loc"], data), self._message(detail))

    def _path(self, loc: tuple[Key, ...], data: Any) -> tuple[Key, ...]:
        # Pydantic puts into the path what form it took a part for, and that it means a key itself;
        # the file has no such keys.
        path: list[Key] = []
        for key in loc:
            inside = _inside(data, key)
            if inside is None and (key == _OF_A_KEY or key in self.tags):
                continue
            path.append(key)
            data = inside
        return tuple(path)

    def _message(self, detail: ErrorDetails) -> str:
        given, about = quoted(detail["input"]), detail.get("ctx", {})
        match detail["type"]:
            case "missing":
                return "missing; write it"
            case "extra_forbidden":
                return "unknown key; remove it"
            case "union_tag_not_found":
                return f"{self.tag} is missing; write {self.tag}: {one_of(self.tags)}"
            case "union_tag_invalid":
                wrong = detail["input"][self.tag]
                meant = nearest(wrong, self.tags) if isinstance(wrong, str) else None
                return f"{quoted(wrong)} is no {self.tag_of}; write {meant or one_of(self.tags)}"
            case "enum" | "literal_error":
                return f"{given} is none of these: {about['expected']}"
            case "too_short":
                return "too short; write all that belong in it"
            case "too_long":
                return f"{len(detail['input'])} entries; write at most {about['max_length']}"
            case "greater_than":
                return f"{given} is not above {about['gt']:g}; write a number that is"
            case "greater_than_equal":
                return f"{given} is below {about['ge']:g}; write a number that is not"
            case "less_than_equal":
                return f"{given} is above {about['le']:g}; write a number that is not"
            case "dict_type" | "model_type" | "model_attributes_type":
                return f"{given} is not a mapping; write keys with values"
            case "tuple_type":
                return f"{given} is not a list; write one like [0.5, 0]"
            case "value_error":
                return str(about["error"])
            case "bool_type" | "bool_parsing":
                return f"{given} is not true or false"
            case "int_type" | "int_parsing" | "int_from_float":
                return f"{given} is not a whole number"
            case _:
                return f"{given} is not {'text' if detail['type'] == 'string_type' else 'a number'}"


def _inside(data: Any, key: Key) -> Any:
    if isinstance(data, Mapping):
        return cast("Mapping[Key, Any]", data).get(key)
    if isinstance(data, list) and isinstance(key, int):
        entries = cast("list[Any]", data)
        return entries[key] if key < len(entries) else None
    return None
