from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import websockets
from fakes import NOW_NS, FakeControl, FakeReader, pv_of, table_of
from served import Served, Start

from linacre.archiver.http.serve import listen
from linacre.archiver.http.settings import hash_token
from linacre.archiver.model import Kind
from linacre.base.errors import LinacreError

TOKEN = "a-token-of-the-tests"


async def until(true: Callable[[], bool], limit_s: float = 10.0) -> None:
    async with asyncio.timeout(limit_s):
        while not true():
            await asyncio.sleep(0.005)


async def get(served: Served, where: str, **options: Any) -> httpx.Response:
    async with httpx.AsyncClient(base_url=f"http://{served.host}") as client:
        return await client.get(where, **options)


async def test_it_ends_soon_though_clients_are_connected(started: Start) -> None:
    served = await started()
    async with served.live("pv=CLA:READI") as one:
        await one.recv()
        begin = time.monotonic()
        served.stop.set()
        await asyncio.wait_for(served.task, 10)
        assert time.monotonic() - begin < 3


def test_an_address_in_use_is_told_in_one_line() -> None:
    with listen("127.0.0.1", 0) as held:
        port = held.getsockname()[1]
        with pytest.raises(LinacreError, match=f"cannot serve HTTP at 127.0.0.1 port {port}: "):
            listen("127.0.0.1", port)


async def test_answers_in_pieces_do_not_wait_for_acknowledgements(started: Start) -> None:
    served = await started()
    took: list[float] = []
    async with httpx.AsyncClient(base_url=f"http://{served.host}") as client:
        for _ in range(10):
            begin = time.monotonic()
            asked = {"pv": "CLA:READI", "start": 0, "format": "arrow"}
            answer = await client.get("/api/v1/samples", params=asked)
            assert answer.status_code == 200
            took.append(time.monotonic() - begin)
    # A client that keeps its connection acknowledges after 40 ms, and Nagle's rule would wait.
    assert min(took[1:]) < 0.035


async def test_new_samples_come_live(started: Start, control: FakeControl) -> None:
    served = await started()
    async with served.live("pv=CLA:READI&pv=CLA:WAVE") as one:
        assert json.loads(await one.recv()) == {
            "type": "following",
            "pvs": ["CLA:READI", "CLA:WAVE"],
        }
        table = table_of(pv_of(Kind.FLOAT64, [1.5, float("nan")]), slice(0, 2))
        control.followers[0].put("CLA:READI", table)
        message = json.loads(await asyncio.wait_for(one.recv(), 10))
        assert message["pv"] == "CLA:READI"
        assert message["fields"][:2] == ["time", "value"]
        assert [row[1] for row in message["rows"]] == [1.5, None]
        assert message["lost"] == 0
        wave = table_of(pv_of(Kind.FLOAT64_ARRAY, [[1.0, 2.0]]), slice(0, 1))
        control.followers[0].put("CLA:WAVE", wave)
        message = json.loads(await asyncio.wait_for(one.recv(), 10))
        assert (message["kind"], message["rows"][0][1]) == ("float64-array", [1.0, 2.0])
    await until(control.followers[0].closed.is_set)


async def test_a_slow_client_loses_the_oldest_and_is_told(
    started: Start, control: FakeControl
) -> None:
    served = await started()
    async with served.live("pv=CLA:WAVE", max_queue=1, max_size=None) as one:
        await one.recv()
        follower = control.followers[0]
        wave = table_of(pv_of(Kind.FLOAT64_ARRAY, [[0.1] * 100_000]), slice(0, 1))
        put = 0
        # It reads nothing until the server has stopped to take.
        for _ in range(400):
            follower.put("CLA:WAVE", wave)
            put += 1
            await asyncio.sleep(0.005)
        received = lost = 0
        while received + lost < put:
            message = json.loads(await asyncio.wait_for(one.recv(), 10))
            received += len(message["rows"])
            lost += message["lost"]
        assert received + lost == put
        assert lost > 0


async def test_an_unknown_pv_is_told_before_the_connection_is_closed(started: Start) -> None:
    served = await started()
    async with served.live("pv=CLA:READI&pv=NONE") as one:
        message = json.loads(await one.recv())
        assert message == {"type": "error", "detail": "there is no PV NONE in this archive"}
        with pytest.raises(websockets.ConnectionClosed):
            await one.recv()
        assert one.close_code == 4404


async def test_a_live_display_gives_its_token_first_where_reading_needs_one(
    started: Start,
) -> None:
    served = await started(tokens=frozenset({hash_token(TOKEN)}), protect_reading=True)
    for said in ('{"token": "wrong"}', "hello", "[]", '{"token": 1}'):
        async with served.live("pv=CLA:READI") as one:
            await one.send(said)
            assert json.loads(await one.recv())["type"] == "error"
            with pytest.raises(websockets.ConnectionClosed):
                await one.recv()
            assert one.close_code == 4401
    async with served.live("pv=CLA:READI") as one:
        await one.send(json.dumps({"token": TOKEN}))
        assert json.loads(await one.recv())["type"] == "following"
    header = {"Authorization": f"Bearer {TOKEN}"}
    async with served.live("pv=CLA:READI", additional_headers=header) as one:
        assert json.loads(await one.recv())["type"] == "following"


async def test_samples_are_sent_while_they_are_read(started: Start, reader: FakeReader) -> None:
    reader.held["LONG"] = pv_of(Kind.FLOAT64_ARRAY, [[0.1] * 1000] * 5000, end_ns=NOW_NS)
    reader.piece_rows = 10
    served = await started()
    async with (
        httpx.AsyncClient(base_url=f"http://{served.host}") as client,
        client.stream("GET", "/api/v1/samples?pv=LONG&start=0&format=arrow") as answer,
    ):
        pieces = answer.aiter_raw()
        await anext(pieces)
        # The client reads no more: the server may fill its buffers, and no more than those.
        await asyncio.sleep(0.3)
        assert reader.pieces < 400
        await pieces.aclose()
    await until(lambda: reader.closed == 1)


async def test_a_failure_while_sending_breaks_the_answer_off(
    started: Start, reader: FakeReader
) -> None:
    reader.fail_after = 3
    served = await started()
    with pytest.raises(httpx.RemoteProtocolError):
        await get(served, "/api/v1/samples?pv=CLA:LONG&start=0&format=csv")


async def test_reading_holds_up_nobody(
    started: Start, reader: FakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    look = reader.bins

    def slow(*args: Any) -> Any:
        go_on.wait(10)
        return look(*args)

    monkeypatch.setattr(reader, "bins", slow)
    served = await started()
    waiting = asyncio.create_task(get(served, "/api/v1/bins?pv=CLA:READI"))
    assert (await get(served, "/healthz")).status_code == 200
    assert not waiting.done()
    go_on.set()
    assert (await waiting).status_code == 200


async def test_names_of_any_characters_survive_a_real_server(started: Start) -> None:
    served = await started()
    pv = "A/B?C#{D}:E%2F é"
    whole = await get(served, "/api/v1/pvs/A%2FB%3FC%23%7BD%7D%3AE%252F%20%C3%A9")
    assert whole.json()["pv"] == pv
    found = await get(served, "/api/v1/samples", params={"pv": pv})
    assert list(found.json()["kinds"]) == [pv]
