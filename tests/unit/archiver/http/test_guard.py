"""Requests of other sites' pages, under other names, too large or too slow: refused unread."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import websockets
from fakes import FakeControl

from linacre.archiver.http import guard, serve
from linacre.archiver.http.routes.changes import MOST_AT_ONCE

PAUSE = {"pvs": ["CLA:READI"]}
ELSEWHERE = [
    "http://evil.example",
    "http://evil.example:17665",
    "null",
    "http://archiver.evil.example",
    "http://archiver:81",
]


async def test_its_own_page_may_change(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/api/v1/pvs/pause", json=PAUSE, headers={"Origin": "http://archiver"}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("origin", ELSEWHERE)
@pytest.mark.parametrize("verb", ["POST", "DELETE", "PUT", "PATCH"])
async def test_a_page_of_elsewhere_changes_nothing(
    client: httpx.AsyncClient, control: FakeControl, origin: str, verb: str
) -> None:
    before = [one.state for one in control.status()]
    path = "/api/v1/pvs/CLA:READI" if verb == "DELETE" else "/api/v1/pvs/pause"
    answer = await client.request(verb, path, content=json.dumps(PAUSE), headers={"Origin": origin})
    assert answer.status_code == 403
    assert "open the archiver's own" in answer.json()["detail"]
    assert [one.state for one in control.status()] == before


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:17665", "archiver.evil.example", "", "[", "10.1.1.1.evil", "1"],
)
@pytest.mark.parametrize("path", ["/api/v1", "/", "/healthz", "/metrics"])
async def test_a_rebound_name_is_refused(client: httpx.AsyncClient, host: str, path: str) -> None:
    answer = await client.get(path, headers={"Host": host})
    assert answer.status_code == 421
    assert "\n" not in answer.json()["detail"]


@pytest.mark.parametrize(
    "host", ["archiver", "ARCHIVER:17665", "10.73.2.71:17665", "127.0.0.1", "[::1]:1", "localhost"]
)
async def test_its_addresses_and_names_are_its_own(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/api/v1", headers={"Host": host})).status_code == 200


async def test_two_hosts_are_none(client: httpx.AsyncClient) -> None:
    headers = [("Host", "archiver"), ("Host", "evil.example")]
    assert (await client.get("/api/v1", headers=headers)).status_code == 421


async def test_a_body_that_says_that_it_is_large_is_not_read(client: httpx.AsyncClient) -> None:
    async def body() -> AsyncIterator[bytes]:
        pytest.fail("it was asked for")
        yield b""

    for length in (str(300 << 20), "9" * 30, "9" * 5000, "-1", "x"):
        answer = await client.post(
            "/api/v1/pvs", content=body(), headers={"Content-Length": length}
        )
        assert answer.status_code == 413


async def test_a_body_without_end_is_cut_off(client: httpx.AsyncClient) -> None:
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1 << 16
            assert sent < guard.LARGEST_BODY + (2 << 16)
            yield bytes(1 << 16)

    answer = await client.post("/api/v1/pvs", content=body())
    assert answer.status_code == 413
    assert answer.json()["detail"].startswith("the body is larger than 4 MiB")


async def test_names_are_bounded(client: httpx.AsyncClient) -> None:
    too_many = [f"P{number}" for number in range(MOST_AT_ONCE + 1)]
    for pvs in (too_many, [{"pv": "x" * 501}], [{"pv": "x", "period_s": 1e300}]):
        answer = await client.post("/api/v1/pvs", json=pvs)
        assert answer.status_code == 422, answer.text
        assert "\n" not in answer.json()["detail"]


@pytest.mark.parametrize("what", ["elements", "limit", "offset", "n", "count"])
@pytest.mark.parametrize("number", ["9" * 23, "-1", "1e400", "nan", "9" * 5000])
async def test_numbers_are_bounded(client: httpx.AsyncClient, what: str, number: str) -> None:
    path = {"elements": "last", "limit": "pvs", "offset": "names", "n": "bins", "count": "after"}
    needed = {"after": {"pv": "CLA:READI", "time": "-1h"}, "names": {}, "pvs": {}}
    query = needed.get(path[what], {"pv": "CLA:READI"}) | {what: number}
    answer = await client.get(f"/api/v1/{path[what]}", params=query)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(f"{what}: ")
    assert "no such parameter" not in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]


# -- over real connections


async def refused(served: Any, origin: str | None, **options: Any) -> int:
    try:
        async with served.live("pv=CLA:READI", origin=origin, **options) as one:
            await one.recv()
    except websockets.InvalidStatus as error:
        return error.response.status_code
    return 0


async def test_a_page_of_elsewhere_reads_nothing_over_a_websocket(started: Any) -> None:
    served = await started()
    assert await refused(served, None) == 0
    assert await refused(served, f"http://{served.host}") == 0
    for origin in ELSEWHERE:
        assert await refused(served, origin) == 403, origin
    rebound = {"Host": "evil.example:17665"}
    assert await refused(served, "http://evil.example:17665", additional_headers=rebound) != 0


async def test_half_sent_requests_end(started: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "HEAD_LIMIT_S", 0.3)
    served = await started()
    host, port = served.host.split(":")
    whole = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    for first, half in (
        (b"", b""),
        (b"", b"GET /api/v1 HT"),
        (whole, b"GET /api/v1 HTTP/1.1\r\nHo"),
    ):
        reader, writer = await asyncio.open_connection(host, int(port))
        async with asyncio.timeout(10):
            if first:
                writer.write(first)
                assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 ")
            writer.write(half)
            assert await reader.read() == b""
        writer.close()


async def test_a_slow_body_ends(started: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_LIMIT_S", 0.3)
    served = await started()
    host, port = served.host.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST /api/v1/pvs HTTP/1.1\r\nHost: {served.host}\r\nContent-Length: 99\r\n\r\n[".encode()
    )
    async with asyncio.timeout(10):
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 408 ")
    writer.close()
