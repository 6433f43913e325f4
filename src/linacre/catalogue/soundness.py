"""What the columns of a catalogue can hold: a bit that flips on a disk makes something else.

SQLite's own checks see to a file's structure; text that is no text and words that no column has
are for whoever reads them to find.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Double, Integer, RowMapping, Select
from sqlalchemy.exc import DBAPIError

from linacre.base.tasks import StepState, TaskState
from linacre.catalogue.errors import UnreadableError, is_damage
from linacre.catalogue.history import files_of
from linacre.catalogue.tables import state, step, task

LATEST_S = 253_402_300_799.0
"""The end of the year 9999; no later time can be shown."""

_WORDS: Mapping[Column[Any], frozenset[str]] = {
    task.c.state: frozenset(TaskState),
    step.c.state: frozenset(StepState),
}


@dataclass(frozen=True)
class Rows:
    """What was read of the rows that were asked for."""

    sound: list[RowMapping]
    unreadable: int
    """How many others there are."""


def is_sound(column: Column[Any], value: object) -> bool:
    """Tell whether a column can hold a value."""
    if value is None:
        return bool(column.nullable)
    if isinstance(column.type, Double):
        return isinstance(value, int | float) and 0 <= value <= LATEST_S
    if isinstance(column.type, Integer):
        return isinstance(value, int)
    if not isinstance(value, str):
        return False
    if column is state.c.files:
        return _holds_files(value)
    return column not in _WORDS or value in _WORDS[column]


def read_rows(
    connection: Connection,
    query: Select[Any],
    *,
    key: Column[int],
    columns: Iterable[Column[Any]],
) -> Rows:
    """Run a query whose rows are told apart by `key`; rows that cannot be read are only counted.

    `columns` are those of the query that are looked at.
    """
    try:
        found = list(connection.execute(query).mappings())
        missing = 0
    except DBAPIError as error:
        if not is_damage(error):
            raise
        found, missing = _one_by_one(connection, query, key)
    checked = list(columns)
    sound = [row for row in found if all(is_sound(each, row[each.name]) for each in checked)]
    return Rows(sound, missing + len(found) - len(sound))


def _one_by_one(
    connection: Connection, query: Select[Any], key: Column[int]
) -> tuple[list[RowMapping], int]:
    found: list[RowMapping] = []
    missing = 0
    for number in connection.execute(query.with_only_columns(key)).scalars().all():
        try:
            found += connection.execute(query.where(key == number)).mappings()
        except DBAPIError as error:
            if not is_damage(error):
                raise
            missing += 1
    return found, missing


def _holds_files(text: str) -> bool:
    try:
        files_of(text)
    except UnreadableError:
        return False
    return True
