"""The states that IOCs were in, one transaction a call."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any, cast

from sqlalchemy import Connection, RowMapping, and_, func, insert, select, union

from linacre.catalogue.errors import UnreadableError
from linacre.catalogue.holdings import hold, ioc_id, messages_of, new_ioc, storable
from linacre.catalogue.model import Action, FileEntry, NewState, State
from linacre.catalogue.tables import ioc, state, step, task


def add_state(connection: Connection, new: NewState, *, facility: str) -> State:
    """Add a state at the end of an IOC's history.

    The history of an IOC that the catalogue does not know yet, or no longer, is kept all the same.
    """
    hold(connection, facility)
    number = ioc_id(connection, new.ioc, facility=facility, gone=True)
    if number is None:
        values = {"name": storable(new.ioc), "gone_at": new.at}
        number = new_ioc(connection, values, facility=facility)
    last = select(func.max(state.c.number)).where(state.c.ioc_id == number)
    place = (connection.execute(last).scalar() or 0) + 1
    values: dict[str, Any] = {
        key: storable(value) if isinstance(value, str) else value
        for key, value in vars(new).items()
        if key in state.c
    }
    values |= {"ioc_id": number, "number": place, "facility": facility}
    connection.execute(insert(state).values(values | {"files": _dumped(new.files)}))
    return _selected(connection, number, facility=facility, place=place)[0]


def select_states(connection: Connection, name: str, *, facility: str) -> list[State]:
    """Return an IOC's history, oldest first; none where the catalogue has never known it."""
    number = ioc_id(connection, name, facility=facility, gone=True)
    return [] if number is None else _selected(connection, number, facility=facility)


def select_last_state(connection: Connection, name: str, *, facility: str) -> State | None:
    """Return the newest state of an IOC; None where there is none."""
    number = ioc_id(connection, name, facility=facility, gone=True)
    if number is None:
        return None
    last = select(func.max(state.c.number)).where(state.c.ioc_id == number)
    place = connection.execute(last).scalar()
    if place is None:
        return None
    return _selected(connection, number, facility=facility, place=place)[0]


def select_actions(
    connection: Connection, machines: Collection[str], *, facility: str
) -> list[Action]:
    """Return what tasks did with these machines, or with the IOC of one's name, oldest first."""
    named = step.c.target.in_([*machines])
    steps = select(step.c.task_id, step.c.title).where(named).order_by(step.c.number)
    titles: dict[int, list[str]] = {}
    for number, title in connection.execute(steps):
        titles.setdefault(number, []).append(title)
    about = and_(task.c.facility == facility, task.c.target.in_([*machines]))
    ids = union(select(step.c.task_id).where(named), select(task.c.id).where(about))
    chosen = and_(task.c.facility == facility, task.c.id.in_(ids.scalar_subquery()))
    query = select(task).where(chosen).order_by(task.c.id)
    return [
        Action(
            task_id=row["id"],
            verb=row["verb"],
            user=row["user"],
            host=row["host"],
            at=row["started_at"],
            steps=tuple(titles.get(row["id"], ())),
            outcome=row["state"],
            error=row["error"] or "",
        )
        for row in connection.execute(query).mappings()
    ]


def _selected(
    connection: Connection, number: int, *, facility: str, place: int | None = None
) -> list[State]:
    its_task = and_(task.c.id == state.c.task_id, task.c.facility == facility)
    query = (
        select(state, ioc.c.name.label("ioc"), task.c.state.label("outcome"), task.c.error)
        .join(ioc, ioc.c.id == state.c.ioc_id)
        .join(task, its_task, isouter=True)
        .where(state.c.ioc_id == number)
        .order_by(state.c.number)
    )
    if place is not None:
        query = query.where(state.c.number == place)
    return [_state(row) for row in connection.execute(query).mappings()]


def _state(row: RowMapping) -> State:
    values: dict[str, Any] = {key: row[key] for key in State.__dataclass_fields__}
    files = files_of(values.pop("files"))
    values |= {"outcome": values["outcome"] or "", "error": values["error"] or ""}
    values["start_messages"] = messages_of(values["start_messages"])
    return State(**values, files=files)


def _dumped(files: Mapping[str, FileEntry]) -> str:
    return json.dumps({path: asdict(entry) for path, entry in sorted(files.items())})


def files_of(said: str) -> dict[str, FileEntry]:
    """Return the files of a state from their JSON; `UnreadableError` where it is damaged."""
    try:
        entries = cast("dict[str, dict[str, Any]]", json.loads(said))
        return {path: FileEntry(**entry) for path, entry in entries.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise UnreadableError(f"no list of files: {error}") from error
