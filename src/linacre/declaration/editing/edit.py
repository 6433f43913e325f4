"""Changing IOCs or archivers of a facility file as a text: every byte that is not meant stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from linacre.base.errors import UserError
from linacre.declaration.editing.edited_data import (
    IOCS,
    Data,
    items_of,
    renamed,
    with_entries,
    with_entry,
    with_value,
    without_entry,
)
from linacre.declaration.editing.edited_lists import flow_list, with_items, without_items
from linacre.declaration.editing.entries import key_of, line_starts, named
from linacre.declaration.yaml_nodes import Kind, Piece, pieces
from linacre.declaration.yaml_text import (
    column_of,
    like,
    line_end,
    line_start,
    lines_of,
    moved,
    spliced,
)
from linacre.documents.document import Document, parse

_STEP = 2
_IN_BRACES = (
    "{} is written in braces; write it as a block, each {} below {}: on lines of its own, and "
    "then try again"
)


@dataclass(frozen=True)
class FacilityText:
    """The text of a facility file without faults; each change returns another one.

    An entry is the text of one IOC, or archiver: its `NAME:` from column 0, its settings below,
    the comments between and behind them, and line feeds. What stands above it belongs to no
    entry, so a comment there stays when the entry goes. Raises `UserError` where the text is
    written in a way that cannot be changed without touching more.
    """

    text: str
    file: Path = Path("facility.yaml")
    """Named in errors."""
    section: str = IOCS
    """What the changes are of: `iocs`, or `archivers`."""

    def of(self, section: str) -> FacilityText:
        """Return the text in order to change another section of it."""
        return replace(self, section=section)

    def entry_of(self, name: str) -> str:
        """Return an entry."""
        start, end = self._span(self._item(name))
        found = self.text[start:end].replace("\r\n", "\n")
        whole = found if found.endswith("\n") else found + "\n"
        return moved(whole, -column_of(whole))

    def values_of(self, name: str) -> Any:
        """Return what an entry says, however it is written."""
        return self._document.data[self.section][name]

    def add(self, name: str, entry: str) -> FacilityText:
        """Add an entry behind the last one, under a name that may differ from its own."""
        if name in self._names():
            raise self._error(self._item(name)[0], f"there is an {self._what} {name} already")
        entry = named(entry, name)
        found = self._section()
        if found is None:
            changed = self._with_section(entry)
        elif not found[1].items:
            changed = self._into_empty(*found, entry)
        else:
            changed = self._behind_last(found[1], entry)
        return self._checked(
            changed, lambda data, after: with_entry(data, after, self.section, name)
        )

    def remove(self, name: str) -> FacilityText:
        """Remove an entry, and one empty line above it."""
        item = self._item(name)
        self._refuse_anchors(name, item)
        start, end = self._span(item)
        above = line_start(self.text, max(0, start - 1))
        first = self._items()[0][0] is item[0]
        if start > 0 and not self.text[above:start].strip():
            start = above
        elif first and len(self._items()) > 1 and not self._line(end).strip():
            end = line_end(self.text, end)
        changed = self.text[:start] + self.text[end:]
        if end == len(self.text) and not self.text.endswith("\n"):
            changed = changed.removesuffix("\n").removesuffix("\r")
        return self._checked(changed, lambda data, _: without_entry(data, self.section, name))

    def rename_ioc(self, old: str, new: str) -> FacilityText:
        """Give an IOC another name, also wherever something starts after it."""
        key, _ = self._item(old)
        if new in self._names():
            raise self._error(self._item(new)[0], f"there is an IOC {new} already")
        if key.anchor is not None:
            raise self._error(key, f"the name {old} has an anchor; write it without")
        named = [key, *(each for each in self._after() if each.value == old)]
        changes = [(each.start, each.end, like(new, each.style)) for each in named]
        return self._checked(spliced(self.text, changes), lambda data, _: renamed(data, old, new))

    def replace_ioc(self, name: str, entry: str) -> FacilityText:
        """Put another entry in the place of an IOC's; the name stays."""
        key, value = self._item(name)
        entry = named(entry, name)
        start, end = self._span((key, value))
        new = self._ends(moved(entry, key.start - start))
        if not self.text[start:end].endswith("\n"):
            new = new.rstrip("\r\n")
        changed = self.text[:start] + new + self.text[end:]
        return self._checked(
            changed, lambda data, after: with_entry(data, after, self.section, name)
        )

    def _with_new(self, changed: str, name: str) -> FacilityText:
        return self._checked(
            changed, lambda data, after: with_entry(data, after, self.section, name)
        )

    def value_of(self, name: str, *keys: str) -> str | None:
        """Return a text of an IOC's own entry at a path of keys; None where there is none."""
        found = self._at(name, keys)
        return found.value if found is not None and found.kind is Kind.SCALAR else None

    def set_value(self, name: str, keys: Sequence[str], value: str) -> FacilityText:
        """Set a text of an IOC's entry; one on its top level that is not there yet is added."""
        found = self._at(name, keys)
        if found is not None:
            if found.items or found.anchor is not None:
                raise self._error(found, f"{'.'.join(keys)} of {name} is no plain value")
            new = like(value, found.style) if found.end > found.start else f" {like(value, None)}"
            changed = spliced(self.text, [(found.start, found.end, new)])
        else:
            (key,) = keys
            changed = self._with_key(name, key, like(value, None))
        return self._checked(
            changed, lambda data, after: with_value(data, after, (self.section, name, *keys), value)
        )

    def add_items(self, name: str, key: str, values: Sequence[str]) -> FacilityText:
        """Put texts behind the last one of a list in an entry, which gets one where it has none."""
        found = self._at(name, [key])
        if found is None:
            changed = self._with_key(name, key, flow_list(values))
        else:
            changed = with_items(self.text, found, values)
        return self._with_list(changed, name, key, change=lambda there: [*there, *values])

    def remove_items(self, name: str, key: str, values: Sequence[str]) -> FacilityText:
        """Take texts out of a list in an entry, which must keep one."""
        found = self._at(name, [key])
        changed = None if found is None else without_items(self.text, found, values)
        return self._with_list(
            changed, name, key, change=lambda there: [v for v in there if v not in values]
        )

    def _with_list(
        self,
        changed: str | None,
        name: str,
        key: str,
        *,
        change: Callable[[list[object]], list[object]],
    ) -> FacilityText:
        if changed is None:
            where = self._at(name, [key]) or self._item(name)[0]
            raise self._error(where, f"{key} of {name} is not written so that it can be changed")
        return self._checked(
            changed,
            lambda data, _: with_entries(data, self.section, name, key, change),
        )

    def indent_step(self) -> int:
        """Return by how many columns what is inside something is indented."""
        for key, value in self._items() or self._root().items:
            if key is not None and value.kind is Kind.MAPPING and not value.flow and value.items:
                return max(1, self._column(key_of(value.items[0])) - self._column(key))
        return _STEP

    # -- where things stand

    @cached_property
    def _pieces(self) -> Piece | None:
        return pieces(self.text)

    @cached_property
    def _document(self) -> Document:
        return parse(self.text)

    def _root(self) -> Piece:
        root = self._pieces
        if root is None or root.kind is not Kind.MAPPING:
            raise UserError(f"{self.file}:1: this is no facility file")
        if root.flow:
            raise self._error(root, _IN_BRACES.format("the file", self._what, self.section))
        return root

    @property
    def _what(self) -> str:
        return "IOC" if self.section == IOCS else self.section.removesuffix("s")

    def _section(self) -> tuple[Piece, Piece] | None:
        found = self._root().get(self.section)
        if found is None:
            return None
        _, value = found
        if value.kind is Kind.ALIAS or (value.flow and value.items):
            raise self._error(found[0], _IN_BRACES.format(self.section, self._what, self.section))
        return found

    def _items(self) -> list[tuple[Piece, Piece]]:
        found = self._section()
        items = [] if found is None else found[1].items
        # `<<: *more` among them brings some, and is none.
        return [(key, value) for key, value in items if key is not None]

    @cached_property
    def _by_name(self) -> dict[str, tuple[Piece, Piece]]:
        found: dict[str, tuple[Piece, Piece]] = {}
        for key, value in self._items():
            if key.kind is Kind.SCALAR:
                found.setdefault(key.value, (key, value))
        return found

    def _names(self) -> list[str]:
        return [key.value for key, _ in self._items()]

    def _item(self, name: str) -> tuple[Piece, Piece]:
        if (found := self._by_name.get(name)) is not None:
            self._column(found[0])
            return found
        raise UserError(f"{self.file}: there is no {self._what} {name} in it")

    def _at(self, name: str, keys: Sequence[str]) -> Piece | None:
        piece: Piece = self._item(name)[1]
        for key in keys:
            found = piece.get(key) if piece.kind is Kind.MAPPING else None
            if found is None:
                return None
            piece = found[1]
        return piece

    def _after(self) -> list[Piece]:
        """Return the names in all lists of what something starts after."""
        found: list[Piece] = []
        for _, section in self._root().items:
            for _, entry in section.items if section.kind is Kind.MAPPING else ():
                after = entry.get("after") if entry.kind is Kind.MAPPING else None
                found += [each for _, each in after[1].items] if after else []
        return [each for each in found if each.kind is Kind.SCALAR and each.anchor is None]

    def _column(self, key: Piece) -> int:
        start = line_start(self.text, key.start)
        if self.text[start : key.start].strip(" "):
            raise self._error(key, f"{key.value} does not stand first on its line; give it one")
        return key.start - start

    def _span(self, item: tuple[Piece, Piece]) -> tuple[int, int]:
        """Return where an entry's lines begin and end, comments that are indented like it too."""
        key, value = item
        end = line_end(self.text, max(key.end, value.end) - 1)
        return line_start(self.text, key.start), self._comments_end(end, self._column(key))

    def _comments_end(self, start: int, column: int) -> int:
        """Return where comments end that follow and stand to the right of a column."""
        at = end = start
        while at < len(self.text):
            line = self._line(at)
            at = line_end(self.text, at)
            if line.strip().startswith("#") and column_of(line) > column:
                end = at
            elif line.strip():
                break
        return end

    def _line(self, at: int) -> str:
        return self.text[at : line_end(self.text, at)]

    # -- putting things in

    def _behind_last(self, iocs: Piece, entry: str) -> str:
        items = self._items()
        column = self._column(items[0][0])
        at = self._comments_end(line_end(self.text, iocs.end - 1), column)
        parted = len(items) > 1 and any(
            not line.strip()
            for line in lines_of(
                self.text[self._span(items[-2])[1] : line_start(self.text, items[-1][0].start)]
            )
        )
        return self._inserted(at, ("\n" if parted else "") + moved(entry, column))

    def _into_empty(self, key: Piece, value: Piece, entry: str) -> str:
        start = len(self.text[: value.start].rstrip(" ")) if value.end > value.start else value.end
        bare = replace(self, text=self.text[:start] + self.text[value.end :])
        column = bare._column(key)
        at = bare._comments_end(line_end(bare.text, key.end), column)
        return bare._inserted(at, moved(entry, column + bare.indent_step()))

    def _with_section(self, entry: str) -> str:
        root = self._root()
        column = self._column(key_of(root.items[0]))
        at = len(self.text)
        for start in line_starts(self.text, root.end):
            if self._line(start).rstrip() == "...":
                at = start
        section = f"{self.section}:\n" + moved(entry, self.indent_step())
        return self._inserted(at, moved(section, column))

    def _inserted(self, at: int, new: str) -> str:
        before, behind = self.text[:at], self.text[at:]
        new = self._ends(new)
        if before and not before.endswith("\n"):
            # A file without an end of its last line stays one.
            new = self._ends("\n") + new.rstrip("\r\n")
        return before + new + behind

    def _with_key(self, name: str, key: str, value: str) -> str:
        own, entry = self._item(name)
        line = f"{key}: {value}"
        if entry.kind is not Kind.MAPPING or not entry.items:
            raise self._error(own, f"{name} has no settings that {key} could be added to")
        if entry.flow:
            at = key_of(entry.items[0]).start
            return spliced(self.text, [(at, at, f"{line}, ")])
        first = entry.get("kind") or (key_of(entry.items[0]), entry.items[0][1])
        column = self._column(key_of(entry.items[0]))
        at = line_end(self.text, max(first[0].end, first[1].end) - 1)
        return self._inserted(at, " " * column + line + "\n")

    def _ends(self, new: str) -> str:
        crlf = self.text[: line_end(self.text, 0)].endswith("\r\n")
        return new.replace("\n", "\r\n") if crlf else new

    # -- what must hold

    def _refuse_anchors(self, name: str, item: tuple[Piece, Piece]) -> None:
        own = {id(each): each for half in item for each in half.walk()}
        anchors = {each.anchor for each in own.values()} - {None}
        for each in self._root().walk():
            outside = not item[0].start <= each.start <= item[1].end
            if each.kind is Kind.ALIAS and each.value in anchors and outside:
                line = self.text.count("\n", 0, each.start) + 1
                raise self._error(
                    item[0],
                    f"{name} holds the anchor &{each.value}, which line {line} uses; write the "
                    "value out there first",
                )

    def _checked(self, changed: str, expected: Callable[[Data, Data], Data]) -> FacilityText:
        """Return the changed text if it says what is expected and nothing else has moved."""
        new = replace(self, text=changed)
        before, after = self._document, new._document
        # A fault that was there before is the loader's to report.
        if not before.problems and after.problems:
            problem = after.problems[0]
            line = problem.line or after.lines.at(problem.path)
            raise UserError(
                f"{self.file}:{line}: this change would break the file: {problem.message}"
            )
        wanted = expected(cast("Data", before.data), cast("Data", after.data))
        # A list: the order of the entries is to stay too.
        orders = [[*items_of(each, self.section)] for each in (wanted, cast("Data", after.data))]
        if wanted != after.data or orders[0] != orders[1]:
            raise UserError(
                f"{self.file}: this cannot be changed without touching more than it should; "
                "edit the file by hand"
            )
        return new

    def _error(self, piece: Piece, message: str) -> UserError:
        line = self.text.count("\n", 0, piece.start) + 1
        return UserError(f"{self.file}:{line}: {message}")
