from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

import httpx
import pytest
from fakes import NOW_NS, FakeControl, FakeReader

from linacre.archiver.model import ChannelSpec, Drop, Method, Provider

HARD_NAMES = ["A/B?C#{D}:E%2F é", "<img src=x onerror=alert(1)>", "CLA:READI"]


async def test_pvs_are_listed_with_their_state(client: httpx.AsyncClient) -> None:
    found = (await client.get("/api/v1/pvs", params={"pattern": "CLA:*", "limit": 2})).json()
    assert found["total"] == 11
    assert found["states"] == {"connected": 10, "lost": 1}
    assert [one["pv"] for one in found["pvs"]] == ["CLA:CHARS", "CLA:COUNT"]
    readi = (await client.get("/api/v1/pvs/CLA:READI")).json()
    assert readi["state"] == "connected"
    assert readi["kind"] == "float64"
    assert readi["rate_hz"] == 1.0
    assert readi["last_ns"] == NOW_NS - 10**9
    assert readi["drops"] == {"past": 2, "buffer": 1}
    assert readi["dropped"] == 3
    assert readi["method"] == "monitor"


async def test_only_pvs_in_a_state_are_listed_if_asked(client: httpx.AsyncClient) -> None:
    found = (await client.get("/api/v1/pvs", params={"state": "lost"})).json()
    assert found["total"] == len(found["pvs"]) == 1
    assert found["pvs"][0]["pv"] == "CLA:STATE"
    assert found["states"]["connected"] == 12
    last = (await client.get("/api/v1/pvs", params={"offset": 12})).json()
    assert len(last["pvs"]) == 1


@pytest.mark.parametrize(
    ("order", "field"),
    [("rate_hz", "rate_hz"), ("last_ns", "last_ns"), ("losses", "losses"), ("dropped", "dropped")],
)
async def test_pvs_are_sorted_by_a_number_and_those_alike_by_name(
    client: httpx.AsyncClient, control: FakeControl, order: str, field: str
) -> None:
    for n, pv in enumerate(sorted(control.channels)):
        one = control.channels[pv]
        control.channels[pv] = replace(
            one, rate_hz=n % 3, last_ns=n % 3, losses=n % 3, drops={Drop.PAST: n % 3, Drop.DISK: 1}
        )

    async def listed(**asked: object) -> list[tuple[int, str]]:
        answer = (await client.get("/api/v1/pvs", params={"order": order} | asked)).json()
        return [(one[field], one["pv"]) for one in answer["pvs"]]

    up = await listed()
    assert up == sorted(up)
    down = await listed(descending="true")
    assert down == sorted(up, key=lambda one: (-one[0], one[1]))
    assert await listed(descending="true", limit=2, offset=3) == down[3:5]


async def test_pvs_are_sorted_by_state_or_name(client: httpx.AsyncClient) -> None:
    found = (await client.get("/api/v1/pvs", params={"order": "state", "descending": "1"})).json()
    assert [one["state"] for one in found["pvs"]] == ["lost"] + ["connected"] * 12
    names = [one["pv"] for one in found["pvs"]][1:]
    assert names == sorted(names)
    found = (await client.get("/api/v1/pvs", params={"order": "pv", "descending": "1"})).json()
    names = [one["pv"] for one in found["pvs"]]
    assert names == sorted(names, reverse=True)
    refused = await client.get("/api/v1/pvs", params={"order": "colour"})
    assert refused.status_code == 422


@pytest.mark.parametrize("pv", HARD_NAMES)
async def test_a_name_of_any_characters_is_found_in_a_path(
    client: httpx.AsyncClient, control: FakeControl, pv: str
) -> None:
    where = "/api/v1/pvs/" + quote(pv, safe="")
    assert (await client.get(where)).json()["pv"] == pv
    assert (await client.delete(where)).json() == {"pvs": [pv]}
    assert pv not in control.channels
    gone = await client.get(where)
    assert gone.status_code == 404
    assert gone.json() == {"detail": f"there is no PV {pv} in this archive"}


async def test_names_have_those_too_that_are_no_longer_archived(
    client: httpx.AsyncClient, control: FakeControl
) -> None:
    del control.channels["CLA:LONG"]
    found = (await client.get("/api/v1/names", params={"pattern": "CLA:L*"})).json()
    assert found == {"total": 1, "pvs": ["CLA:LONG"]}


async def test_pvs_are_added_by_name_or_with_settings(
    client: httpx.AsyncClient, control: FakeControl
) -> None:
    scanned = {"pv": "NEW:B", "method": "scan", "period_s": 10}
    sent = ["NEW:A", scanned, "pva://NEW:C", "CLA:READI", "NEW:A"]
    added = (await client.post("/api/v1/pvs", json=sent)).json()
    assert added == {"added": ["NEW:A", "NEW:B", "NEW:C"], "already": ["CLA:READI"]}
    assert control.channels["NEW:B"].spec == ChannelSpec(
        pv="NEW:B", method=Method.SCAN, period_s=10
    )
    assert control.channels["NEW:C"].spec.provider is Provider.PVA


@pytest.mark.parametrize(
    ("sent", "status", "told"),
    [
        (["CLA:*"], 400, "'CLA:*' is not a PV's name"),
        (["A B"], 400, "'A B' is not a PV's name"),
        ([""], 400, "'' is not a PV's name"),
        ([], 422, "at least 1 item"),
        ([{"pv": "A", "period_s": 0.01}], 422, "period_s: Input should be greater than"),
        ([{"pv": "A", "scan": 1}], 422, "scan: Extra inputs are not permitted"),
        ([{}], 422, "pv: it is needed"),
        ("A", 422, "valid list"),
    ],
)
async def test_a_wrong_request_to_add_is_told_in_one_line(
    client: httpx.AsyncClient, sent: object, status: int, told: str
) -> None:
    answer = await client.post("/api/v1/pvs", json=sent)
    assert answer.status_code == status
    assert list(answer.json()) == ["detail"]
    assert told in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]


async def test_pvs_are_paused_and_resumed_by_name_or_pattern(client: httpx.AsyncClient) -> None:
    async def state(pv: str) -> str:
        return (await client.get(f"/api/v1/pvs/{pv}")).json()["state"]

    paused = await client.post("/api/v1/pvs/pause", json={"pattern": "CLA:[RN]*"})
    assert paused.json() == {"pvs": ["CLA:NAME", "CLA:READI"]}
    assert await state("CLA:NAME") == "paused"
    resumed = await client.post("/api/v1/pvs/resume", json={"pvs": ["CLA:NAME", "CLA:WAVE"]})
    assert resumed.json() == {"pvs": ["CLA:NAME"]}
    assert (await state("CLA:NAME"), await state("CLA:READI")) == ("connected", "paused")


async def test_which_pvs_must_be_said(client: httpx.AsyncClient) -> None:
    for sent, status in [
        ({}, 400),
        ({"pvs": ["CLA:NAME"], "pattern": "*"}, 400),
        ({"pattern": "NONE*"}, 404),
        ({"pvs": ["NONE"]}, 404),
    ]:
        answer = await client.post("/api/v1/pvs/pause", json=sent)
        assert answer.status_code == status, answer.text


async def test_data_are_deleted_only_if_asked(
    client: httpx.AsyncClient, control: FakeControl, reader: FakeReader
) -> None:
    await client.post("/api/v1/pvs/remove", json={"pvs": ["CLA:NAME", "CLA:LONG"]})
    assert (control.deleted, "CLA:NAME" in reader.held) == ([], True)
    await client.delete("/api/v1/pvs/CLA:WAVE", params={"delete_data": "true"})
    await client.post("/api/v1/pvs/remove", json={"pattern": "CLA:CO*", "delete_data": True})
    assert control.deleted == ["CLA:WAVE", "CLA:COUNT"]


async def test_the_end_is_moved(client: httpx.AsyncClient) -> None:
    for end, ends_ns in [
        ("+7d", NOW_NS + 7 * 86400 * 10**9),
        ("now", NOW_NS),
        (1_795_000_001, NOW_NS + 10**9),
        (None, None),
    ]:
        answer = await client.post("/api/v1/end", json={"end": end})
        assert answer.json()["ends_ns"] == ends_ns, answer.text
    wrong = await client.post("/api/v1/end", json={"end": "soon"})
    assert wrong.status_code == 400
    assert wrong.json()["detail"].startswith("end: 'soon' is not a time")


async def test_past_its_end_it_refuses_changes_and_still_reads(
    client: httpx.AsyncClient, control: FakeControl
) -> None:
    control.whole = replace(control.whole, read_only=True)
    for answer in [
        await client.post("/api/v1/pvs", json=["NEW"]),
        await client.post("/api/v1/pvs/pause", json={"pvs": ["CLA:NAME"]}),
        await client.delete("/api/v1/pvs/CLA:NAME"),
    ]:
        assert answer.status_code == 409
        assert "it only serves what it has" in answer.json()["detail"]
    assert (await client.get("/api/v1/samples", params={"pv": "CLA:NAME"})).status_code == 200
    assert (await client.get("/api/v1")).json()["read_only"] is True
    assert (await client.get("/healthz")).json() == {"status": "ended"}
