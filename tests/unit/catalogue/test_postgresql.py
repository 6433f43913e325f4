"""What a user hears of a PostgreSQL that cannot be reached, refuses, or goes away."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.postgresql import Server, unprivileged
from linacre.base.errors import LinacreError, UserError
from linacre.catalogue import Catalogue, connect
from linacre.catalogue.model import IocEntry, RecordEntry

LOGS = Path("/nonexistent")
IOC = IocEntry(**{**dict.fromkeys(IocEntry.__dataclass_fields__, ""), "name": "A"})


async def refusal(where: str, *, kind: type[LinacreError] = LinacreError) -> str:
    with pytest.raises(kind) as caught:
        async with await Catalogue.open(where, logs=LOGS) as catalogue:
            await catalogue.begin_task(facility="x", verb="up")
    said = str(caught.value)
    assert "\n" not in said and "hunter2" not in said and "+psycopg" not in said
    return said


async def test_a_plain_url_is_served_by_psycopg_3(postgresql: Server, database: str) -> None:
    url = postgresql.url(database)
    for where in (url, url.replace("postgresql:", "postgresql+psycopg:"), url.replace("ql:", ":")):
        async with await Catalogue.open(where, logs=LOGS) as catalogue:
            await catalogue.begin_task(facility="x", verb="up")


async def test_a_server_that_does_not_run(tmp_path: Path) -> None:
    said = await refusal(f"postgresql://me:hunter2@/clara?host={tmp_path}")
    assert said == (
        f"the catalogue postgresql://me@/clara?host={tmp_path} cannot be reached: see that its"
        " server runs, and the URL's host and port"
    )


@pytest.fixture
def silent() -> Iterator[int]:
    """A port of the loopback that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


async def test_a_server_that_says_nothing_is_not_waited_for(silent: int) -> None:
    assert connect._LIBPQ["connect_timeout"] == "5"
    begun = time.monotonic()
    said = await refusal(f"postgresql://me@127.0.0.1:{silent}/clara?connect_timeout=2")
    assert "did not answer in time" in said and f"127.0.0.1:{silent}/clara" in said
    assert time.monotonic() - begun < 20


async def test_a_password_that_is_wrong_or_missing(
    postgresql: Server, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for user in ("secret:wrong-hunter2", "secret"):
        said = await refusal(postgresql.url(database, user=user))
        assert "refused the user or its password" in said and "secret@" in said
    said = await refusal(postgresql.url(database, user="secret", password="hunter2-no"))
    assert "refused the user or its password" in said
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    async with await Catalogue.open(postgresql.url("postgres"), logs=LOGS):
        pass


async def test_a_password_from_the_password_file(
    postgresql: Server, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgresql.run(f"GRANT ALL ON DATABASE {database} TO secret")
    postgresql.run("GRANT ALL ON SCHEMA public TO secret", database=database)
    file = tmp_path / "pgpass"
    file.touch(0o600)
    file.write_text(f"{postgresql.folder}:*:*:secret:hunter2\n")
    monkeypatch.setenv("PGPASSFILE", str(file))
    async with await Catalogue.open(postgresql.url(database, user="secret"), logs=LOGS) as opened:
        await opened.begin_task(facility="x", verb="up")


async def test_a_user_or_a_database_that_is_not_there(postgresql: Server, database: str) -> None:
    said = await refusal(postgresql.url(database, user="nosuch"))
    assert "knows no such user" in said
    assert "is not there: create the database" in await refusal(postgresql.url("nosuch"))


async def test_a_user_that_may_not_write(postgresql: Server, database: str) -> None:
    async with await Catalogue.open(postgresql.url(database), logs=LOGS):
        pass
    said = await refusal(postgresql.url(database, user="plain"))
    assert "may not be written by this user: make it the owner of the database" in said


async def test_a_user_that_may_not_make_tables(postgresql: Server, database: str) -> None:
    postgresql.run("REVOKE CREATE ON SCHEMA public FROM PUBLIC", database=database)
    said = await refusal(postgresql.url(database, user="plain"))
    assert "may not be written by this user: make it the owner of the database" in said


async def test_a_database_that_is_only_read(postgresql: Server, database: str) -> None:
    postgresql.run(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    assert "may only be read" in await refusal(postgresql.url(database))


async def test_a_url_that_is_none_of_ours() -> None:
    for url in ("mysql://me:hunter2@host/db", "postgresql://me:hunter2@host:port/db"):
        said = await refusal(url, kind=UserError)
        assert "is not one that is known: write postgresql://USER@HOST/DATABASE" in said
    said = await refusal("postgresql://me:hunter2@/db?nonsense=1")
    assert "an option in its URL that is not one of PostgreSQL's" in said


async def test_a_server_that_goes_away_in_the_middle_and_comes_back(
    postgresql: Server, database: str
) -> None:
    mine = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
    async with await Catalogue.open(postgresql.url(database), logs=LOGS) as catalogue:

        def cut(connection: object) -> None:
            connection.exec_driver_sql("SELECT 1")  # type: ignore[attr-defined]
            postgresql.run(mine)
            connection.exec_driver_sql("SELECT 2")  # type: ignore[attr-defined]

        with pytest.raises(LinacreError) as caught:
            await catalogue._database.write(cut)
        assert "was cut off by its server, machines are not touched" in str(caught.value)
        assert "\n" not in str(caught.value)
        # Between two transactions nothing is lost: the next takes a new connection.
        await catalogue.begin_task(facility="x", verb="up")
        postgresql.run(mine)
        await catalogue.begin_task(facility="x", verb="up")
        assert len(await catalogue.tasks()) == 2


async def test_another_program_that_holds_a_table_for_long(
    postgresql: Server, database: str
) -> None:
    import psycopg

    url = postgresql.url(database, options="-c%20lock_timeout=100")
    async with await Catalogue.open(url, logs=LOGS) as catalogue:
        with psycopg.connect(f"host={postgresql.folder} user=tester dbname={database}") as other:
            other.execute("LOCK TABLE task")
            with pytest.raises(LinacreError, match="held by another program for too long"):
                await catalogue.begin_task(facility="x", verb="up")


@pytest.fixture
def small_space(postgresql: Server, small_volume: Callable[..., Path]) -> Iterator[str]:
    """The name of a tablespace of 12 MB."""
    inner = small_volume("12m", postgresql.folder / "small", mode="777") / "space"
    subprocess.run([*unprivileged(), "mkdir", "-m", "700", str(inner)], check=True)
    postgresql.run(f"CREATE TABLESPACE small LOCATION '{inner}'")
    yield "small"
    postgresql.run("DROP TABLESPACE small")


async def test_a_full_disk_of_the_server(postgresql: Server, small_space: str) -> None:
    postgresql.run(f"CREATE DATABASE full_one TABLESPACE {small_space}")
    try:
        async with await Catalogue.open(postgresql.url("full_one"), logs=LOGS) as catalogue:
            inventory = catalogue.inventory("x")
            await inventory.set_iocs([IOC])
            with pytest.raises(LinacreError, match="cannot be written, the disk is full"):
                for _ in range(50):
                    records = [RecordEntry(f"PV{n}", "", os.urandom(500).hex()) for n in range(500)]
                    await inventory.set_records("A", records)
            assert await inventory.iocs() == [IOC]
    finally:
        postgresql.run("DROP DATABASE full_one WITH (FORCE)")


async def test_without_psycopg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    said = await refusal("postgresql://me:hunter2@host/db", kind=UserError)
    assert said == (
        "the catalogue postgresql://me@host/db needs the Python package psycopg: run"
        " pip install 'linacre[postgresql]'"
    )
