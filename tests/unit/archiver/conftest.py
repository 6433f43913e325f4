"""What the archiver's tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from archiver_bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "study")
    yield bench
    bench.close()
