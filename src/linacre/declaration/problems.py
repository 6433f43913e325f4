"""What pydantic finds wrong with a facility file, in the words of who wrote it."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Union, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from linacre.declaration.models import BinaryIoc, Facility, GitSource, PythonIoc, SoftIoc
from linacre.documents.document import Key, Problem
from linacre.documents.quoting import as_written, nearest, one_of, quoted

_KINDS: Mapping[str, type[BaseModel]] = {
    "softioc": SoftIoc,
    "python": PythonIoc,
    "binary": BinaryIoc,
}
_LATER = ("devices",)
# Pydantic puts the chosen member of a union into the path; the file has no such key.
_TAGS = frozenset({*_KINDS, "auto", "incus", "process", "FolderSource", "GitSource", "[key]"})
_WANTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
# Errors that only follow from another one, which is reported by itself.
_FOLLOWING = frozenset({"default_factory_not_called"})


@dataclass(frozen=True)
class _File:
    """A file's data, and the model that they were held against."""

    data: Mapping[str, Any]
    model: type[Facility]


def problems_of(
    error: ValidationError, data: Mapping[str, Any], model: type[Facility] = Facility
) -> list[Problem]:
    """Return the problems that a validation of the file's data by a model found."""
    details = [d for d in error.errors(include_url=False) if d["type"] not in _FOLLOWING]
    return [_problem(detail, _File(data, model)) for detail in details]


def _problem(detail: ErrorDetails, file: _File) -> Problem:
    path = _path(detail["loc"], file.data)
    writer = _WRITERS.get(detail["type"], _wrong_type)
    return Problem(path, writer(detail, path, file))


def _path(loc: tuple[Key, ...], data: Any) -> tuple[Key, ...]:
    """Return the path of keys in the file for pydantic's location."""
    path: list[Key] = []
    here: Any = data
    for place, key in enumerate(loc):
        last = place == len(loc) - 1
        if isinstance(here, Mapping) and key in here:
            here = cast("Mapping[Key, Any]", here)[key]
        elif isinstance(here, list) and isinstance(key, int):
            here = cast("list[Any]", here)[key]
        elif key in _TAGS:
            continue
        elif not last:
            here = None
        path.append(key)
    return tuple(path)


def _unknown_key(detail: ErrorDetails, path: tuple[Key, ...], file: _File) -> str:
    key = str(path[-1])
    model = _model_at(path[:-1], file)
    if len(path) == 1 and key in _LATER:
        return f"this version of Linacre has no {key} yet; remove it"
    known = [*model.model_fields] if model else []
    if model in _KINDS.values():
        owners = [kind for kind, other in _KINDS.items() if key in other.model_fields]
        if owners:
            return f"goes with kind {one_of(owners)}; remove it, or change the kind"
    if meant := nearest(key, known):
        return f"unknown key; write {meant}"
    return f"unknown key; the keys here are {', '.join(sorted(known))}"


def _missing(detail: ErrorDetails, path: tuple[Key, ...], file: _File) -> str:
    return f"missing; write {_line_for(path, file)}"


def _kind_missing(detail: ErrorDetails, path: tuple[Key, ...], file: _File) -> str:
    return f"kind is missing; write kind: {one_of(_choices(detail))}"


def _kind_unknown(detail: ErrorDetails, path: tuple[Key, ...], file: _File) -> str:
    choices = _choices(detail)
    given = detail["input"].get("kind")
    what = "an engine" if path == ("engine",) else "a kind of IOC"
    meant = nearest(given, choices) if isinstance(given, str) else None
    return f"{quoted(given)} is not {what}; write {meant or one_of(choices)}"


def _own_words(detail: ErrorDetails, path: tuple[Key, ...], file: _File) -> str:
    message = str(detail.get("ctx", {}).get("error", detail["msg"]))
    # A parser that serves many keys leaves the example to the key.
    return message if "; " in message else f"{message}; write one like {_line_for(path, file)}"


def _message(detail: ErrorDetails, path: tuple[Key, ...], file: _File) -> str:
    return detail["msg"]


def _empty(detail: ErrorDetails, path: tuple[Key, ...], file: _File) -> str:
    return f"empty; write {_line_for(path, file)}"


def _wrong_type(detail: ErrorDetails, path: tuple[Key, ...], file: _File) -> str:
    given = detail["input"]
    wanted = _WANTED.get(detail["type"], "what goes here")
    if wanted == "text" and (text := as_written(given)) is not None:
        return f"{text} is not text; write it in quotes: '{text}'"
    return f"{quoted(given)} is not {wanted}; write {_line_for(path, file)}"


_Writer = Callable[[ErrorDetails, tuple[Key, ...], _File], str]
_WRITERS: Mapping[str, _Writer] = {
    "extra_forbidden": _unknown_key,
    "missing": _missing,
    "union_tag_not_found": _kind_missing,
    "union_tag_invalid": _kind_unknown,
    "value_error": _own_words,
    "address": _message,
    "too_short": _empty,
    "string_too_short": _empty,
}


def _choices(detail: ErrorDetails) -> list[str]:
    tags = str(detail.get("ctx", {}).get("expected_tags", ""))
    return [tag.strip(" '") for tag in tags.split(",")] if tags else [*_KINDS]


def _line_for(path: tuple[Key, ...], file: _File) -> str:
    """Return an example of what may stand at a path: `address: 10.61.2.11`."""
    *outer, key = path
    example = _example((*outer,), key, file)
    if example is None:
        return "what the reference of the facility file says"
    return f"{quoted(key)}: {_flow(example)}" if isinstance(key, str) else _flow(example)


def _example(outer: tuple[Key, ...], key: Key, file: _File) -> Any:
    """Return an example for a key, or for an entry of the mapping or list around it."""
    model = _model_at(outer, file)
    if model is not None:
        found = model.model_fields.get(str(key))
        return found.examples[0] if found and found.examples else None
    around = _example(outer[:-1], outer[-1], file) if outer else None
    if isinstance(around, dict):
        return next(iter(cast("dict[str, Any]", around).values()))
    return cast("list[Any]", around)[0] if isinstance(around, list) else None


def _flow(value: object) -> str:
    """Return a value as YAML on one line."""
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).items()
        return "{" + ", ".join(f"{k}: {_flow(v)}" for k, v in items) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(v) for v in cast("list[object]", value)) + "]"
    return value if isinstance(value, str) else json.dumps(value)


def _model_at(path: tuple[Key, ...], file: _File) -> type[BaseModel] | None:
    """Return the model of the mapping at a path, following what the file says."""
    annotation: Any = file.model
    here: Any = file.data
    for key in path:
        annotation = _member(annotation, here)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found = annotation.model_fields.get(str(key))
            annotation = found.annotation if found else None
        elif get_origin(annotation) is dict:
            annotation = get_args(annotation)[1]
        elif get_origin(annotation) is tuple:
            annotation = get_args(annotation)[0]
        else:
            return None
        here = _inside(here, key)
    annotation = _member(annotation, here)
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return cast("type[BaseModel]", annotation) if is_model else None


def _inside(data: Any, key: Key) -> Any:
    if isinstance(data, Mapping):
        return cast("Mapping[Key, Any]", data).get(key)
    if isinstance(data, list) and isinstance(key, int):
        return cast("list[Any]", data)[key]
    return None


def _member(annotation: Any, data: Any) -> Any:
    """Return the type that an annotation means for this data: unions are resolved."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation
    members = [_member(m, data) for m in get_args(annotation) if m is not type(None)]
    given: Mapping[str, Any] = {}
    if isinstance(data, Mapping):
        given = cast("Mapping[str, Any]", data)
    if GitSource in members and ("git" in given or "revision" in given):
        return GitSource
    for member in members:
        kind = getattr(member, "model_fields", {}).get("kind")
        if kind is not None and given.get("kind") in get_args(kind.annotation):
            return member
    return members[0] if members else None
