"""Names in a sentence."""

from __future__ import annotations

import pytest

from linacre.base.listing import counted, listed


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, ""),
        (1, "n0"),
        (8, "n0, n1, n2, n3, n4, n5, n6, n7"),
        (9, "n0, n1, n2, n3, n4, n5, n6, n7 and 1 more"),
        (500, "n0, n1, n2, n3, n4, n5, n6, n7 and 492 more"),
    ],
)
def test_many_names_are_one_line(count: int, said: str) -> None:
    assert listed([f"n{n}" for n in range(count)]) == said


def test_a_number_goes_with_its_noun() -> None:
    assert [counted(n, "PV") for n in (0, 1, 2)] == ["0 PVs", "1 PV", "2 PVs"]
    assert counted(2, "entry", "entries") == "2 entries"
