"""What the doctor finds in what an archiver says of its data."""

from __future__ import annotations

from typing import Any

import pytest

from linacre.kinds.archiver.checks import of_its_data
from linacre.kinds.checking.model import Verdict


@pytest.mark.parametrize(
    ("info", "said"),
    [
        ({"damaged": 0, "misdated": 0}, []),
        ({"damaged": 0}, []),
        ({"damaged": 5, "misdated": 0}, ["5 blocks of its files damaged: answers lack samples"]),
        (
            {"damaged": 1, "misdated": 2},
            [
                "1 block of its files damaged: answers lack samples",
                "2 PVs with times ahead of its clock: samples are refused",
            ],
        ),
    ],
)
def test_damage_and_wrong_clocks_are_warnings(info: dict[str, Any], said: list[str]) -> None:
    found = list(of_its_data("drift", "drift", info))
    assert [each.text for each in found] == said
    assert {(each.what, each.verdict) for each in found} <= {("drift", Verdict.WARNING)}
