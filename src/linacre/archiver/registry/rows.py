"""The rows of the registry's tables, and what they stand for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

from linacre.archiver.model import ChannelSpec, Metadata, Method, Provider, Series

MOST_WAITING = 100_000
"""Events that wait for room on the disk; older ones are lost."""


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A PV as it is registered."""

    spec: ChannelSpec
    added_ns: int
    added_by: str = ""
    paused: bool = False
    removed: bool = False
    """Archived no more; its data are still there."""


@dataclass(frozen=True)
class Said:
    """The metadata of a PV as JSON, and since when they hold."""

    from_ns: int
    text: str


@dataclass(frozen=True)
class Write:
    """A change of the file that is to be made."""

    sql: str
    arguments: tuple[object, ...]
    is_event: bool = False


def metadata_from(detail: Mapping[str, Any]) -> Metadata:
    """Read a notice's detail, or what a registry has, of whatever version wrote it."""
    values: dict[str, Any] = {}
    for field in fields(Metadata):
        value = detail.get(field.name)
        if value is not None:
            values[field.name] = (
                tuple(cast("list[Any]", value)) if isinstance(value, list | tuple) else value
            )
    return Metadata(**values)


def insert_series(series: Series) -> Write:
    """Return the change that adds a series."""
    sql = "INSERT OR IGNORE INTO series(id, pv, kind, native) VALUES (?, ?, ?, ?)"
    return Write(sql, (series.id, series.pv, series.kind.value, series.native))


def fewer(writes: list[Write]) -> list[Write]:
    """Leave out the oldest events where too much waits; series and metadata always stay."""
    excess = sum(write.is_event for write in writes) - MOST_WAITING
    if excess <= 0:
        return writes
    kept: list[Write] = []
    for write in writes:
        if write.is_event and excess > 0:
            excess -= 1
        else:
            kept.append(write)
    return kept


def bound(time_ns: int | None) -> int:
    """Return a time that SQLite can compare; None: the end of all times."""
    largest = 2**63 - 1
    return largest if time_ns is None else max(-largest, min(time_ns, largest))


def row_of(channel: Channel) -> tuple[object, ...]:
    """Return a channel as its row."""
    spec = channel.spec
    return (
        *(spec.pv, spec.provider.value, spec.method.value, spec.period_s, json.dumps(spec.fields)),
        *(channel.added_ns, channel.added_by, int(channel.paused), int(channel.removed)),
    )


def channel_of(row: Sequence[Any]) -> Channel:
    """Return a row as the channel it stands for."""
    spec = ChannelSpec(
        pv=row[0],
        provider=Provider(row[1]),
        method=Method(row[2]),
        period_s=row[3],
        fields=() if row[4] == "[]" else tuple(json.loads(row[4])),
    )
    return Channel(
        spec=spec,
        added_ns=row[5],
        added_by=row[6],
        paused=bool(row[7]),
        removed=bool(row[8]),
    )
