from __future__ import annotations

import json
import runpy
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from conftest import Opener
from fakes import NOW_NS, FakeControl
from prometheus_client.parser import text_string_to_metric_families

from linacre.archiver.http.settings import HttpSettings, hash_token, new_token, read_tokens
from linacre.base.errors import UserError

DOCS = Path(__file__).parents[4] / "docs"
TOKEN = "a-token-of-the-tests"


async def test_the_archiver_tells_what_it_is(client: httpx.AsyncClient) -> None:
    found = (await client.get("/api/v1")).json()
    assert (found["name"], found["owner"], found["tokens"]) == ("study", "a.physicist", False)
    assert (found["pvs"], found["connected"]) == (13, 12)
    assert found["now_ns"] == NOW_NS
    assert found["loss_window_s"] == 0.6


async def test_a_full_disk_is_not_healthy(client: httpx.AsyncClient, control: FakeControl) -> None:
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    control.whole = replace(control.whole, disk_full=True)
    answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": "disk full"})


def samples_of(text: str) -> dict[tuple[str, str], float]:
    return {
        (one.name.removeprefix("linacre_archiver_"), "/".join(one.labels.values())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


async def test_metrics_are_those_of_the_archiver(client: httpx.AsyncClient) -> None:
    found = samples_of((await client.get("/metrics")).text)
    assert found["samples_total", ""] == 12345
    assert found["drops_total", "past"] == 2
    assert found["drops_total", "future"] == 0
    assert (found["pvs", "connected"], found["pvs", "lost"]) == (12, 1)
    assert found["disk_bytes", ""] == 1_234_567
    assert found["lag_seconds", ""] == 1.0
    assert not any(name.startswith("pv_") for name, _ in found)


async def test_metrics_of_each_pv_come_if_asked(client: httpx.AsyncClient) -> None:
    found = samples_of((await client.get("/metrics?pvs=1")).text)
    assert found["pv_samples_total", "CLA:READI"] == 5
    assert found["pv_drops_total", "CLA:READI/buffer"] == 1
    assert found["pv_connected", "CLA:STATE"] == 0
    assert found["pv_samples_total", "A/B?C#{D}:E%2F é"] == 1


async def test_changes_need_a_token_and_reading_does_not(opened: Opener) -> None:
    settings = HttpSettings(tokens=frozenset({hash_token("other-token-here"), hash_token(TOKEN)}))
    async with opened(settings) as client:
        for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
            answer = await client.post("/api/v1/pvs", json=["NEW"], headers=header)
            assert answer.status_code == 401
            assert "Authorization: Bearer" in answer.json()["detail"]
            assert answer.headers["www-authenticate"] == "Bearer"
        assert (await client.delete("/api/v1/pvs/CLA:READI")).status_code == 401
        assert (await client.get("/api/v1/pvs")).status_code == 200
        assert (await client.get("/api/v1")).json()["tokens"] is True
        right = {"Authorization": f"Bearer {TOKEN}"}
        assert (await client.post("/api/v1/pvs", json=["NEW"], headers=right)).status_code == 200


async def test_reading_needs_one_too_if_asked(opened: Opener) -> None:
    settings = HttpSettings(tokens=frozenset({hash_token(TOKEN)}), protect_reading=True)
    async with opened(settings) as client:
        for where in ("/api/v1", "/api/v1/samples?pv=CLA:READI", "/api/v1/pvs", "/metrics"):
            assert (await client.get(where)).status_code == 401
            header = {"Authorization": f"Bearer {TOKEN}"}
            assert (await client.get(where, headers=header)).status_code == 200
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/")).status_code == 200


def test_tokens_are_read_from_a_file(tmp_path: Path) -> None:
    token, line = new_token()
    path = tmp_path / "tokens"
    path.write_text(f"# of the shift\n{line}  # crew\n\na-plain-token-of-one\n")
    settings = HttpSettings(tokens=read_tokens(path))
    assert settings.accepts(token)
    assert settings.accepts("a-plain-token-of-one")
    assert not settings.accepts(line)
    assert not settings.accepts("")
    assert token not in path.read_text()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sha256:abc", "tokens:1: after sha256: come 64 digits"),
        ("\nshort", "tokens:2: a token has 16 characters or more"),
        ("# none", "has no token"),
    ],
)
def test_a_wrong_file_of_tokens_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "tokens"
    path.write_text(text)
    with pytest.raises(UserError, match=told):
        read_tokens(path)
    with pytest.raises(UserError, match="cannot read the tokens"):
        read_tokens(tmp_path / "none")


async def test_the_page_needs_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for where in ("page.js", "page.css", "vendor/uplot-1.6.32/uPlot.iife.min.js"):
        answer = await client.get(f"/page/{where}")
        assert answer.status_code == 200, where
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert where in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert (await client.get("/docs")).status_code == 404


def test_the_description_of_the_api_is_the_committed_one() -> None:
    made = runpy.run_path(str(DOCS / "make_archiver_api.py"))["text"]()
    committed = (DOCS / "reference/archiver-openapi.json").read_text()
    assert committed == made, "run docs/make_archiver_api.py"
    routes = json.loads(made)["paths"]
    for where, methods in routes.items():
        for one in methods.values():
            assert one["summary"], where
            assert one["description"], where
