"""Bits of a catalogue's file that flip: what can be read is, and a rebuild sets the file aside."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from linacre.base.errors import LinacreError
from linacre.catalogue import Catalogue
from linacre.catalogue.model import FileEntry, IocEntry, MachineEntry, NewState, RecordEntry
from linacre.catalogue.rescue import is_damaged, set_aside

HEADER_BYTES = 100
TASKS = 40


async def opened(path: Path) -> Catalogue:
    return await Catalogue.open(path, logs=path.parent / "log")


async def fill(path: Path) -> None:
    async with await opened(path) as catalogue:
        inventory = catalogue.inventory("x")
        await inventory.set_machines([MachineEntry("a", "ioc", "a", "n", "10.0.0.1", "h", "")])
        await inventory.set_iocs([IocEntry("a", *("ü" * 12 for _ in range(12)))])
        await inventory.set_records("a", [RecordEntry(f"A:{k}", "ai", "µA") for k in range(200)])
        await inventory.add_state(
            NewState(
                *("a", "up", 1, "me", 1e9, "iocs/a", "", "d" * 64, "kind: softioc\n"),
                files={"st.cmd": FileEntry(0o644, "e" * 64)},
            )
        )
        for k in range(TASKS):
            task = await catalogue.begin_task(
                facility="x", verb="up", detail="ü" * 20, steps=[("a", "Start ä"), ("b", "B")]
            )
            await task.step_started("a")
            await task.step_done("a")
            await task.finish(f"näin {k}" if k % 2 else None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "catalogue.sqlite"
    asyncio.run(fill(path))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


async def use(path: Path) -> int:
    """Read all that there is and begin a task; return how many tasks could be read."""
    async with await opened(path) as catalogue:
        await catalogue.mark_interrupted()
        listed = await catalogue.task_list(1000)
        for task in listed.tasks:
            await catalogue.steps(task.id)
        inventory = catalogue.inventory("x")
        await inventory.machines()
        await inventory.unread()
        await inventory.duplicates()
        await inventory.find("*")
        for ioc in await inventory.iocs():
            await inventory.records(ioc.name)
            await inventory.states(ioc.name)
        await inventory.actions("a")
        async with await catalogue.begin_task(facility="x", verb="up", steps=[("a", "A")]):
            pass
        return len(listed.tasks)


def flip(path: Path, bits: list[int]) -> None:
    data = bytearray(path.read_bytes())
    for bit in bits:
        data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


async def refusal_of(path: Path) -> str:
    try:
        await use(path)
    except LinacreError as error:
        return str(error)
    return ""


async def test_a_whole_catalogue_is_not_damaged(whole: Path, path: Path) -> None:
    shutil.copy(whole, path)
    assert not is_damaged(path)
    assert await use(path) == TASKS
    assert not is_damaged(path)


@pytest.mark.parametrize(("count", "seeds"), [(1, 15), (40, 100)])
async def test_whatever_flips_it_is_used_or_set_aside(
    whole: Path, tmp_path: Path, count: int, seeds: int
) -> None:
    size = 8 * whole.stat().st_size
    damaged = 0
    for seed in range(seeds):
        path = tmp_path / f"{seed}" / "catalogue.sqlite"
        path.parent.mkdir()
        shutil.copy(whole, path)
        chosen = random.Random(seed)
        flip(path, [chosen.randrange(8 * HEADER_BYTES, size) for _ in range(count)])
        if is_damaged(path):
            damaged += 1
            said = await refusal_of(path)
            assert not said or "is damaged: linacre catalogue rebuild" in said, (seed, said)
        else:
            assert await refusal_of(path) == "", seed
    assert damaged > (0 if count == 1 else 0.9 * seeds)


async def test_a_flip_in_the_head_of_the_file_is_harmless_or_found(whole: Path, path: Path) -> None:
    for bit in range(0, 8 * HEADER_BYTES, 37):
        shutil.copy(whole, path)
        flip(path, [bit])
        said = await refusal_of(path)
        assert not said or is_damaged(path), (bit, said)


def update(path: Path, said: str, *values: Any) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(said, values)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("error", "CAST(x'ff' AS TEXT)"),
        ("user", "CAST(x'c3' AS TEXT)"),
        ("state", "'dooe'"),
        ("started_at", "1e300"),
        ("ended_at", "x'00'"),
        ("pid", "'twelve'"),
        ("process_started", "CAST(x'ff' AS TEXT)"),
    ],
)
async def test_a_task_that_cannot_be_read_is_left_out_and_counted(
    whole: Path, path: Path, column: str, value: str
) -> None:
    shutil.copy(whole, path)
    update(path, f"UPDATE task SET {column} = {value} WHERE id = 7")
    async with await opened(path) as catalogue:
        assert await catalogue.mark_interrupted() == []
        listed = await catalogue.task_list(1000)
        assert [task.id for task in listed.tasks] == [k for k in range(TASKS, 0, -1) if k != 7]
        assert listed.unreadable == 1
        assert len(await catalogue.tasks(3)) == 3
        with pytest.raises(LinacreError, match="is damaged: linacre catalogue rebuild"):
            await catalogue.task(7)
    assert is_damaged(path)


@pytest.mark.parametrize(
    "said",
    [
        "UPDATE step SET title = CAST(x'ff' AS TEXT) WHERE task_id = 7",
        "UPDATE step SET state = 'ruining' WHERE task_id = 7 AND number = 2",
        "UPDATE state SET files = 'x' || files",
        "UPDATE state SET files = '[]'",
        "UPDATE record SET description = CAST(x'ff' AS TEXT) WHERE name = 'A:7'",
        "UPDATE alembic_version SET version_num = '00s3'",
        "ALTER TABLE task RENAME COLUMN error TO errpr",
    ],
)
async def test_damage_anywhere_is_one_line_and_set_aside(
    whole: Path, path: Path, said: str
) -> None:
    shutil.copy(whole, path)
    update(path, said)
    assert is_damaged(path)
    assert await refusal_of(path)


async def test_beside_what_was_set_aside_another_is_made(whole: Path, path: Path) -> None:
    shutil.copy(whole, path)
    update(path, "UPDATE task SET error = CAST(x'ff' AS TEXT) WHERE id = 7")
    aside = set_aside(path)
    assert aside.name.startswith(f"{path.name}.damaged-")
    assert await use(path) == 0
    assert is_damaged(aside) and not is_damaged(path)


async def test_another_programs_database_is_not_damaged(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE task (title)")
    assert not is_damaged(path)


async def test_a_newer_linacres_is_not_damaged(whole: Path, path: Path) -> None:
    shutil.copy(whole, path)
    update(path, "UPDATE alembic_version SET version_num = '9999'")
    update(path, "UPDATE task SET state = 'postponed' WHERE id = 7")
    assert not is_damaged(path)
    assert "was written by a newer Linacre" in await refusal_of(path)
