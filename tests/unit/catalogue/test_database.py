"""Files that are damaged, foreign, or on a full disk."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from linacre.base.errors import LinacreError, UserError
from linacre.catalogue import Catalogue, database


async def opened(path: Path | str) -> Catalogue:
    return await Catalogue.open(path, logs=Path("/nonexistent"))


async def refusal(path: Path | str) -> str:
    with pytest.raises(LinacreError) as caught:
        await opened(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


async def made(path: Path) -> None:
    async with await Catalogue.open(path, logs=path.parent / "log") as catalogue:
        handle = await catalogue.begin_task(facility="x", verb="up", steps=[("a", "A")])
        await handle.finish()


def sound(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_the_journal_is_synced_at_each_commit(path: Path) -> None:
    opened_database = await database.Database.open(path)

    def pragma(name: str) -> object:
        return lambda connection: connection.exec_driver_sql(f"PRAGMA {name}").scalar()

    assert await opened_database.read(pragma("journal_mode")) == "wal"
    assert await opened_database.read(pragma("synchronous")) == 2
    await opened_database.close()


async def test_opening_one_that_is_up_to_date_does_not_import_alembic(path: Path) -> None:
    await made(path)
    script = """
        import asyncio, sys
        from pathlib import Path
        from linacre.catalogue import Catalogue
        path = Path(sys.argv[1])
        async def main():
            async with await Catalogue.open(path, logs=path.parent) as catalogue:
                assert len(await catalogue.tasks()) == 1
        asyncio.run(main())
        print("alembic" in sys.modules)
    """
    argv = [sys.executable, "-c", textwrap.dedent(script), str(path)]
    assert subprocess.run(argv, capture_output=True, text=True).stdout == "False\n"


async def test_a_path_with_a_percent_sign(tmp_path: Path) -> None:
    await made(tmp_path / "50%(x)s done" / "catalogue.sqlite")


async def test_an_empty_file_becomes_a_catalogue(path: Path) -> None:
    path.touch()
    await made(path)


async def test_another_programs_database_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url)")
    assert "is another program's database: move it away" in await refusal(path)


async def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_text("name: clara\n" * 100)
    said = await refusal(path)
    assert (
        said == f"the catalogue {path} is damaged: linacre catalogue rebuild sets it aside and"
        " makes it anew from the engine; machines are not touched"
    )


async def test_a_damaged_file_is_refused(path: Path) -> None:
    await made(path)
    data = bytearray(path.read_bytes())
    data[1024:] = os.urandom(len(data) - 1024)
    path.write_bytes(data)
    said = await refusal(path)
    assert "is damaged: linacre catalogue rebuild" in said


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = await refusal(tmp_path / "file" / "catalogue.sqlite")
    assert said == f"the catalogue's folder {tmp_path}/file cannot be made: File exists"


async def test_a_url_that_nothing_serves() -> None:
    with pytest.raises(UserError, match="not one that is known"):
        await opened("nosuch://user:hunter2@host/db")


async def test_a_url_of_a_file(path: Path) -> None:
    await made(path)
    async with await opened(f"sqlite:///{path}") as catalogue:
        assert len(await catalogue.tasks()) == 1


FILLS = """
    import asyncio, resource, sys
    from pathlib import Path
    from linacre.base.errors import LinacreError
    from linacre.catalogue import Catalogue

    async def main(path, limit):
        async with await Catalogue.open(path, logs=path.parent / "log") as catalogue:
            if limit:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            try:
                for n in range(2000):
                    await catalogue.begin_task(facility="x", verb="up", detail="d" * 2000)
                print("never full")
            except LinacreError as error:
                print(error)
            print(len(await catalogue.tasks(3)))

    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


async def fill(path: Path, *, limit: int) -> None:
    await made(path)
    argv = [sys.executable, "-c", textwrap.dedent(FILLS), str(path), str(limit)]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.stderr == ""
    said, count = done.stdout.splitlines()
    assert said.startswith(f"the catalogue {path} cannot be written, the disk is full")
    assert said.endswith("make room and run the command again")
    assert count == "3"


@pytest.fixture
def small_disk(small_volume: Callable[..., Path]) -> Path:
    return small_volume("1m")


async def test_a_full_disk_is_one_line_and_the_catalogue_stays_sound(small_disk: Path) -> None:
    path = small_disk / "catalogue.sqlite"
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 200_000)
    await fill(path, limit=0)
    assert sound(path)
    ballast.unlink()
    async with await Catalogue.open(path, logs=small_disk / "log") as catalogue:
        before = len(await catalogue.tasks(10_000))
        async with await catalogue.begin_task(facility="x", verb="up") as handle:
            pass
        assert handle.id == before + 1


async def test_opening_on_a_full_disk_is_one_line(small_disk: Path) -> None:
    path = small_disk / "catalogue.sqlite"
    await made(path)
    with (small_disk / "rest").open("wb", buffering=0) as rest, suppress(OSError):
        while rest.write(b"x" * 4096):
            pass
    assert "the disk is full" in await refusal(path)


async def test_a_quota_is_one_line_and_the_catalogue_stays_sound(path: Path) -> None:
    await fill(path, limit=150_000)
    assert sound(path)
    await made(path)


async def test_a_catalogue_that_may_not_be_written(path: Path) -> None:
    await made(path)
    if os.geteuid() == 0:
        setpriv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        for folder in [path.parent, *path.parent.parents[:2]]:
            folder.chmod(0o755)
        if subprocess.run([*setpriv, "ls", str(path)], capture_output=True).returncode != 0:
            pytest.skip("another user cannot reach the test's folder")
    else:
        setpriv = []
        path.chmod(0o444)
        path.parent.chmod(0o555)
    script = """
        import asyncio, sys
        from pathlib import Path
        from linacre.base.errors import LinacreError
        from linacre.catalogue import Catalogue
        path = Path(sys.argv[1])
        async def main():
            try:
                async with await Catalogue.open(path, logs=path.parent) as catalogue:
                    await catalogue.begin_task(facility="x", verb="up")
            except LinacreError as error:
                print(error)
        asyncio.run(main())
    """
    argv = [*setpriv, sys.executable, "-c", textwrap.dedent(script), str(path)]
    done = subprocess.run(argv, capture_output=True, text=True)
    path.parent.chmod(0o755)
    assert done.stdout.count("\n") == 1 and str(path) in done.stdout, done.stderr
