from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from fakes import NOW_NS, FakeReader

from linacre.archiver.history import MetadataHistory
from linacre.archiver.model import Metadata

S = 10**9
ALL = ["CLA:READI", "CLA:COUNT", "CLA:STATE", "CLA:NAME", "CLA:WAVE", "CLA:SHORTS"]
ALL += ["CLA:CHARS", "CLA:TEXTS", "CLA:TABLE", "CLA:EMPTY", "A/B?C#{D}:E%2F é"]


async def get(client: httpx.AsyncClient, where: str, **params: Any) -> httpx.Response:
    return await client.get(f"/api/v1/{where}", params=params)


def strict_json(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def read_table(answer: httpx.Response) -> pa.Table:
    if answer.headers["content-type"].endswith("parquet"):
        return pq.read_table(io.BytesIO(answer.content))
    return pyarrow.ipc.open_stream(answer.content).read_all()


@pytest.mark.parametrize("form", ["arrow", "parquet"])
@pytest.mark.parametrize("pv", ALL)
async def test_any_kind_of_value_comes_as_it_was_stored(
    client: httpx.AsyncClient, reader: FakeReader, pv: str, form: str
) -> None:
    answer = await get(client, "samples", pv=pv, format=form)
    assert answer.status_code == 200, answer.text
    wanted = reader.samples(pv, 0, NOW_NS)
    found = read_table(answer)
    assert found.column_names == ["time", "value", "severity", "status", "tag"]
    # NaN is not equal to itself.
    assert str(found.to_pylist()) == str(wanted.to_pylist())
    if form == "arrow":
        assert found.schema.equals(wanted.schema, check_metadata=True)


async def test_values_of_any_kind_are_strict_json(client: httpx.AsyncClient) -> None:
    wanted = {
        "CLA:READI": [1.5, 2.5, None, None, 1e-7],
        "CLA:COUNT": [1, 2**53 + 1, -3],
        "CLA:STATE": [0, 1, 0],
        "CLA:NAME": ["a", 'b"\n,<b>', "ü"],
        "CLA:WAVE": [[1.0, None], [], [2.5, 3.5, 4.5]],
        "CLA:SHORTS": [[1, 2], [3]],
        "CLA:CHARS": [[0, 255], [97, 98, 99]],
        "CLA:TEXTS": [["a", "b,c"], []],
        "CLA:TABLE": [{"x": 1.5, "names": ["a", "b"], "bad": None}, "not json"],
        "CLA:EMPTY": [],
    }
    for pv, values in wanted.items():
        found = strict_json((await get(client, "samples", pv=pv)).text)
        assert found["fields"] == ["time", "value", "severity", "status", "tag"]
        assert [row[1] for row in found["rows"]] == values
        times = [NOW_NS - k * S for k in range(len(values), 0, -1)]
        assert [row[0] for row in found["rows"]] == times
    several = strict_json((await get(client, "samples", pv=list(wanted))).text)
    assert several["fields"][0] == "pv"
    assert several["kinds"]["CLA:STATE"] == "enum"
    for pv, values in wanted.items():
        assert [row[2] for row in several["rows"] if row[0] == pv] == values


async def test_csv_has_arrays_as_json_and_keeps_nan(client: httpx.AsyncClient) -> None:
    async def rows(*pvs: str, **params: Any) -> list[list[str]]:
        answer = await get(client, "samples", pv=list(pvs), format="csv", **params)
        assert answer.headers["content-type"].startswith("text/csv")
        return list(csv.reader(io.StringIO(answer.text)))

    assert await rows("CLA:EMPTY") == [["time", "value", "severity", "status", "tag"]]
    readi = await rows("CLA:READI")
    assert [row[1] for row in readi[1:]] == ["1.5", "2.5", "nan", "inf", "1e-7"]
    assert readi[1][0] == str(NOW_NS - 5 * S)
    iso = await rows("CLA:READI", times="iso")
    at = datetime.fromtimestamp(NOW_NS // S - 5, UTC)
    assert iso[1][0] == f"{at:%Y-%m-%dT%H:%M:%S}.000000000Z"
    mixed = await rows("CLA:NAME", "CLA:WAVE", "CLA:CHARS")
    assert [row[0] for row in mixed[1:]] == ["CLA:NAME"] * 3 + ["CLA:WAVE"] * 3 + ["CLA:CHARS"] * 2
    assert mixed[2][2] == 'b"\n,<b>'
    assert mixed[4][2] == "[1,null]"
    assert mixed[7][2] == "[0,255]"


@pytest.mark.parametrize("form", ["arrow", "parquet"])
async def test_several_pvs_have_values_of_one_type(client: httpx.AsyncClient, form: str) -> None:
    numbers = read_table(
        await get(client, "samples", pv=["CLA:STATE", "CLA:READI", "CLA:LONG"], format=form)
    )
    assert numbers.column_names[:3] == ["pv", "time", "value"]
    assert numbers.schema.field("value").type == pa.float64()
    assert numbers["pv"].to_pylist()[:4] == ["CLA:STATE"] * 3 + ["CLA:READI"]
    assert numbers.num_rows == 3 + 5 + 3600
    mixed = read_table(await get(client, "samples", pv=["CLA:COUNT", "CLA:WAVE"], format=form))
    assert mixed["value"].to_pylist()[:2] == ["1", "9007199254740993"]
    assert mixed["value"].to_pylist()[3] == "[1,null]"


@pytest.mark.parametrize("form", ["arrow", "parquet", "json", "csv"])
async def test_large_answers_come_whole(client: httpx.AsyncClient, form: str) -> None:
    answer = await get(client, "samples", pv="CLA:LONG", start=0, format=form)
    if form == "json":
        values = [row[1] for row in answer.json()["rows"]]
    elif form == "csv":
        values = [float(line.split(",")[1]) for line in answer.text.splitlines()[1:]]
    else:
        values = read_table(answer)["value"].to_pylist()
    assert values == [float(k) for k in range(5000)]


async def test_the_boundary_rule_holds_at_both_ends(client: httpx.AsyncClient) -> None:
    start, end = NOW_NS - 3 * S + 1, NOW_NS - 2 * S
    found = (await get(client, "samples", pv="CLA:READI", start=start, end=end)).json()
    assert [row[0] for row in found["rows"]] == [NOW_NS - 3 * S, NOW_NS - 2 * S]
    last = (await get(client, "samples", pv="CLA:READI", start="now", end="now")).json()
    assert [row[0] for row in last["rows"]] == [NOW_NS - S]


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("text/csv", "text/csv"),
        ("application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.stream"),
        ("text/html, application/vnd.apache.parquet;q=0.5", "application/vnd.apache.parquet"),
        ("text/csv;q=0.1, application/json", "application/json"),
        ("text/html,*/*;q=0.8", "application/json"),
    ],
)
async def test_the_format_is_what_the_client_accepts(
    client: httpx.AsyncClient, accept: str, media: str
) -> None:
    for where in ("samples?pv=CLA:READI", "bins?pv=CLA:READI", "after?pv=CLA:READI&time=-1h"):
        answer = await client.get(f"/api/v1/{where}", headers={"Accept": accept})
        assert answer.headers["content-type"].partition(";")[0] == media
    wins = await client.get("/api/v1/samples?pv=CLA:READI&format=json", headers={"Accept": accept})
    assert wins.headers["content-type"] == "application/json"


@pytest.mark.parametrize("pvs", [["CLA:STATE"], ["CLA:STATE", "CLA:READI"]])
@pytest.mark.parametrize("form", ["json", "csv", "arrow", "parquet"])
async def test_each_sample_has_its_label_where_that_is_asked_for(
    client: httpx.AsyncClient, reader: FakeReader, pvs: list[str], form: str
) -> None:
    reader.histories["CLA:STATE"] = MetadataHistory(
        (0, NOW_NS - 2 * S),
        (Metadata(labels=("MANUAL", "AUTO")), Metadata(labels=("OPEN", "CLOSED"))),
    )
    answer = await get(client, "samples", pv=pvs, format=form, labels=True)
    if form == "json":
        found = answer.json()
        values, labels = (
            [row[found["fields"].index(name)] for row in found["rows"]]
            for name in ("value", "label")
        )
    elif form == "csv":
        lines = list(csv.DictReader(io.StringIO(answer.text)))
        values = [float(line["value"]) for line in lines]
        labels = [line["label"] or None for line in lines]
    else:
        table = read_table(answer)
        values, labels = table["value"].to_pylist(), table["label"].to_pylist()
    assert values[:3] == [0, 1, 0]
    assert labels == ["MANUAL", "CLOSED", "OPEN", *[None] * (5 * (len(pvs) - 1))]


async def test_files_have_names_that_any_system_can_save(client: httpx.AsyncClient) -> None:
    answer = await get(client, "samples", pv=["A/B?C#{D}:E%2F é", "CLA:READI"], format="csv")
    said = answer.headers["content-disposition"]
    assert said == 'attachment; filename="A_B_C__D__E_2F__-and-1-more.csv"'


async def test_bins_cover_the_time_and_say_what_is_empty(client: httpx.AsyncClient) -> None:
    found = (await get(client, "bins", pv="CLA:READI", start="-10s", n=10)).json()
    assert len(found["rows"]) == 10
    row = dict(zip(found["fields"], found["rows"][5], strict=True))
    assert (row["start"], row["end"]) == (NOW_NS - 5 * S, NOW_NS - 4 * S)
    assert (row["count"], row["mean"], row["min"], row["max"]) == (1, 1.5, 1.5, 1.5)
    empty = dict(zip(found["fields"], found["rows"][0], strict=True))
    assert (empty["count"], empty["mean"]) == (0, None)
    table = read_table(await get(client, "bins", pv="CLA:READI", n=7, format="parquet"))
    assert table.num_rows == 7


async def test_what_has_no_numbers_has_no_bins(client: httpx.AsyncClient) -> None:
    answer = await get(client, "bins", pv="CLA:WAVE")
    assert answer.status_code == 400
    assert "has no numbers" in answer.json()["detail"]


async def test_the_next_samples_after_a_time(client: httpx.AsyncClient) -> None:
    found = (await get(client, "after", pv="CLA:COUNT", time=NOW_NS - 3 * S, count=5)).json()
    assert [row[1] for row in found["rows"]] == [2**53 + 1, -3]
    none = (await get(client, "after", pv="CLA:COUNT", time="now")).json()
    assert none["rows"] == []


async def test_last_values_come_in_the_order_asked_for(client: httpx.AsyncClient) -> None:
    names = ["CLA:WAVE", "CLA:READI", "CLA:CHARS", "CLA:TABLE", "CLA:EMPTY", "CLA:NAME"]
    found = (await get(client, "last", pv=names, elements=2)).json()
    assert [one["pv"] for one in found] == names
    wave, readi, chars, table, empty, name = found
    assert (wave["value"], wave["elements"], wave["kind"]) == ([2.5, 3.5], 3, "float64-array")
    assert (readi["value"], readi["time_ns"]) == (1e-7, NOW_NS - S)
    assert (chars["value"], chars["elements"]) == ([97, 98], 3)
    assert table["value"] == "not json"
    assert (empty["value"], empty["time_ns"]) == (None, None)
    assert name["value"] == "ü"
    assert readi["units"] == "A"
    state = (await get(client, "last", pv="CLA:STATE")).json()[0]
    assert (state["value"], state["label"]) == (0, "Off")
    earlier = (await get(client, "last", pv=["CLA:READI"], at="-3s")).json()
    assert earlier[0]["value"] is None


async def test_metadata_are_strict_json(client: httpx.AsyncClient) -> None:
    found = strict_json((await get(client, "metadata", pv="CLA:READI")).text)
    assert (found["units"], found["precision"]) == ("A", 3)
    assert found["alarm"] == [None, 10.0]
    state = (await get(client, "metadata", pv="CLA:STATE", at="-1h")).json()
    assert state["labels"] == ["Off", "On"]


async def test_events_of_one_pv_or_of_all(client: httpx.AsyncClient) -> None:
    one = (await get(client, "events", pv="CLA:READI")).json()
    assert [e["kind"] for e in one["events"]] == ["lost", "connected"]
    assert one["events"][1]["detail"] == {"host": "h:5064"}
    newest = (await get(client, "events", limit=1)).json()
    assert (newest["total"], newest["events"][0]["kind"]) == (3, "damaged")


@pytest.mark.parametrize(
    ("where", "params", "status", "told"),
    [
        ("samples", {}, 422, "pv: it is needed"),
        ("samples", {"pv": "NONE"}, 404, "there is no PV NONE in this archive"),
        ("samples", {"pv": ["CLA:READI", "NONE"]}, 404, "there is no PV NONE"),
        ("samples", {"pv": ["A", "A"]}, 400, "a name is there twice"),
        ("samples", {"pv": [str(k) for k in range(201)]}, 400, "at most 200"),
        ("samples", {"pv": "CLA:READI", "start": "monday"}, 400, "start: 'monday' is not a time"),
        ("samples", {"pv": "CLA:READI", "start": "+1h"}, 400, "later than the end"),
        ("samples", {"pv": "CLA:READI", "format": "xls"}, 422, "format: Input should be"),
        ("samples", {"pv": "CLA:READI", "format": "arrow", "times": "iso"}, 400, "times: iso"),
        ("bins", {"pv": "CLA:READI", "n": 0}, 422, "n: Input should be greater"),
        ("bins", {"pv": "NONE"}, 404, "there is no PV NONE"),
        ("after", {"pv": "CLA:READI"}, 422, "time: it is needed"),
        ("metadata", {"pv": "NONE"}, 404, "there is no PV NONE"),
        ("last", {"pv": "NONE"}, 404, "there is no PV NONE"),
        ("events", {"pv": "NONE"}, 404, "there is no PV NONE"),
        ("pvs", {"state": "sad"}, 422, "state.0: Input should be 'connected'"),
    ],
)
async def test_a_wrong_request_is_told_in_one_line(
    client: httpx.AsyncClient, where: str, params: dict[str, Any], status: int, told: str
) -> None:
    answer = await get(client, where, **params)
    assert answer.status_code == status
    assert list(answer.json()) == ["detail"]
    assert told in answer.json()["detail"]


async def test_an_accept_that_cannot_be_met_is_told(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/samples?pv=CLA:READI", headers={"Accept": "application/pdf"})
    assert answer.status_code == 400
    assert "text/csv" in answer.json()["detail"]


async def test_damage_is_told_after_the_rows(client: httpx.AsyncClient, reader: FakeReader) -> None:
    reader.damaged["CLA:READI"] = 3
    reader.damaged["CLA:EMPTY"] = 1
    names = ["CLA:READI", "CLA:NAME", "CLA:EMPTY"]
    told = {"CLA:READI": 3, "CLA:EMPTY": 1}

    answer = await get(client, "samples", pv=names)
    found = strict_json(answer.text)
    assert found["damaged"] == told
    assert list(found) == ["fields", "kinds", "rows", "damaged"]
    assert len(found["rows"]) == 5 + 3
    lines = (await get(client, "samples", pv=names, format="csv")).text.splitlines()
    assert lines[-1] == '# damaged blocks left out, by PV: {"CLA:READI": 3, "CLA:EMPTY": 1}'
    for pvs, total, by_pv in ((names, b"4", told), (["CLA:READI"], b"3", {"CLA:READI": 3})):
        parquet = (await get(client, "samples", pv=pvs, format="parquet")).content
        said = pq.read_metadata(io.BytesIO(parquet)).metadata
        assert said[b"linacre.damaged"] == total
        assert json.loads(said[b"linacre.damaged.by_pv"]) == by_pv
        arrow = (await get(client, "samples", pv=pvs, format="arrow")).content
        last = last_of(pa.ipc.open_stream(arrow))
        assert last.batch.num_rows == 0
        assert dict(last.custom_metadata)[b"linacre.damaged"] == total


async def test_a_last_value_says_that_newer_ones_may_lack(
    client: httpx.AsyncClient, reader: FakeReader
) -> None:
    reader.damaged["CLA:READI"] = 3
    found = (await get(client, "last", pv=["CLA:READI", "CLA:NAME"])).json()
    assert [one["damaged"] for one in found] == [3, 0]


def last_of(stream: Any) -> Any:
    found = None
    while True:
        try:
            found = stream.read_next_batch_with_custom_metadata()
        except StopIteration:
            return found


@pytest.mark.parametrize("form", ["json", "csv", "arrow", "parquet"])
async def test_nothing_is_told_where_nothing_lacks(client: httpx.AsyncClient, form: str) -> None:
    answer = await get(client, "samples", pv=["CLA:READI", "CLA:EMPTY"], format=form)
    if form == "json":
        assert answer.json()["damaged"] == {}
    else:
        assert b"damaged" not in answer.content


async def test_what_was_opened_is_closed(client: httpx.AsyncClient, reader: FakeReader) -> None:
    await get(client, "samples", pv=["CLA:LONG", "CLA:READI"], start=0, format="csv")
    assert reader.closed >= 2
