"""Names of records in databases and substitution files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from linacre.operations.importing.macros import definitions, expand, undefined

_TOKEN = re.compile(
    r'\s+|#[^\n]*|(?P<quoted>"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')'
    r"|(?P<mark>[{}(),=])|(?P<bare>(?:\$\([^)]*\)|\$\{[^}]*\}|[^\s\"'{}(),=#])+)|.",
    re.DOTALL,
)
_DEEPEST = 20
_FIELDS = frozenset({"DTYP", "SNAM", "INAM"})
"""Those that tell what a record needs beyond its type."""


@dataclass
class Loaded:
    """What a database brings."""

    records: dict[str, str] = field(default_factory=dict[str, str])
    """Types of records by their names, macros expanded."""
    undefined: list[str] = field(default_factory=list[str])
    """Macros that nothing defines."""
    missing: list[str] = field(default_factory=list[str])
    """Included files that are not there."""
    supports: dict[str, str] = field(default_factory=dict[str, str])
    """Device support that records name (DTYP), with the first record of each."""
    functions: dict[str, str] = field(default_factory=dict[str, str])
    """Functions of a program that records call, with the first record of each."""

    def add(self, other: Loaded) -> None:
        """Take over what another one has."""
        self.records |= other.records
        self.undefined += [each for each in other.undefined if each not in self.undefined]
        self.missing += [each for each in other.missing if each not in self.missing]
        self.supports = other.supports | self.supports
        self.functions = other.functions | self.functions


Finder = Callable[[str], str | None]
"""Returns the text of a file that a database or a substitution file names, or None."""


def read_database(
    text: str, macros: Mapping[str, str], find: Finder, *, within: tuple[str, ...] = ()
) -> Loaded:
    """Return the records of a database with these macros, those of included files too.

    `within` are the files that this one is included by.
    """
    found, record = Loaded(), ""
    tokens = _tokens(text)
    for number, (kind, word) in enumerate(tokens):
        if kind != "bare":
            continue
        if word in ("record", "grecord"):
            arguments = _arguments(tokens, number + 1)
            if len(arguments) == 2:
                record = expand(arguments[1], macros)
                _record(found, arguments[0], record)
        elif word == "field":
            arguments = _arguments(tokens, number + 1)
            if len(arguments) == 2 and arguments[0] in _FIELDS:
                _field(found, record, arguments[0], expand(arguments[1], macros))
        elif word == "alias":
            # Inside a record an alias has one name, outside two.
            arguments = _arguments(tokens, number + 1)
            if arguments:
                _record(found, "alias", expand(arguments[-1], macros))
        elif word == "include" and tokens[number + 1 : number + 2]:
            name = expand(tokens[number + 1][1], macros)
            inner = find(name) if name not in within and len(within) < _DEEPEST else None
            if inner is None:
                found.missing.append(name)
            else:
                found.add(read_database(inner, macros, find, within=(*within, name)))
    return found


def _record(found: Loaded, kind: str, name: str) -> None:
    found.undefined += [each for each in undefined(name) if each not in found.undefined]
    found.records.setdefault(name, kind)


def _field(found: Loaded, record: str, name: str, value: str) -> None:
    if value:
        needs = found.supports if name == "DTYP" else found.functions
        needs.setdefault(value, record)


@lru_cache(maxsize=64)
def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for match in _TOKEN.finditer(text):
        if match["quoted"] is not None:
            found.append(("quoted", re.sub(r'\\(["\'])', r"\1", match["quoted"][1:-1])))
        elif match["mark"] is not None:
            found.append(("mark", match["mark"]))
        elif match["bare"] is not None:
            found.append(("bare", match["bare"]))
    return found


def _arguments(tokens: list[tuple[str, str]], at: int) -> list[str]:
    """Return what stands in the parentheses that open at a place."""
    if tokens[at : at + 1] != [("mark", "(")]:
        return []
    found: list[str] = []
    for kind, word in tokens[at + 1 : at + 8]:
        if (kind, word) == ("mark", ")"):
            return found
        if kind != "mark":
            found.append(word)
    return []


@dataclass(frozen=True)
class Use:
    """One use of a template by a substitution file."""

    file: str
    macros: Mapping[str, str]


def read_substitutions(
    text: str, macros: Mapping[str, str], environment: Mapping[str, str]
) -> Iterator[Use]:
    """Yield the uses of templates that a substitution file makes, its names expanded.

    `global {...}`, `file NAME { {A=1} ... }` and `pattern {A, B} {1, 2}` are known, as in
    dbLoadTemplate. What the environment defines holds in names of files alone.
    """
    tokens, at = _tokens(text), 0
    around = dict(macros)
    while at < len(tokens):
        kind, word = tokens[at]
        if kind == "bare" and word == "global":
            inside, at = _braces(tokens, at + 1)
            around |= _assignments(inside, around)
        elif kind == "bare" and word == "file" and at + 1 < len(tokens):
            file = expand(tokens[at + 1][1], environment)
            inside, at = _braces(tokens, at + 2)
            for each in _rows(inside, around):
                yield Use(file, each)
        else:
            at += 1


def _braces(tokens: list[tuple[str, str]], at: int) -> tuple[list[tuple[str, str]], int]:
    """Return what stands in the braces that open at a place, and the place behind them."""
    if tokens[at : at + 1] != [("mark", "{")]:
        return [], at
    depth = 0
    for end in range(at, len(tokens)):
        depth += {("mark", "{"): 1, ("mark", "}"): -1}.get(tokens[end], 0)
        if depth == 0:
            return tokens[at + 1 : end], end + 1
    return tokens[at + 1 :], len(tokens)


def _rows(tokens: list[tuple[str, str]], around: Mapping[str, str]) -> Iterator[dict[str, str]]:
    names: list[str] | None = None
    common, at, any_row = dict(around), 0, False
    while at < len(tokens):
        if tokens[at] == ("bare", "pattern"):
            inside, at = _braces(tokens, at + 1)
            names = [word for kind, word in inside if kind != "mark"]
        elif tokens[at] == ("bare", "global"):
            inside, at = _braces(tokens, at + 1)
            common |= _assignments(inside, common)
        elif tokens[at] == ("mark", "{"):
            inside, at = _braces(tokens, at)
            any_row = True
            if names is None:
                yield common | _assignments(inside, common)
            else:
                values = [expand(word, common) for kind, word in inside if kind != "mark"]
                yield common | dict(zip(names, values, strict=False))
        else:
            at += 1
    if not any_row and not tokens:
        yield common


def _assignments(tokens: list[tuple[str, str]], around: Mapping[str, str]) -> dict[str, str]:
    text = ""
    for kind, word in tokens:
        escaped = word.replace("\\", "\\\\").replace('"', '\\"')
        text += f'"{escaped}"' if kind == "quoted" else word
        if kind != "mark" and "=" in text.rpartition(",")[2] and not text.endswith("="):
            text += ","
    return definitions(text, around)
