"""YAML 1.2 read by ruamel: slower than libyaml, and in the words of our users where it is wrong."""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from linacre.documents.quick_yaml import NotYamlError


def compose(text: str) -> Any:
    """Return the tree of nodes of a text, None for an empty one; raise `NotYamlError`."""
    try:
        return YAML(typ="safe", pure=True).compose(text)  # pyright: ignore
    except YAMLError as error:
        raise _told(error, text) from error
    except RecursionError:
        raise NotYamlError("nested too deeply to read", 1) from None


_ADVICE = (
    ("\\t", "a tab; indent with spaces"),
    ("mapping values are not allowed", "a ':' where none can be; check the indentation, and put "
     "a value that has ': ' in it in quotes"),
    ("could not find expected ':'", "a key without ':'; write key: value"),
    ("unexpected end of stream", "a quote that is opened here is never closed; close it"),
    ("expected <block end>", "the indentation does not fit the lines above; align it with them"),
    ("expected ',' or", "a bracket that is opened here is not closed; close it"),
    ("cannot start any token", "a value that begins with a special character; put it in quotes"),
    ("expected the node content", "a bracket or comma too many, or one missing before; mend it"),
    ("undefined alias", "an alias (*name) without its anchor (&name); write the value out"),
    ("unknown escape", "a backslash in double quotes; use single quotes"),
    ("another document", "a second document (after '---'); keep one"),
)  # fmt: skip


def _told(error: YAMLError, text: str) -> NotYamlError:
    """Return what a YAML error means to one who wrote the file, with its line."""
    seen: Any = error
    if isinstance(error, ReaderError):
        line = text.count("\n", 0, int(seen.position)) + 1
        return NotYamlError("a control character; remove it", line)
    if not isinstance(error, MarkedYAMLError):
        return NotYamlError("not valid YAML", 1)
    problem = str(seen.problem or "")
    mark = seen.problem_mark or seen.context_mark
    unclosed = "unexpected end" in problem or "expected ',' or" in problem
    if unclosed and seen.context_mark is not None:
        mark = seen.context_mark
    advice = next((words for part, words in _ADVICE if part in problem), problem)
    return NotYamlError(f"not valid YAML: {advice}", int(mark.line) + 1 if mark else 1)
