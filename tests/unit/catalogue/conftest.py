from __future__ import annotations

import asyncio
import importlib.util
import multiprocessing
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

# The server of the tests is also that of a benchmark.
sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

from common.postgresql import Server, programs, server
from linacre.catalogue import Catalogue

Where = Path | str
_PRELOADED = ["linacre.catalogue", "linacre.catalogue.migrate", "sqlalchemy.dialects.sqlite"]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    folder = programs()
    if folder is None:
        pytest.skip("no PostgreSQL here: install Debian's package postgresql")
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("no psycopg here: pip install 'linacre[postgresql]'")
    with server(folder) as running:
        yield running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalogue.sqlite"


@pytest.fixture
def database(postgresql: Server) -> Iterator[str]:
    """The name of a new, empty PostgreSQL database."""
    with postgresql.database() as name:
        yield name


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.thorough)])
def kind(request: pytest.FixtureRequest) -> str:
    """A test that asks for this, or for what follows from it, is done with both databases."""
    return request.param


@pytest.fixture
def empty(request: pytest.FixtureRequest, kind: str, path: Path) -> Path | str:
    """Where a catalogue is to be made."""
    if kind == "sqlite":
        return path
    running: Server = request.getfixturevalue("postgresql")
    return running.url(request.getfixturevalue("database"))


class Made:
    def __init__(self, request: pytest.FixtureRequest, folder: Path) -> None:
        self._request = request
        self._folder = folder
        self._done: dict[str, Any] = {}

    def file(self) -> Path:
        if "file" not in self._done:
            path = self._folder / "catalogue.sqlite"
            self._open(path)
            self._done["file"] = path
        return self._done["file"]

    def database(self) -> str:
        if "database" not in self._done:
            running: Server = self._request.getfixturevalue("postgresql")
            running.run("CREATE DATABASE made")
            self._open(running.url("made"))
            self._done["database"] = "made"
        return self._done["database"]

    def _open(self, where: Path | str) -> None:
        async def main() -> None:
            async with await Catalogue.open(where, logs=self._folder / "log"):
                pass

        asyncio.run(main())


@pytest.fixture(scope="session")
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Makes a catalogue once for each kind of database; copies of it save the migrations."""
    return Made(request, tmp_path_factory.mktemp("made"))


@pytest.fixture
def where(request: pytest.FixtureRequest, kind: str, path: Path, made: Made) -> Iterator[Where]:
    """Where there is a catalogue with nothing in it."""
    if kind == "sqlite":
        shutil.copy(made.file(), path)
        yield path
        return
    running: Server = request.getfixturevalue("postgresql")
    with running.database(template=made.database()) as name:
        yield running.url(name)


@pytest.fixture
async def catalogue(where: Where, tmp_path: Path) -> AsyncIterator[Catalogue]:
    async with await Catalogue.open(where, logs=tmp_path / "log") as opened:
        yield opened


Spawn = Callable[..., BaseProcess]


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Begins a process that runs a function of a test's module; they are ended with the test.

    They are forked from one that has the libraries loaded: that saves half a second each.
    """
    context = multiprocessing.get_context("forkserver")
    loaded = ["psycopg"] if importlib.util.find_spec("psycopg") else []
    context.set_forkserver_preload([*_PRELOADED, *loaded, "pytest"])
    begun: list[BaseProcess] = []

    def run(function: Callable[..., None], *args: Any) -> BaseProcess:
        process = context.Process(target=function, args=args)
        process.start()
        begun.append(process)
        return process

    yield run
    for process in begun:
        process.kill()
        process.join()
        process.close()
