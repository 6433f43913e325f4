"""What was archived: samples, bins, last values, metadata, events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, cast

import pyarrow as pa
from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse

from linacre.archiver.http.api import Api, ApiOf, End, Pv, Start
from linacre.archiver.http.formats import (
    MEDIA,
    Format,
    Head,
    Piece,
    Times,
    choose_format,
    encode,
)
from linacre.archiver.http.models import (
    DatedMetadata,
    EventList,
    LastValue,
    PvEvent,
    PvMetadata,
    Rows,
)
from linacre.archiver.http.tables import kind_of, samples_in
from linacre.archiver.http.texts import parsed, strict
from linacre.archiver.model import Kind, Metadata
from linacre.archiver.reading.damage import damage_of
from linacre.base.errors import UserError

router = APIRouter(tags=["data"])

MOST_PVS = 200
"""In one request."""
MOST_ELEMENTS = 10_000_000

Pvs = Annotated[
    list[str], Query(description=f"The PV's name; may be repeated, up to {MOST_PVS} times.")
]
AskedFormat = Annotated[
    Format | None, Query(description="Else the header Accept says it; else it is JSON.")
]
AskedTimes = Annotated[
    Times, Query(description="In JSON and CSV: times as integers in ns, or as ISO 8601 in UTC.")
]
Accept = Annotated[str | None, Header(include_in_schema=False)]
_TABLE: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Rows,
        "description": "The table.",
        "content": {media: {} for one, media in MEDIA.items() if one is not Format.JSON},
    }
}


@router.get(
    "/samples", summary="Samples of PVs", response_class=StreamingResponse, responses=_TABLE
)
async def samples(
    api: ApiOf,
    pv: Pvs,
    start: Start = "-1h",
    end: End = "now",
    format: AskedFormat = None,
    times: AskedTimes = Times.NS,
    labels: Annotated[
        bool,
        Query(description="Add a column `label`: of enums, as it was at each sample's time."),
    ] = False,
    accept: Accept = None,
) -> StreamingResponse:
    """Give one sample at or before the start, then all in (start, end].

    Columns: time, value, severity, status, tag. With several PVs, one PV comes after the other,
    with a first column `pv`; in Arrow and Parquet their values then have one type (their own, else
    float64 for numbers, else text). It is sent while it is read: a connection that ends early,
    without its last chunk, says that reading failed.
    """
    chosen = choose_format(format, accept)
    _check_many(pv)
    start_ns, end_ns = api.span(start, end)
    pieces = samples_in(
        chosen,
        api.reader,
        pv,
        start_ns=start_ns,
        end_ns=end_ns,
        times=_times(chosen, times),
        labels=labels,
    )
    sent = await api.blocking.begin(pieces)
    return StreamingResponse(sent, media_type=MEDIA[chosen], headers=_file(chosen, pv))


@router.get("/bins", summary="Bins of a PV's numbers", response_class=Response, responses=_TABLE)
async def bins(
    api: ApiOf,
    pv: Pv,
    start: Start = "-1h",
    end: End = "now",
    n: Annotated[int, Query(ge=1, le=20_000, description="How many bins.")] = 1000,
    format: AskedFormat = None,
    times: AskedTimes = Times.NS,
    accept: Accept = None,
) -> Response:
    """Give n bins [start, end): count, mean, std, min, max, first, last, sum, severity.

    They are quick over years: the outer edges are as asked, inner ones lie on roll-ups' steps. An
    empty bin has count 0 and nulls.
    """
    chosen = choose_format(format, accept)
    start_ns, end_ns = api.span(start, end)
    table = await api.blocking.call(api.reader.bins, pv, start_ns, end_ns, n)
    return await _whole(api, table, chosen, _times(chosen, times), pv)


@router.get("/after", summary="A PV's next samples", response_class=Response, responses=_TABLE)
async def after(
    api: ApiOf,
    pv: Pv,
    time: Annotated[str, Query(description="Samples later than this; written as `start` is.")],
    count: Annotated[int, Query(ge=1, le=100_000, description="At most so many.")] = 1,
    format: AskedFormat = None,
    times: AskedTimes = Times.NS,
    accept: Accept = None,
) -> Response:
    """Give the samples that come next after a time."""
    chosen = choose_format(format, accept)
    time_ns = api.time(time, "time")
    table = await api.blocking.call(api.reader.after, pv, time_ns, count)
    return await _whole(api, table, chosen, _times(chosen, times), pv)


@router.get("/last", summary="Last values of PVs")
async def last(
    api: ApiOf,
    pv: Pvs,
    at: Annotated[str, Query(description="Values as of this time; written as `start` is.")] = "now",
    elements: Annotated[
        int,
        Query(
            ge=0,
            le=MOST_ELEMENTS,
            description="Of arrays and structures' arrays, at most so many elements.",
        ),
    ] = 10,
) -> list[LastValue]:
    """Give the newest sample of each PV at or before a time, in the order asked for."""
    _check_many(pv)
    at_ns = api.time(at, "at")

    def look() -> list[LastValue]:
        found: list[LastValue] = []
        for one in pv:
            table: Any = api.reader.samples(one, at_ns, at_ns)
            of_ns = table["time"][-1].as_py() if table.num_rows else at_ns
            found.append(_last(one, table, api.reader.metadata(one, of_ns), elements))
        return found

    return await api.blocking.call(look)


@router.get("/metadata", summary="What a PV's server said of it")
async def metadata(
    api: ApiOf,
    pv: Pv,
    at: Annotated[
        str | None, Query(description="As of this time, written as `start` is; else at present.")
    ] = None,
) -> PvMetadata:
    """Give units, limits and labels."""
    at_ns = None if at is None else api.time(at, "at")
    found = await api.blocking.call(api.reader.metadata, pv, at_ns)
    return PvMetadata(**_plain(found))


@router.get("/metadata/history", summary="What a PV's server said of it over a time")
async def metadata_history(
    api: ApiOf, pv: Pv, start: Start = "-1h", end: End = "now"
) -> list[DatedMetadata]:
    """Give units, limits and labels as they were at the start, then each change in (start, end].

    A sample has those of the last row that is not later than it; one that is older than all rows
    has those of the first.
    """
    start_ns, end_ns = api.span(start, end)
    found = await api.blocking.call(api.reader.metadata_history, pv, start_ns, end_ns)
    return [
        DatedMetadata(from_ns=from_ns, **_plain(said))
        for from_ns, said in zip(found.from_ns, found.said, strict=True)
    ]


def _plain(said: Metadata) -> dict[str, Any]:
    return cast("dict[str, Any]", strict(asdict(said)))


@router.get("/events", summary="What happened to PVs")
async def events(
    api: ApiOf,
    pv: Annotated[str | None, Query(description="The PV's name; else all PVs' events.")] = None,
    start: Start = "-1d",
    end: End = "now",
    limit: Annotated[int, Query(ge=1, le=100_000, description="The newest so many.")] = 10_000,
) -> EventList:
    """Give connections made and lost, changes of metadata, drops, damage, in (start, end]."""
    start_ns, end_ns = api.span(start, end)
    found = await api.blocking.call(api.reader.events, pv, start_ns, end_ns)
    shown = [PvEvent.of(one) for one in found[-limit:]]
    return EventList(total=len(found), events=shown)


def _check_many(pvs: Sequence[str]) -> None:
    if len(pvs) > MOST_PVS:
        raise UserError(f"pv: {len(pvs)} PVs are too many for one request: at most {MOST_PVS}")
    if len(set(pvs)) < len(pvs):
        raise UserError("pv: a name is there twice: name each PV once")


def _times(chosen: Format, times: Times) -> Times:
    if times is Times.ISO and chosen in (Format.ARROW, Format.PARQUET):
        raise UserError("times: iso is for json and csv; in arrow and parquet times are int64 ns")
    return times


def _file(chosen: Format, pvs: Sequence[str]) -> dict[str, str]:
    """Return the header by which a browser saves a file under a fitting name."""
    if chosen is Format.JSON:
        return {}
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in pvs[0])
    more = f"-and-{len(pvs) - 1}-more" if len(pvs) > 1 else ""
    suffix = "arrows" if chosen is Format.ARROW else str(chosen)
    return {"Content-Disposition": f'attachment; filename="{plain}{more}.{suffix}"'}


async def _whole(api: Api, table: pa.Table, chosen: Format, times: Times, pv: str) -> Response:
    kind = kind_of(table.schema)
    damaged = damage_of(table.schema)
    head = Head(table.schema, {pv: kind} if kind else {}, {pv: damaged} if damaged else {})
    pieces = [Piece(batch, kind == Kind.STRUCT) for batch in table.to_batches()]
    body = await api.blocking.call(lambda: b"".join(encode(chosen, head, pieces, times)))
    return Response(body, media_type=MEDIA[chosen], headers=_file(chosen, [pv]))


def _last(pv: str, table: pa.Table, said: Metadata, elements: int) -> LastValue:
    kind, damaged = kind_of(table.schema), damage_of(table.schema)
    if not table.num_rows:
        nothing: dict[str, Any] = {"time_ns": None, "value": None, "label": None, "elements": None}
        nothing |= {"severity": 0, "status": 0, "tag": 0}
        return LastValue(pv=pv, kind=kind, units=said.units, damaged=damaged, **nothing)
    row: Any = table.slice(table.num_rows - 1).combine_chunks()
    value, count = _value(row["value"][0], elements)
    if kind == Kind.STRUCT:
        value = _cut(parsed(value), elements)
    label = None
    if kind == Kind.ENUM and isinstance(value, int) and 0 <= value < len(said.labels):
        label = said.labels[value]
    return LastValue(
        pv=pv,
        kind=kind,
        time_ns=row["time"][0].as_py(),
        value=strict(value),
        units=said.units,
        label=label,
        elements=count,
        severity=row["severity"][0].as_py(),
        status=row["status"][0].as_py(),
        tag=row["tag"][0].as_py(),
        damaged=damaged,
    )


def _value(scalar: Any, elements: int) -> tuple[object, int | None]:
    """Return a value, cut if it is an array, and how many elements it has uncut."""
    types: Any = pa.types
    if types.is_list(scalar.type) or types.is_large_list(scalar.type):
        return scalar.values.slice(0, elements).to_pylist(), len(scalar.values)
    value = scalar.as_py()
    return (value[:elements], len(value)) if isinstance(value, bytes) else (value, None)


def _cut(value: object, elements: int) -> object:
    if isinstance(value, list):
        return [_cut(one, elements) for one in cast("list[object]", value)[:elements]]
    if isinstance(value, dict):
        return {k: _cut(one, elements) for k, one in cast("dict[str, object]", value).items()}
    return value
