"""A Channel Access library that is a fake, and sources of channels on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ca_fake import (
    CAPTURE,
    HERE,
    Clock,
    Ids,
    Maker,
    Server,
    compile_shared,
)

from linacre.archiver.channels._capture import load
from linacre.archiver.channels.ca import CaSource


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """capture.so and the fake libca."""
    folder = tmp_path_factory.mktemp("ca")
    return (
        compile_shared(CAPTURE, folder / "capture.so"),
        compile_shared([HERE / "fake_libca.c"], folder / "libca.so"),
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(libraries: tuple[Path, Path]) -> Server:
    return Server(libraries[1])


@pytest.fixture
def make(libraries: tuple[Path, Path], server: Server, clock: Clock) -> Iterator[Maker]:
    made: list[CaSource] = []

    def make_one(**options: Any) -> CaSource:
        source = CaSource(Ids(), clock=clock, library=lambda: load(*libraries), **options)
        made.append(source)
        return source

    yield make_one
    for source in made:
        source.close()
