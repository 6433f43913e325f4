from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from linacre.catalogue import Catalogue


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalogue.sqlite"


@pytest.fixture
async def catalogue(path: Path) -> AsyncIterator[Catalogue]:
    async with await Catalogue.open(path, logs=path.parent / "log") as opened:
        yield opened
