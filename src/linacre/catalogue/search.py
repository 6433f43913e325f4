"""The search for IOCs and PVs.

PVs are looked for in the index of names where what stands before the first wildcard leaves few, in
the long texts of names by the longest part of the pattern elsewhere, and in the whole index only
where a pattern has no such part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import islice

from sqlalchemy import ColumnElement, Connection, and_, func, select

from linacre.catalogue.model import Duplicate, Found, IocEntry, Match
from linacre.catalogue.pattern import Pattern, upper_bound
from linacre.catalogue.tables import ioc, names, record

_FEW = 10_000
_ENTRY = [ioc.c[name] for name in IocEntry.__dataclass_fields__]
_Hit = tuple[str, int]
"""A PV's name, and the id of the IOC that serves it."""


def find(connection: Connection, text: str, *, facility: str, limit: int) -> Found:
    """Return the IOCs and PVs that match a pattern, IOCs first, each by name."""
    pattern = Pattern(text)
    _prefer_index(connection)
    present = {
        number: IocEntry(*values)
        for number, *values in connection.execute(
            select(ioc.c.id, *_ENTRY)
            .where(ioc.c.facility == facility, ioc.c.gone_at.is_(None))
            .order_by(ioc.c.name)
        )
    }
    matches = [
        _match(facility, entry)
        for entry in present.values()
        if pattern.matches(entry.name, entry.owner, entry.area, entry.device_type)
    ][: limit + 1]
    hits = _hits(connection, pattern, facility, limit=limit + 1 - len(matches))
    told = _told(connection, facility, hits)
    matches += [
        _match(facility, present[number], name, *told[name, number])
        for name, number in hits
        if number in present and (name, number) in told
    ]
    return Found(tuple(matches[:limit]), more=len(matches) > limit)


def duplicates(connection: Connection, *, facility: str) -> list[Duplicate]:
    """Return the PVs that more than one IOC serves, by name."""
    several = (
        select(record.c.name)
        .where(record.c.facility == facility)
        .group_by(record.c.name)
        .having(func.count() > 1)
        .subquery()
    )
    query = (
        select(record.c.name, ioc.c.name)
        .join(several, several.c.name == record.c.name)
        .join(ioc, ioc.c.id == record.c.ioc_id)
        .where(record.c.facility == facility)
        .order_by(record.c.name, ioc.c.name)
    )
    found: dict[str, list[str]] = {}
    for pv, name in connection.execute(query):
        found.setdefault(pv, []).append(name)
    return [Duplicate(pv, tuple(iocs)) for pv, iocs in found.items()]


def _match(
    facility: str, entry: IocEntry, pv: str = "", record_type: str = "", description: str = ""
) -> Match:
    return Match(
        facility=facility,
        ioc=entry.name,
        owner=entry.owner,
        area=entry.area,
        device_type=entry.device_type,
        address=entry.address,
        host=entry.host,
        description=description if pv else entry.description,
        pv=pv,
        record_type=record_type,
    )


def _told(
    connection: Connection, facility: str, hits: Sequence[_Hit]
) -> dict[_Hit, tuple[str, str]]:
    columns = (record.c.name, record.c.ioc_id, record.c.record_type, record.c.description)
    found: dict[_Hit, tuple[str, str]] = {}
    wanted = [name for name, _ in hits]
    # A database takes only so many parameters.
    for start in range(0, len(wanted), 1000):
        some = record.c.name.in_(wanted[start : start + 1000])
        rows = connection.execute(select(*columns).where(record.c.facility == facility, some))
        found.update({(name, number): (kind, said) for name, number, kind, said in rows})
    return found


def _hits(connection: Connection, pattern: Pattern, facility: str, *, limit: int) -> list[_Hit]:
    """Return the first PVs that match, by name."""
    mine = record.c.facility == facility
    if pattern.is_exact:
        return _from_index(connection, and_(mine, record.c.name == pattern.prefix), limit=limit)
    bounds = [mine]
    if pattern.prefix:
        bounds.append(record.c.name >= pattern.prefix)
        if (end := upper_bound(pattern.prefix)) is not None:
            bounds.append(record.c.name < end)
    within = and_(*bounds)
    part = max(pattern.literals("\n"), key=len)
    if len(part) > 2 and not (pattern.prefix and _are_few(connection, within)):
        return list(islice(_from_texts(connection, pattern, part, facility), limit))
    return _from_index(connection, and_(within, *_matching(connection, pattern)), limit=limit)


def _are_few(connection: Connection, within: ColumnElement[bool]) -> bool:
    rows = select(record.c.name).where(within).order_by(record.c.name).offset(_FEW).limit(1)
    return connection.execute(rows).first() is None


def _matching(connection: Connection, pattern: Pattern) -> list[ColumnElement[bool]]:
    if connection.dialect.name == "sqlite":
        return [record.c.name.op("GLOB", is_comparison=True)(pattern.glob())]
    said: list[ColumnElement[bool]] = [record.c.name.like(pattern.like())]
    if pattern.has_sets:
        said.append(record.c.name.op("~", is_comparison=True)(f"^{pattern.regex()}$"))
    return said


def _from_index(
    connection: Connection, condition: ColumnElement[bool], *, limit: int
) -> list[_Hit]:
    # Only columns of the index: of a row that does not match the table is not read.
    query = select(record.c.name, record.c.ioc_id).where(condition)
    found = connection.execute(query.order_by(record.c.name, record.c.ioc_id).limit(limit))
    return [(name, number) for name, number in found]


def _prefer_index(connection: Connection) -> None:
    # A PostgreSQL that has not looked at a table since it was filled would rather read all of it.
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL enable_sort = off")


def _from_texts(
    connection: Connection, pattern: Pattern, part: str, facility: str
) -> Iterator[_Hit]:
    query = select(names.c.ioc_id, names.c.names).where(names.c.facility == facility)
    if connection.dialect.name == "postgresql":
        # What comes over a network is to be little; SQLite's own search is slower than Python's.
        query = query.where(func.strpos(names.c.names, part) > 0)
    whole = re.compile(pattern.regex())
    texts = connection.execute(query)
    return merge(*(_in_text(said, part, whole, number) for number, said in texts))


def _in_text(said: str, part: str, whole: re.Pattern[str], number: int) -> Iterator[_Hit]:
    """Yield the names in a text (sorted, each between newlines) that hold a part and match."""
    found = said.find(part)
    while found >= 0:
        start = said.rfind("\n", 0, found + 1) + 1
        end = said.find("\n", max(found + 1, start))
        if whole.fullmatch(said, start, end):
            yield said[start:end], number
        # The newline that ends a name also begins the next one.
        found = said.find(part, end)
