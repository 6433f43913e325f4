from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from linacre.base.errors import LinacreError
from linacre.catalogue import Catalogue
from linacre.cli import task


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    @asynccontextmanager
    async def open_catalogue(file: Path | None) -> AsyncIterator[Catalogue]:
        path = tmp_path / "catalogue.sqlite"
        async with await Catalogue.open(path, logs=tmp_path / "log") as catalogue:
            yield catalogue

    async def fill() -> None:
        steps = [("image", "build [the] image"), ("S02-MAG", "make S02-MAG")]
        async with open_catalogue(None) as catalogue:
            handle = await catalogue.begin_task(facility="clara", verb="up", steps=steps)
            with pytest.raises(LinacreError):
                async with handle:
                    await handle.step_started("image")
                    await handle.step_failed("image", "no space")
                    raise LinacreError("no space")

    asyncio.run(fill())
    monkeypatch.setattr(task, "open_catalogue", open_catalogue)
    return task.app


def run(app: typer.Typer, *args: str) -> str:
    result = CliRunner().invoke(app, args, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_list(app: typer.Typer) -> None:
    head, line = run(app, "list").splitlines()
    assert head.split() == ["ID", "STARTED", "BY", "WHAT", "STATE", "STEPS", "TIME", "ERROR"]
    assert line.split()[0] == "1" and "failed" in line and "0/2" in line and "no space" in line


def test_a_task_that_cannot_be_read_is_said_and_the_others_are_listed(
    app: typer.Typer, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "catalogue.sqlite")) as connection, connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(task)")]
        said = ", ".join({"id": "2", "error": "x'ff'"}.get(name, f'"{name}"') for name in columns)
        connection.execute(f"INSERT INTO task SELECT {said} FROM task")
    result = CliRunner().invoke(app, ["list"], catch_exceptions=False)
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["ID", "1"]
    assert "tasks that cannot be read: 1" in result.stderr
    assert "linacre catalogue rebuild" in result.stderr


def test_list_as_json(app: typer.Typer) -> None:
    (task,) = json.loads(run(app, "list", "--json"))
    assert (task["id"], task["verb"], task["state"]) == (1, "up", "failed")
    assert task["started_at"].endswith("+00:00")


def test_show(app: typer.Typer) -> None:
    shown = run(app, "show", "1")
    assert "task 1: up, failed, by " in shown and "error: no space" in shown
    assert "build [the] image" in shown and "pending" in shown


def test_show_as_json(app: typer.Typer) -> None:
    task = json.loads(run(app, "show", "1", "--json"))
    assert [(s["key"], s["state"]) for s in task["steps"]] == [
        ("image", "failed"),
        ("S02-MAG", "pending"),
    ]


def test_log(app: typer.Typer) -> None:
    lines = run(app, "log", "1", "--follow").splitlines()
    assert "task started" in lines[0] and "task ended" in lines[-1]
    stored = run(app, "log", "1", "--json").splitlines()
    assert [json.loads(line)["event"] for line in stored][1] == "step started"


def test_what_cannot_be_judged_is_shown_all_the_same(
    app: typer.Typer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(self: Catalogue) -> None:
        raise LinacreError("the disk is full")

    monkeypatch.setattr(Catalogue, "mark_interrupted", full)
    result = CliRunner().invoke(app, ["list"], catch_exceptions=False)
    assert "no space" in result.stdout
    assert result.stderr == "tasks may be shown as running that are not: the disk is full\n"
