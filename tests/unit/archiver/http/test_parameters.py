"""Parameters that a request does not have are told, whatever the request."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import websockets

from linacre.archiver.http.app import make_app
from linacre.archiver.http.settings import HttpSettings, hash_token


async def test_a_parameter_that_is_spelt_wrong_is_told_with_those_there_are(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/api/v1/bins?pv=CLA:READI&from=-1h&to=now&n=10")
    assert answer.status_code == 422
    assert answer.json()["detail"] == (
        "from, to: there is no such parameter here; there are: pv, start, end, n, format, times"
    )
    answer = await client.get("/api/v1?pretty=1")
    assert answer.json()["detail"] == "pretty: there is no such parameter here; it takes none"
    answer = await client.get("/api/v1/pvs", params={"a\nb" * 500: "1", **dict.fromkeys("abcdefg")})
    assert "\n" not in answer.json()["detail"] and len(answer.json()["detail"]) < 300


def requests() -> list[tuple[str, str]]:
    """Return each request of the API by its verb and path."""
    nothing: Any = None
    paths = make_app(nothing, nothing, HttpSettings()).openapi()["paths"]
    return [
        (verb, path.replace("{pv}", "CLA:READI"))
        for path, verbs in paths.items()
        for verb in verbs
        if path != "/healthz"
    ]


@pytest.mark.parametrize(("verb", "path"), requests())
async def test_every_request_refuses_what_it_does_not_have(
    client: httpx.AsyncClient, verb: str, path: str
) -> None:
    answer = await client.request(verb, f"{path}?nonsense=1")
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("nonsense: there is no such parameter here; ")


async def test_what_is_described_is_there(client: httpx.AsyncClient) -> None:
    """What a route is told to have by its own description is never refused as unknown."""
    nothing: Any = None
    for path, verbs in make_app(nothing, nothing, HttpSettings()).openapi()["paths"].items():
        for verb, said in verbs.items():
            for one in said.get("parameters", ()):
                if one["in"] != "query":
                    continue
                address = path.replace("{pv}", "CLA:READI")
                answer = await client.request(verb, address, params={one["name"]: "x"})
                assert "no such parameter" not in answer.text, (path, one["name"])


async def test_pages_and_probes_may_add_what_they_like(client: httpx.AsyncClient) -> None:
    for path in ("/", "/page/page.js", "/healthz"):
        assert (await client.get(f"{path}?_=1795000000")).status_code == 200


async def test_who_may_not_read_is_told_nothing_of_parameters(opened: Any) -> None:
    settings = HttpSettings(tokens=frozenset({hash_token("t" * 20)}), protect_reading=True)
    async with opened(settings) as client:
        assert (await client.get("/api/v1/bins?nonsense=1")).status_code == 401


async def test_a_live_display_is_told_too(started: Any) -> None:
    served = await started()
    async with served.live("pv=CLA:READI&since=-1h") as one:
        assert json.loads(await one.recv()) == {
            "type": "error",
            "detail": "since: there is no such parameter here; there are: pv",
        }
        with pytest.raises(websockets.ConnectionClosed):
            await one.recv()
        assert one.close_code == 4422
