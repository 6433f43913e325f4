"""The text of a YAML file: plain data, and the line that each piece of it stands on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from linacre.documents import quick_yaml
from linacre.documents.quick_yaml import FLOAT, INT, TAG, NotYamlError

Key = str | int
"""A key of a mapping, or a place in a list."""

_Node = Any
"""A node of YAML's tree, which carries no types: `id`, `tag`, `value`, `start_mark`."""

_MOST_PIECES = 200_000
"""Far more than a facility of a thousand IOCs has."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong in the file, at a path of keys; `line` where the path cannot say it."""

    path: tuple[Key, ...]
    message: str
    line: int | None = None


@dataclass
class Lines:
    """The lines of a piece of the file and of what is in it, counted from 1."""

    line: int
    inside: dict[Key, Lines] = field(default_factory=dict["Key", "Lines"])

    def at(self, path: tuple[Key, ...]) -> int:
        """Return the line of the piece at a path, or of the nearest piece around it."""
        here = self
        for key in path:
            if key not in here.inside:
                break
            here = here.inside[key]
        return here.line


@dataclass(frozen=True)
class Document:
    """A parsed file: `data` is what the text says, as far as it could be read."""

    data: Any
    lines: Lines
    problems: tuple[Problem, ...]


def parse(text: str) -> Document:
    """Read YAML 1.2 text; what is wrong is in the document's problems, nothing is raised."""
    try:
        node = _compose(text)
    except NotYamlError as error:
        return Document(None, Lines(1), (Problem((), error.message, error.line),))
    if node is None:
        return Document(None, Lines(1), ())
    reader = _Reader()
    try:
        data, lines = reader.read(node, ())
    except _TooMuchError:
        return Document(None, Lines(1), (Problem((), "unfolds to too much; use fewer aliases", 1),))
    except RecursionError:
        return Document(None, Lines(1), (Problem((), "nested too deeply to read", 1),))
    return Document(data, lines, tuple(reader.problems))


def _compose(text: str) -> _Node:
    try:
        return quick_yaml.compose(text)
    except quick_yaml.UnsureError:
        from linacre.documents import careful_yaml

        return careful_yaml.compose(text)


class _TooMuchError(Exception):
    """The aliases of the file unfold to more than any of ours has."""


class _Reader:
    """Turns YAML nodes into plain data, noting lines and problems on the way."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._open: list[_Node] = []
        self._pieces = 0

    def read(self, node: _Node, path: tuple[Key, ...]) -> tuple[Any, Lines]:
        lines = Lines(_line(node))
        self._pieces += 1
        if self._pieces > _MOST_PIECES:
            raise _TooMuchError
        if any(node is outer for outer in self._open):
            self._note(path, "this alias holds itself; write the value out", node)
            return None, lines
        self._open.append(node)
        try:
            if node.id == "mapping":
                return self._mapping(node, path, lines), lines
            if node.id == "sequence":
                return self._list(node, path, lines), lines
            return self._scalar(node, path), lines
        finally:
            self._open.pop()

    def _mapping(self, node: _Node, path: tuple[Key, ...], lines: Lines) -> dict[str, Any]:
        data: dict[str, Any] = {}
        written: dict[str, int] = {}
        for key_node, value_node in _pairs(node):
            if key_node.tag == TAG + "merge":
                self._merge(value_node, path, data, lines)
                continue
            if key_node.id != "scalar":
                self._note(path, "a key must be plain text; write key: value", key_node)
                continue
            key = str(key_node.value)
            if key in written:
                message = f"given twice, first on line {written[key]}; rename or remove one"
                self._note((*path, key), message, key_node)
                continue
            written[key] = _line(key_node)
            data[key], inner = self.read(value_node, (*path, key))
            inner.line = _line(key_node)
            lines.inside[key] = inner
        return data

    def _merge(
        self, node: _Node, path: tuple[Key, ...], data: dict[str, Any], lines: Lines
    ) -> None:
        """Add what `<<: *anchor` brings; keys written here stay, whichever comes first."""
        brought, inner = self.read(node, path)
        if not isinstance(brought, dict):
            self._note(path, "<< brings no mapping; write the alias of one", node)
            return
        data.update(cast("dict[str, Any]", brought))
        lines.inside.update(inner.inside)

    def _list(self, node: _Node, path: tuple[Key, ...], lines: Lines) -> list[Any]:
        data: list[Any] = []
        for place, item in enumerate(node.value):
            value, inner = self.read(item, (*path, place))
            lines.inside[place] = inner
            data.append(value)
        return data

    def _scalar(self, node: _Node, path: tuple[Key, ...]) -> str | int | float | bool | None:
        text, tag = str(node.value), str(node.tag)
        if not tag.startswith(TAG):
            self._note(path, f"the YAML tag {tag} has no meaning here; remove it", node)
        match tag.removeprefix(TAG):
            case "null":
                return None
            # What YAML would rewrite (007, 0x10, 1.10) stays the text that was written, so that
            # a number or truth value can always be turned back into what its writer meant.
            case "bool" if text in ("true", "false"):
                return text == "true"
            case "int" if INT.fullmatch(text):
                return int(text)
            case "float" if FLOAT.fullmatch(text) and repr(float(text)) == text:
                return float(text)
            case _:
                return text

    def _note(self, path: tuple[Key, ...], message: str, node: _Node) -> None:
        self.problems.append(Problem(path, message, _line(node)))


def _pairs(node: _Node) -> Iterator[tuple[_Node, _Node]]:
    """Yield keys and values, merges first, so that what is written here wins."""
    pairs: list[tuple[_Node, _Node]] = node.value
    yield from (pair for pair in pairs if pair[0].tag == TAG + "merge")
    yield from (pair for pair in pairs if pair[0].tag != TAG + "merge")


def _line(node: _Node) -> int:
    return int(node.start_mark.line) + 1
