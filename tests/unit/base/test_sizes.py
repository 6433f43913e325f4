from __future__ import annotations

import pytest

from linacre.base.sizes import readable


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (33_000, "32 KiB"),
        (1_048_575, "1 MiB"),
        (1_900_000, "1.8 MiB"),
        (20 << 30, "20 GiB"),
        (5000 << 40, "5000 TiB"),
    ],
)
def test_sizes_are_said_in_the_units_in_which_they_are_given(size: int, said: str) -> None:
    assert readable(size) == said
