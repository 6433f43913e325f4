"""Patterns with `*`, `?` and `[]`, as a shell has them, in the dialects that are searched with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from linacre.base.errors import UserError

_TOKEN = re.compile(r"\*+|\?|\[([!^]?)(\]?[^\]]*)\]|.", re.DOTALL)
_RANGE = re.compile(r"(.)-(.)|(.)", re.DOTALL)


@dataclass(frozen=True)
class _Set:
    """`[a-z_]` or, negated, `[!a-z_]`."""

    negated: bool
    ranges: tuple[tuple[str, str], ...]


_Token = str | _Set
"""One character, a set of characters, or `**` for `*` and `??` for `?`."""
_STAR, _ANY = "**", "??"
_SPECIAL = "]^-"


@dataclass(frozen=True)
class Pattern:
    """A pattern: `*` is any text, `?` any character, `[a-z]` one of a set, `[!a-z]` one outside.

    Raises `UserError` where a range ends before it begins.
    """

    text: str

    def __post_init__(self) -> None:
        _ = self._tokens

    @property
    def is_exact(self) -> bool:
        """Whether it is a plain name."""
        return all(isinstance(token, str) and len(token) == 1 for token in self._tokens)

    @property
    def is_prefix(self) -> bool:
        """Whether all that begins with `prefix` matches."""
        return self.literals("")[1:] == [""] and self._tokens[-1] == _STAR

    @property
    def has_sets(self) -> bool:
        """Whether it has any `[]`."""
        return any(isinstance(token, _Set) for token in self._tokens)

    @property
    def prefix(self) -> str:
        """The text before the first wildcard."""
        return self.literals("")[0]

    def literals(self, edge: str) -> list[str]:
        """Return the texts between wildcards, with `edge` before the first and after the last."""
        found = [edge]
        for token in self._tokens:
            if isinstance(token, str) and len(token) == 1:
                found[-1] += token
            else:
                found.append("")
        found[-1] += edge
        return found

    def regex(self) -> str:
        """Return it as a regular expression for Python and PostgreSQL, without anchors."""
        return self._render(star=".*", any_one=".", character=_escaped, one_of=_regex_set)

    def glob(self) -> str:
        """Return it for SQLite's GLOB."""
        return self._render(
            star="*",
            any_one="?",
            character=lambda each: f"[{each}]" if each in "*?[" else each,
            one_of=_glob_set,
        )

    def like(self) -> str:
        """Return it for LIKE, which knows no sets: each is any character there."""
        return self._render(
            star="%",
            any_one="_",
            character=lambda each: f"\\{each}" if each in "%_\\" else each,
            one_of=lambda _: "_",
        )

    def matches(self, *texts: str) -> bool:
        """Say whether it matches any of these, upper and lower case alike."""
        return any(self._insensitive.fullmatch(text) for text in texts)

    @cached_property
    def _insensitive(self) -> re.Pattern[str]:
        return re.compile(self.regex(), re.IGNORECASE | re.DOTALL)

    @cached_property
    def _tokens(self) -> Sequence[_Token]:
        return list(_parse(self.text))

    def _render(
        self,
        *,
        star: str,
        any_one: str,
        character: Callable[[str], str],
        one_of: Callable[[_Set], str],
    ) -> str:
        def one(token: _Token) -> str:
            if isinstance(token, _Set):
                return one_of(token)
            return {_STAR: star, _ANY: any_one}.get(token) or character(token)

        return "".join(map(one, self._tokens))


def upper_bound(prefix: str) -> str | None:
    """Return the smallest text after all that begin with a prefix; None where there is none."""
    for end in range(len(prefix), 0, -1):
        code = ord(prefix[end - 1]) + 1
        if code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF:
            return prefix[: end - 1] + chr(code)
    return None


def _parse(text: str) -> Iterator[_Token]:
    for found in _TOKEN.finditer(text):
        said, inner = found[0], found[2]
        if said.startswith("*"):
            yield _STAR
        elif said == "?":
            yield _ANY
        elif inner:
            yield _set(said, negated=bool(found[1]), inner=inner)
        else:
            yield from said


def _set(said: str, *, negated: bool, inner: str) -> _Token:
    pairs = [(m[1] or m[3], m[2] or m[3]) for m in _RANGE.finditer(inner)]
    for low, high in pairs:
        if low > high:
            raise UserError(
                f"the pattern's {said} has a range that ends before it begins: write {high}-{low}"
            )
    if len(pairs) == 1 and pairs[0][0] == pairs[0][1] and not negated:
        return pairs[0][0]
    return _Set(negated, tuple(each for low, high in pairs for each in _parted(low, high)))


def _parted(low: str, high: str) -> Iterator[tuple[str, str]]:
    """Yield a range as ranges that neither begin nor end with what GLOB takes for its own."""
    while low < high and low in _SPECIAL:
        yield low, low
        low = chr(ord(low) + 1)
    while low < high and high in _SPECIAL:
        yield high, high
        high = chr(ord(high) - 1)
    yield low, high


def _escaped(each: str) -> str:
    return each if each.isalnum() or each == "_" else f"\\{each}"


def _regex_set(of: _Set) -> str:
    inner = "".join(
        _escaped(low) if low == high else f"{_escaped(low)}-{_escaped(high)}"
        for low, high in of.ranges
    )
    return f"[{'^' if of.negated else ''}{inner}]"


def _glob_set(of: _Set) -> str:
    # GLOB has no escape: what it would take for its own must stand where it does not.
    singles = [low for low, high in of.ranges if low == high]
    first = "".join(each for each in "]-" if each in singles)
    ranges = "".join(f"{low}-{high}" for low, high in of.ranges if low != high)
    others = "".join(sorted({*singles} - {*"]-"}, key=lambda each: each == "^"))
    return f"[{'^' if of.negated else ''}{first}{ranges}{others}]"
