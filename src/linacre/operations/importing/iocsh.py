"""Lines of a start script as the IOC shell reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from linacre.operations.importing.macros import expand, undefined

_SPACES = " \t(),\r"
_PIECE = re.compile(
    r"""(?P<literal>'(?:\\.|[^'\\])*')|(?:\\.|"(?:\\.|[^"\\])*"|[^'"\\])+|.""", re.DOTALL
)
"""In single quotes macros are not expanded."""
_WINDOWS_PATH = re.compile(
    r"\b[A-Za-z]:[\\/]|\.\.\\|[\w)}]\\+[\w-]+\.(db|vdb|dbd|cmd|template|substitutions|req|acf)\b"
)


@dataclass(frozen=True)
class Command:
    """One line of a start script, its macros expanded."""

    words: tuple[str, ...]
    """The command and its arguments; without words, the line does nothing."""
    line: int
    file: str
    reads: str | None = None
    """The script that `< file` runs."""
    writes: str | None = None
    """The file that `> file` writes."""
    broken: bool = False
    """A quote is not closed."""
    lacks: tuple[str, ...] = ()
    """Macros that nothing defines: the IOC shell leaves such a line out."""
    has_windows_path: bool = False

    @property
    def name(self) -> str:
        """The command."""
        return self.words[0] if self.words else ""

    def argument(self, number: int) -> str:
        """Return an argument, counted from 1; "" where it is not given."""
        return self.words[number] if number < len(self.words) else ""

    @property
    def where(self) -> str:
        """The place of the line, as FILE:LINE."""
        return f"{self.file}:{self.line}"


def parse_line(text: str, macros: Mapping[str, str], *, file: str, line: int) -> Command | None:
    """Return the command of a line; None for an empty line or a comment.

    Comments are told before macros are expanded, as the IOC shell does; words are separated by
    blanks, commas and parentheses outside quotes.
    """
    text = text.strip()
    if not text or text.startswith("#"):
        return None
    expanded, lacks = _expanded(text, macros)
    if not expanded or (expanded.startswith("#") and not lacks):
        return None
    words, reads, writes, broken = _words(expanded)
    windows = bool(_WINDOWS_PATH.search(text))
    return Command(tuple(words), line, file, reads, writes, broken, lacks, windows)


def _expanded(text: str, macros: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Return a line with its macros expanded, and those that nothing defines."""
    found, lacks = "", dict[str, None]()
    for piece in _PIECE.finditer(text):
        if piece["literal"] is not None:
            found += piece[0]
        else:
            expanded = expand(piece[0], macros)
            lacks |= dict.fromkeys(undefined(expanded))
            found += expanded
    return found.strip(), tuple(lacks)


def _words(text: str) -> tuple[list[str], str | None, str | None, bool]:
    words: list[str] = []
    redirected: dict[str, str] = {}
    at, pending = 0, ""
    while at < len(text):
        if text[at] in _SPACES:
            at += 1
            continue
        operator = re.match(r"\d?(<|>>|>)", text[at:])
        if operator:
            pending = operator[1][0]
            at += operator.end()
            continue
        word, at, closed = _word(text, at)
        if not closed:
            return [*words, word], redirected.get("<"), redirected.get(">"), True
        if pending:
            redirected[pending] = word
            pending = ""
        else:
            words.append(word)
    return words, redirected.get("<"), redirected.get(">"), False


def _word(text: str, at: int) -> tuple[str, int, bool]:
    """Return the word that begins at a place, the place behind it, and whether quotes close."""
    word, quote = "", ""
    while at < len(text):
        char = text[at]
        if char == "\\" and not quote and at + 1 < len(text):
            # Inside quotes it is a character like any other, before a quote too.
            word += text[at + 1]
            at += 2
            continue
        if quote:
            if char == quote:
                quote = ""
            else:
                word += char
        elif char in "\"'":
            quote = char
        elif char in _SPACES or char in "<>":
            break
        else:
            word += char
        at += 1
    return word, at, not quote
