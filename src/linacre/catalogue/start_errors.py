"""What the start scripts of IOCs printed of errors, one transaction a call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, select, update

from linacre.catalogue.holdings import hold, storable
from linacre.catalogue.model import ToldErrors
from linacre.catalogue.tables import ioc, state


@dataclass(frozen=True)
class _Due:
    """An IOC, and its newest state if it has one, of which something else was kept."""

    ioc_id: int
    number: int | None
    errors: int
    messages: str


def differing(
    connection: Connection, told: Mapping[str, ToldErrors], *, facility: str
) -> list[_Due]:
    """Return those of the IOCs that there are of which something else is kept."""
    newest = (
        select(state.c.ioc_id, func.max(state.c.number).label("number"))
        .where(state.c.facility == facility)
        .group_by(state.c.ioc_id)
        .subquery()
    )
    its = and_(state.c.ioc_id == ioc.c.id, state.c.number == newest.c.number)
    columns = [ioc.c.start_errors, ioc.c.start_messages]
    columns += [state.c.start_errors, state.c.start_messages]
    query = (
        select(ioc.c.name, ioc.c.id, newest.c.number, *columns)
        .join(newest, newest.c.ioc_id == ioc.c.id, isouter=True)
        .join(state, its, isouter=True)
        .where(ioc.c.facility == facility, ioc.c.gone_at.is_(None))
    )
    found: list[_Due] = []
    for row in connection.execute(query).all():
        name, ioc_id, number, *kept = tuple(row)
        if (now := told.get(name)) is None:
            continue
        words = (now.count, storable("\n".join(now.messages)))
        if kept != [*words, *(words if number is not None else (None, None))]:
            found.append(_Due(ioc_id, number, *words))
    return found


def replace(connection: Connection, told: Mapping[str, ToldErrors], *, facility: str) -> None:
    """Keep the errors of these IOCs, and of the states that they are in; of others nothing changes.

    One that the catalogue does not know is left.
    """
    hold(connection, facility)
    for each in differing(connection, told, facility=facility):
        values = {"start_errors": each.errors, "start_messages": each.messages}
        connection.execute(update(ioc).where(ioc.c.id == each.ioc_id).values(values))
        if each.number is not None:
            its = (state.c.ioc_id == each.ioc_id) & (state.c.number == each.number)
            connection.execute(update(state).where(its).values(values))
