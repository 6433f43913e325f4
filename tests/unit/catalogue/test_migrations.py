"""A catalogue of an older or newer Linacre, in both databases; also where a migration is killed."""

from __future__ import annotations

import asyncio
import multiprocessing
import shutil
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.engine import Engine

from common.postgresql import Server
from linacre.base.errors import LinacreError
from linacre.base.tasks import TaskState
from linacre.catalogue import Catalogue, database, migrate
from linacre.catalogue.connect import sql_engine
from linacre.catalogue.tables import SCHEMA, whole_metadata

Where = Path | str
Spawn = Callable[..., BaseProcess]
NEXT = f"{int(SCHEMA) + 1:04}"

MIGRATION = f'''
"""Adds a note."""
import os, signal
from pathlib import Path
import sqlalchemy as sa
from alembic import op
revision = "{NEXT}"
down_revision = "{SCHEMA}"
def upgrade():
    op.execute(sa.text("DELETE FROM step"))
    op.add_column("task", sa.Column("note", sa.Text()))
    {{then}}
'''


def engine_of(where: Where) -> Engine:
    return sql_engine(where)


def rows(where: Where, query: str) -> list[tuple[Any, ...]]:
    engine = engine_of(where)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(query))]
    engine.dispose()
    return found


def change(where: Where, *statements: str) -> None:
    engine = engine_of(where)
    with engine.connect() as connection, connection.begin():
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def columns(where: Where) -> set[str]:
    engine = engine_of(where)
    with engine.connect() as connection:
        found = set(connection.execute(text("SELECT * FROM task")).keys())
    engine.dispose()
    return found


async def fill(where: Where, logs: Path) -> None:
    async with await Catalogue.open(where, logs=logs) as catalogue:
        steps = [("a", "A"), ("b", "B")]
        async with await catalogue.begin_task(facility="x", verb="up", steps=steps) as task:
            await task.step_started("a")


def at_0001(where: Where) -> None:
    """Make a catalogue as the first migration left it, with tasks in it."""
    engine = engine_of(where)
    with engine.connect() as connection, connection.begin():
        config = Config()
        config.set_main_option("script_location", str(migrate.SCRIPTS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        values = "'up', '', 'me', 'host', 1, '1', 100.0, 200.0, 'done', NULL"
        for number in (1, 2, 3):
            said = f"{number}, 'clara', {values}, 'task-00000{number}.log'"
            insert = f"INSERT INTO task VALUES ({said})"
            connection.execute(text(insert))
        for values in ("3, 1, 'a', 'A'", "2, 1, 'start the mag', 'start mag'"):
            insert = f"INSERT INTO step VALUES ({values}, 'done', 1.0, 2.0, NULL)"
            connection.execute(text(insert))
        connection.execute(text("UPDATE task SET detail = 'mag', verb = 'swap' WHERE id = 1"))
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT setval('task_id_seq', 3)"))
    engine.dispose()


def use_newer(scripts: Path) -> None:
    """Be a program of the next schema."""
    migrate.migrate = partial(migrate_with, migrate.migrate, scripts)  # type: ignore[assignment]
    database.SCHEMA = NEXT  # type: ignore[misc]


def migrate_with(original: Any, scripts: Path, connection: Connection, *, found: str) -> None:
    original(connection, found=found, target=NEXT, scripts=scripts)


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """The folder of the migrations of a program of the next schema."""
    folder = tmp_path / "scripts"
    shutil.copytree(migrate.SCRIPTS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def newer(scripts: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of the next schema; returns the file of its migration."""
    monkeypatch.setattr(migrate, "migrate", migrate.migrate)
    monkeypatch.setattr(database, "SCHEMA", SCHEMA)
    use_newer(scripts)
    return scripts / "versions" / "next.py"


def copied(where: Where, schema: str = SCHEMA) -> Callable[[str], list[tuple[Any, ...]]]:
    """Return what asks the copy of an older schema: `{}` in a query stands before tables."""
    if isinstance(where, Path):
        path = where.with_name(f"{where.name}.schema-{schema}")
        return lambda query: rows(path, query.replace("{}", "")) if path.exists() else []
    return lambda query: rows(where, query.replace("{}", f"linacre_schema_{schema}."))


def differences(where: Where) -> list[Any]:
    """Return in what the tables differ from those of the code, keys and indexes as well."""
    engine = engine_of(where)
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), whole_metadata())
    engine.dispose()
    return found


async def test_migrations_lead_to_the_tables_of_the_code(where: Where) -> None:
    assert differences(where) == []


def test_the_schema_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.SCRIPTS))
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA


async def test_one_of_the_first_schema_is_copied_and_migrated(empty: Where, tmp_path: Path) -> None:
    at_0001(empty)

    async with await Catalogue.open(empty, logs=tmp_path / "log") as catalogue:
        tasks = await catalogue.tasks()
        assert [(t.id, t.state, t.steps_done) for t in tasks] == [
            (3, TaskState.DONE, 1),
            (2, TaskState.DONE, 1),
            (1, TaskState.DONE, 0),
        ]
        assert (await catalogue.begin_task(facility="clara", verb="up")).id == 4
        inventory = catalogue.inventory("clara")
        assert await inventory.iocs() == []
        done = [(each.task_id, each.steps) for each in await inventory.actions("mag", "a")]
        assert done == [(1, ()), (2, ("start mag",))]

    old = copied(empty, "0001")
    assert old("SELECT version_num FROM {}alembic_version") == [("0001",)]
    assert old("SELECT id, verb FROM {}task ORDER BY id") == [(1, "swap"), (2, "up"), (3, "up")]
    assert old("SELECT task_id, key FROM {}step ORDER BY task_id") == [
        (2, "start the mag"),
        (3, "a"),
    ]


async def test_the_copy_in_postgresql_can_be_put_back(
    postgresql: Server, database: str, tmp_path: Path
) -> None:
    where = postgresql.url(database)
    at_0001(where)
    await fill(where, tmp_path / "log")

    tables = [row[0] for row in rows(where, "SELECT tablename FROM pg_tables"
                                     " WHERE schemaname = 'public'")]  # fmt: skip
    change(
        where,
        f"DROP TABLE {', '.join(tables)} CASCADE",
        *(
            f"ALTER TABLE linacre_schema_0001.{name} SET SCHEMA public"
            for name in ("alembic_version", "task", "step")
        ),
    )
    await fill(where, tmp_path / "log")

    assert rows(where, "SELECT id FROM task ORDER BY id") == [(1,), (2,), (3,), (4,)]
    assert rows(where, "SELECT count(*) FROM linacre_schema_0001_2.task") == [(3,)]
    assert differences(where) == []


async def test_a_migration_that_fails_leaves_the_old_schema(
    where: Where, newer: Path, tmp_path: Path
) -> None:
    change(where, "INSERT INTO ioc VALUES (1, 'x', 'A', '', '', '', '', '', '', '', '', '', '', '',"
           " '', '', NULL, NULL, '')")  # fmt: skip
    newer.write_text(MIGRATION.format(then="raise RuntimeError('half way')"))
    with pytest.raises(RuntimeError, match="half way"):
        await Catalogue.open(where, logs=tmp_path / "log")
    assert "note" not in columns(where)
    assert rows(where, "SELECT name FROM ioc") == [("A",)]


def open_newer(where: Where, scripts: Path, gate: Any = None) -> None:
    async def main() -> None:
        if gate:
            gate.wait(20)
        async with (
            await Catalogue.open(where, logs=scripts / "log") as catalogue,
            await catalogue.begin_task(facility="x", verb="after"),
        ):
            pass

    use_newer(scripts)
    asyncio.run(main())


async def test_a_migration_that_is_killed_leaves_all_and_the_next_one_does_it(
    where: Where, scripts: Path, tmp_path: Path, spawn: Spawn
) -> None:
    await fill(where, tmp_path / "log")
    file = scripts / "versions" / "next.py"
    file.write_text(MIGRATION.format(then="os.kill(os.getpid(), signal.SIGKILL)"))

    process = spawn(open_newer, where, scripts)
    await asyncio.to_thread(process.join, 20)

    assert process.exitcode == -signal.SIGKILL
    assert "note" not in columns(where)
    assert rows(where, "SELECT version_num FROM alembic_version") == [(SCHEMA,)]
    assert rows(where, "SELECT key FROM step ORDER BY number") == [("a",), ("b",)]
    if isinstance(where, Path):
        with closing(sqlite3.connect(where)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert copied(where)("SELECT key FROM {}step ORDER BY number") == [("a",), ("b",)]
    else:
        # The copy is made in the transaction that was killed.
        schemas = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'linacre_schema%'"
        assert rows(where, schemas) == [(0,)]
    # The present Linacre works on with it.
    await fill(where, tmp_path / "log")

    file.write_text(MIGRATION.format(then="pass"))
    shutil.rmtree(scripts / "versions" / "__pycache__", ignore_errors=True)
    process = spawn(open_newer, where, scripts)
    await asyncio.to_thread(process.join, 20)

    assert process.exitcode == 0
    assert "note" in columns(where)
    assert rows(where, "SELECT verb FROM task ORDER BY id") == [("up",), ("up",), ("after",)]
    assert copied(where)("SELECT count(*) FROM {}step") == [(4,)]
    assert copied(where)("SELECT version_num FROM {}alembic_version") == [(SCHEMA,)]


async def test_of_two_that_migrate_at_once_one_does_and_one_waits(
    where: Where, scripts: Path, tmp_path: Path, spawn: Spawn
) -> None:
    await fill(where, tmp_path / "log")
    ran = tmp_path / "ran"
    then = f"with Path({str(ran)!r}).open('a') as file: file.write(f'{{os.getpid()}}\\n')"
    (scripts / "versions" / "next.py").write_text(MIGRATION.format(then=then))
    gate = multiprocessing.get_context("forkserver").Barrier(3)

    processes = [spawn(open_newer, where, scripts, gate) for _ in range(3)]
    for process in processes:
        await asyncio.to_thread(process.join, 30)

    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(ran.read_text().splitlines()) == 1
    assert rows(where, "SELECT verb, count(*) FROM task GROUP BY verb ORDER BY verb") == [
        ("after", 3),
        ("up", 1),
    ]
    assert copied(where)("SELECT count(*) FROM {}task") == [(1,)]


async def test_a_newer_schema_is_refused(where: Where) -> None:
    change(where, "UPDATE alembic_version SET version_num = '0099'")
    with pytest.raises(LinacreError) as caught:
        await Catalogue.open(where, logs=Path("/nonexistent"))
    shown = where if isinstance(where, Path) else where.replace("+psycopg", "")
    assert str(caught.value) == (
        f"the catalogue {shown} was written by a newer Linacre (schema 0099, this one knows up to"
        f" {SCHEMA}): use that Linacre"
    )
    assert rows(where, "SELECT version_num FROM alembic_version") == [("0099",)]


async def test_a_postgresql_of_another_program_is_refused(
    postgresql: Server, database: str
) -> None:
    where = postgresql.url(database)
    change(where, "CREATE TABLE bookmarks (url text)")
    with pytest.raises(LinacreError, match="is another program's database"):
        await Catalogue.open(where, logs=Path("/nonexistent"))


async def test_no_migration_where_no_copy_can_be_made(
    postgresql: Server, database: str, tmp_path: Path
) -> None:
    at_0001(postgresql.url(database))
    postgresql.run("GRANT ALL ON ALL TABLES IN SCHEMA public TO plain", database=database)
    with pytest.raises(LinacreError) as caught:
        await Catalogue.open(postgresql.url(database, user="plain"), logs=tmp_path)
    assert "was not migrated, since no copy can be made first" in str(caught.value)
    assert "GRANT CREATE ON DATABASE" in str(caught.value) and "\n" not in str(caught.value)
