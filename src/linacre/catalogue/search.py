"""The search for IOCs and PVs.

PVs are looked for in the index of names where what stands before the first wildcard leaves few, in
the long texts of names by the longest part of the pattern elsewhere, and in the whole index only
where a pattern has no such part.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from heapq import merge
from itertools import islice

from sqlalchemy import ColumnElement, Connection, and_, func, select, text

from linacre.catalogue.holdings import messages_of
from linacre.catalogue.model import Duplicate, Found, IocEntry, Match
from linacre.catalogue.pattern import Pattern, upper_bound
from linacre.catalogue.tables import ioc, names, record

_FEW = 10_000
_SAMPLE = 16
_ENTRY = [ioc.c[name] for name in IocEntry.__dataclass_fields__]
_Hit = tuple[str, int]
"""A PV's name, and the id of the IOC that serves it."""

# One parameter however many PVs, and each PV by the key of the table: a thousand parameters take
# longer than the search. CROSS JOIN is how SQLite is told which table to begin with.
_TOLD_SQLITE = text(
    "SELECT record.name, record.ioc_id, record.record_type, record.description"
    " FROM json_each(:hits) AS hit CROSS JOIN record"
    " ON record.ioc_id = json_extract(hit.value, '$[1]')"
    " AND record.name = json_extract(hit.value, '$[0]')"
)
_TOLD_POSTGRESQL = text(
    "SELECT record.name, record.ioc_id, record.record_type, record.description"
    " FROM unnest(CAST(:names AS text[]), CAST(:ids AS integer[])) AS hit (name, ioc_id)"
    " JOIN record ON record.ioc_id = hit.ioc_id AND record.name = hit.name"
)


def find(connection: Connection, said: str, *, facility: str, limit: int) -> Found:
    """Return the IOCs and PVs that match a pattern, IOCs first, each by name."""
    pattern = Pattern(said)
    _prefer_index(connection)
    present: dict[int, IocEntry] = {}
    matches: list[Match] = []
    columns = (ioc.c.id, ioc.c.start_errors, ioc.c.start_messages, *_ENTRY)
    query = select(*columns).where(ioc.c.facility == facility, ioc.c.gone_at.is_(None))
    for row in connection.execute(query.order_by(ioc.c.name)).all():
        number, errors, said, *values = tuple(row)
        present[number] = entry = IocEntry(*values)
        messages = messages_of(said)
        if pattern.matches(entry.name, entry.owner, entry.area, entry.device_type, *messages):
            found = _match(facility, entry)
            matches.append(replace(found, start_errors=errors, start_messages=messages))
    matches = matches[: limit + 1]
    hits = _hits(connection, pattern, facility, limit=limit + 1 - len(matches))
    told = _told(connection, hits)
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


def _told(connection: Connection, hits: Sequence[_Hit]) -> dict[_Hit, tuple[str, str]]:
    """Return type and description of each PV."""
    if connection.dialect.name == "sqlite":
        found = connection.execute(_TOLD_SQLITE, {"hits": json.dumps(hits)})
    else:
        listed = {"names": [name for name, _ in hits], "ids": [number for _, number in hits]}
        found = connection.execute(_TOLD_POSTGRESQL, listed)
    return {(name, number): (kind, said) for name, number, kind, said in found.all()}


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
    if pattern.is_prefix:
        return _from_index(connection, within, limit=limit)
    parts = [part for part in pattern.literals("\n") if len(part) > 2]
    if parts and not (pattern.prefix and _are_few(connection, within)):
        return list(islice(_from_texts(connection, pattern, parts, facility), limit))
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
    return [(name, number) for name, number in found.all()]


def _prefer_index(connection: Connection) -> None:
    # A PostgreSQL that has not looked at a table since it was filled would rather read all of it.
    if connection.dialect.name == "postgresql":
        ways = ("sort", "hashjoin", "mergejoin", "seqscan")
        off = (func.set_config(f"enable_{way}", "off", True) for way in ways)
        connection.execute(select(*off))


def _from_texts(
    connection: Connection, pattern: Pattern, parts: Sequence[str], facility: str
) -> Iterator[_Hit]:
    """Yield the PVs that match, by name; `parts` are texts that each of them holds."""
    query = select(names.c.ioc_id, names.c.names).where(names.c.facility == facility)
    if connection.dialect.name == "postgresql":
        # What comes over a network is to be little; SQLite's own search is slower than Python's.
        query = query.where(*(func.strpos(names.c.names, part) > 0 for part in parts))
    texts = [
        (number, said)
        for number, said in connection.execute(query).all()
        if all(part in said for part in parts)
    ]
    if not texts:
        return iter(())
    sample = [said for _, said in texts[:: len(texts) // _SAMPLE + 1]]
    rarest = min(parts, key=lambda part: sum(said.count(part) for said in sample))
    whole = re.compile(pattern.regex())
    return merge(*(_in_text(said, rarest, whole, number) for number, said in texts))


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
