"""Files of data held against a model: what is wrong is told by file, line and key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BaseModel, StringConstraints

from linacre.base.errors import LinacreError
from linacre.documents.models import ModelFile


class _Rooms(BaseModel):
    rooms: dict[Annotated[str, StringConstraints(max_length=5)], int]


def test_a_key_that_is_wrong_is_told_where_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "rooms.yaml"
    file.write_text("rooms:\n  hall: 1\n  conservatory: 2\n")
    with pytest.raises(LinacreError) as found:
        ModelFile(_Rooms, kind="a file of rooms", usual="rooms.yaml").read(file)
    assert f"{file}:3: rooms.conservatory: " in str(found.value)
    assert "[key]" not in str(found.value)
