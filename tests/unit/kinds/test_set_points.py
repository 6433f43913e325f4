"""Which records are set points, and what a desk is asked and tells of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any, cast

import pytest

from linacre.base.errors import LinacreError
from linacre.catalogue.model import RecordEntry
from linacre.declaration.load import load
from linacre.engines.base import Completed, Engine
from linacre.kinds.ioc.set_points import read_set_points, set_points, write_set_points
from linacre.session.session import Session


class Desk:
    """Stands for a desk whose Python prints what it was told to."""

    def __init__(self, told: str, error: str = "") -> None:
        self.told, self.error = told, error
        self.asked: list[tuple[str, Any]] = []

    def layout(self, machine: str, address: object) -> Any:
        return SimpleNamespace(python="python", tree=PurePosixPath("/srv"))

    async def exec(self, name: str, argv: Sequence[str], *, stdin: bytes = b"") -> Completed:
        compile(argv[-1], "at the desk", "exec")
        self.asked.append((name, json.loads(stdin)))
        return Completed(1 if self.error else 0, self.told.encode(), self.error.encode())


@pytest.fixture
def session(tmp_path: Path) -> Session:
    file = tmp_path / "facility.yaml"
    file.write_text("facility: lab\nnetworks:\n  controls: {subnet: 10.9.0.0/24}\n")
    return cast("Session", SimpleNamespace(declaration=load(file)))


def as_engine(desk: Desk) -> Engine:
    return cast("Engine", desk)


def test_outputs_are_set_points_and_readings_are_none() -> None:
    kinds: Mapping[str, str] = {"A": "ao", "B": "ai", "C": "mbbo", "D": "", "E": "calc"}
    assert set_points(RecordEntry(name, kind) for name, kind in kinds.items()) == ["A", "C"]


async def test_what_does_not_answer_is_left_out(session: Session) -> None:
    desk = Desk('{"A": 1.5, "B": null, "C": "on"}')
    found = await read_set_points(session, as_engine(desk), "controls", ["A", "B", "C"])
    assert found == {"A": 1.5, "C": "on"}
    assert desk.asked == [("desk-controls", ["A", "B", "C"])]


async def test_nobody_is_asked_for_nothing(session: Session) -> None:
    desk = Desk("")
    assert await read_set_points(session, as_engine(desk), "controls", []) == {}
    assert await write_set_points(session, as_engine(desk), "controls", {}) == {}
    assert desk.asked == []


async def test_what_is_not_taken_is_told_with_why(session: Session) -> None:
    desk = Desk('{"A": "Write access denied"}')
    refused = await write_set_points(session, as_engine(desk), "controls", {"A": 1, "B": 2})
    assert refused == {"A": "Write access denied"}


@pytest.mark.parametrize("told", ["", "[1]", "nonsense"])
async def test_a_desk_that_tells_nothing_is_one_line(session: Session, told: str) -> None:
    with pytest.raises(LinacreError, match="set points cannot be reached at desk-controls"):
        await read_set_points(session, as_engine(Desk(told, "no aioca")), "controls", ["A"])
