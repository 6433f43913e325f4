"""What is kept of a facility's machines, IOCs and records, one transaction a call."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, insert, literal, select, text, update

from linacre.base.errors import LinacreError, UserError
from linacre.catalogue.model import IocEntry, MachineEntry, RecordEntry
from linacre.catalogue.tables import ioc, machine, names, record

_MACHINE = [machine.c[name] for name in MachineEntry.__dataclass_fields__]
_IOC = [ioc.c[name] for name in IocEntry.__dataclass_fields__]
# A list a column instead of a statement a row: several times as quick.
_INSERT_POSTGRESQL = text(
    "INSERT INTO record (ioc_id, facility, name, record_type, description)"
    " SELECT :ioc_id, :facility, new.* FROM unnest(CAST(:names AS text[]),"
    " CAST(:types AS text[]), CAST(:descriptions AS text[])) AS new"
)


def hold(connection: Connection, facility: str) -> None:
    """Let no other process change what is kept of a facility until this transaction ends.

    SQLite has one writer at a time in any case.
    """
    if connection.dialect.name == "postgresql":
        key = func.hashtextextended(literal(f"linacre facility {facility}"), 0)
        connection.execute(select(func.pg_advisory_xact_lock(key)))


def storable(said: str) -> str:
    """Return a text as every database takes it: without NUL and without halves of characters."""
    return said.replace("\0", "").encode(errors="replace").decode()


def messages_of(kept: str) -> tuple[str, ...]:
    """Return the errors of a start script from the text in which they are kept, a line each."""
    return tuple(filter(None, kept.split("\n")))


def replace_machines(
    connection: Connection, machines: Iterable[MachineEntry], *, facility: str
) -> None:
    """Replace a facility's machines."""
    hold(connection, facility)
    connection.execute(delete(machine).where(machine.c.facility == facility))
    rows = [{"facility": facility, **_values(each)} for each in machines]
    if rows:
        connection.execute(insert(machine), rows)


def select_machines(connection: Connection, *, facility: str) -> list[MachineEntry]:
    """Return a facility's machines by name."""
    query = select(*_MACHINE).where(machine.c.facility == facility).order_by(machine.c.name)
    return [MachineEntry(*values) for values in connection.execute(query)]


def replace_iocs(
    connection: Connection, iocs: Iterable[IocEntry], *, facility: str, at: float
) -> None:
    """Make these the IOCs there are; those of the others that were there are gone from `at` on."""
    hold(connection, facility)
    wanted = {each.name: each for each in iocs}
    here = ioc.c.facility == facility
    known: dict[str, int] = {}
    # Of two of one name the one that is there comes last, else the one that went last.
    query = select(ioc.c.name, ioc.c.id).where(here)
    order = (ioc.c.gone_at.is_(None), ioc.c.gone_at, ioc.c.id)
    for name, number in connection.execute(query.order_by(*order)):
        known[name] = number
    for name, entry in wanted.items():
        values = _values(entry) | {"gone_at": None}
        if name in known:
            connection.execute(update(ioc).where(ioc.c.id == known[name]).values(values))
        else:
            new_ioc(connection, values, facility=facility)
    present = select(ioc.c.name, ioc.c.id).where(here, ioc.c.gone_at.is_(None))
    for name, number in connection.execute(present).all():
        if name not in wanted:
            _forget_records(connection, number)
            gone = {"gone_at": at, "records_digest": ""}
            connection.execute(update(ioc).where(ioc.c.id == number).values(gone))


def new_ioc(connection: Connection, values: dict[str, Any], *, facility: str) -> int:
    """Add an IOC and return its id; what `values` do not tell is empty."""
    empty = dict.fromkeys(IocEntry.__dataclass_fields__, "")
    row = empty | {"facility": facility, "records_digest": ""} | values
    result = connection.execute(insert(ioc).values(row))
    assert result.inserted_primary_key is not None
    return int(result.inserted_primary_key[0])


def select_iocs(connection: Connection, *, facility: str) -> list[IocEntry]:
    """Return the IOCs that there are, by name."""
    here = (ioc.c.facility == facility) & ioc.c.gone_at.is_(None)
    query = select(*_IOC).where(here).order_by(ioc.c.name)
    return [IocEntry(*values) for values in connection.execute(query)]


def select_unread(connection: Connection, *, facility: str) -> set[str]:
    """Return the IOCs that there are and whose records were never told."""
    here = (ioc.c.facility == facility) & ioc.c.gone_at.is_(None)
    query = select(ioc.c.name).where(here, ioc.c.records_digest == "")
    return set(connection.execute(query).scalars())


def ioc_id(connection: Connection, name: str, *, facility: str, gone: bool) -> int | None:
    """Return the id of the IOC of this name, or None.

    With `gone` it may also be the one that went last, where there is none now.
    """
    named = (ioc.c.facility == facility) & (ioc.c.name == name)
    if not gone:
        named &= ioc.c.gone_at.is_(None)
    order = (ioc.c.gone_at.is_(None).desc(), ioc.c.gone_at.desc(), ioc.c.id.desc())
    return connection.execute(select(ioc.c.id).where(named).order_by(*order)).scalars().first()


def rename(connection: Connection, old: str, new: str, *, facility: str) -> None:
    """Give an IOC another name; raises `UserError` where it has none or the other is taken."""
    hold(connection, facility)
    number = ioc_id(connection, old, facility=facility, gone=True)
    if number is None:
        raise UserError(f"there is no IOC {old} in the catalogue: see linacre find '*'")
    if ioc_id(connection, new, facility=facility, gone=False) is not None:
        raise UserError(f"there is an IOC {new} already: choose another name")
    connection.execute(update(ioc).where(ioc.c.id == number).values(name=new))
    its = (machine.c.facility == facility) & (machine.c.ioc == old)
    connection.execute(update(machine).where(its).values(ioc=new))


def replace_records(
    connection: Connection, name: str, records: Sequence[RecordEntry], *, facility: str
) -> None:
    """Replace an IOC's records, unless they are the same; of two of one name the first counts."""
    rows = _rows(records)
    digest = _digest(rows)
    hold(connection, facility)
    number = ioc_id(connection, name, facility=facility, gone=False)
    if number is None:
        raise LinacreError(f"there is no IOC {name} in the catalogue whose records these could be")
    mine = ioc.c.id == number
    if connection.execute(select(ioc.c.records_digest).where(mine)).scalar() == digest:
        return
    _forget_records(connection, number)
    if rows:
        _insert_records(connection, rows, number=number, facility=facility)
    connection.execute(update(ioc).where(mine).values(records_digest=digest))


def same_records(
    connection: Connection, name: str, records: Sequence[RecordEntry], *, facility: str
) -> bool:
    """Say whether an IOC's records are these."""
    here = (ioc.c.facility == facility) & (ioc.c.name == name) & ioc.c.gone_at.is_(None)
    found = connection.execute(select(ioc.c.records_digest).where(here)).scalar()
    return found == _digest(_rows(records))


def select_records(connection: Connection, name: str, *, facility: str) -> list[RecordEntry]:
    """Return an IOC's records by name."""
    number = ioc_id(connection, name, facility=facility, gone=False)
    columns = (record.c.name, record.c.record_type, record.c.description)
    query = select(*columns).where(record.c.ioc_id == number).order_by(record.c.name)
    return [RecordEntry(*values) for values in connection.execute(query)]


_Row = tuple[str, str, str]


def _rows(records: Sequence[RecordEntry]) -> list[_Row]:
    """Return records by name, each name once."""
    rows: dict[str, _Row] = {}
    for each in records:
        # A text of names has one a line.
        name = storable(each.name).replace("\n", "")
        rows.setdefault(name, (name, storable(each.record_type), storable(each.description)))
    return sorted(rows.values())


def _digest(rows: Sequence[_Row]) -> str:
    said = "".join(f"{len(part)}:{part}" for row in rows for part in row)
    return hashlib.sha256(said.encode()).hexdigest()


def _forget_records(connection: Connection, number: int) -> None:
    connection.execute(delete(record).where(record.c.ioc_id == number))
    connection.execute(delete(names).where(names.c.ioc_id == number))


def _insert_records(
    connection: Connection, rows: Sequence[_Row], *, number: int, facility: str
) -> None:
    whose = {"ioc_id": number, "facility": facility}
    every_name, every_type, every_description = map(list, zip(*rows, strict=True))
    if connection.dialect.name == "postgresql":
        lists = {"names": every_name, "types": every_type, "descriptions": every_description}
        connection.execute(_INSERT_POSTGRESQL, whose | lists)
    else:
        columns = ("name", "record_type", "description")
        rows_of = [whose | dict(zip(columns, row, strict=True)) for row in rows]
        connection.execute(insert(record), rows_of)
    joined = "\n".join(["", *every_name, ""])
    connection.execute(insert(names).values(**whose, names=joined))


def _values(entry: MachineEntry | IocEntry) -> dict[str, Any]:
    return {key: storable(value) for key, value in vars(entry).items()}
