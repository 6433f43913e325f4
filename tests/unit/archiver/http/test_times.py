from __future__ import annotations

import pytest

from linacre.archiver.http.times import iso, parse_time
from linacre.base.errors import UserError

NOW = 1_795_000_000_000_000_000
H = 3600 * 10**9


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("now-1h", NOW - H),
        ("-1h", NOW - H),
        ("-1h30m", NOW - 3 * H // 2),
        ("now - 90 s", NOW - 90 * 10**9),
        ("+7d", NOW + 7 * 24 * H),
        (" 7d", NOW + 7 * 24 * H),
        ("now+1.5h", NOW + 3 * H // 2),
        ("now 1h", NOW + H),
        ("-250ms", NOW - 250 * 10**6),
        ("-1y", NOW - 365 * 24 * H),
        ("1795000000", NOW),
        ("1795000000.5", NOW + 5 * 10**8),
        ("1795000000.123456789", NOW + 123456789),
        ("1795000000123456789", NOW + 123456789),
        ("0", 0),
        ("2026-11-18T07:06:40Z", 1_794_985_600 * 10**9),
        ("2026-11-18T08:06:40+01:00", 1_794_985_600 * 10**9),
        ("2026-11-18T08:06:40 01:00", 1_794_985_600 * 10**9),
        ("2026-11-18T08:06:40+0100", 1_794_985_600 * 10**9),
        ("2026-11-18T03:06:40.000000001-04:00", 1_794_985_600 * 10**9 + 1),
        ("2026-11-18 07:06", 1_794_985_560 * 10**9),
        ("2026-11-18T07:06:40.5z", 1_794_985_600 * 10**9 + 5 * 10**8),
        ("2026-11-18", 1_794_960_000 * 10**9),
        ("1969-12-31T23:59:59.5Z", -5 * 10**8),
    ],
)
def test_a_time_may_be_written_in_many_ways(text: str, expected: int) -> None:
    assert parse_time(text, now_ns=NOW) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "1h", "now-", "now-1", "-1 month", "2026-13-01", "2026-11-18T25:00"),
        *("nan", "inf", "1795000000000", "1e30", "9999-12-31T23:59:59Z", "2026-11-18Z", "٣"),
        *("-99999999999y", "0x10", "1_000", "now-now"),
        *("1e9999999999999999999999", "1e-9999999999999999999999", "9" * 400 + "h"),
    ],
)
def test_a_wrong_time_is_told_in_one_line_with_an_example(text: str) -> None:
    with pytest.raises(UserError) as told:
        parse_time(text, now_ns=NOW, what="start")
    assert str(told.value).startswith(f"start: {text!r} is not a time")
    assert "2026-11-24T10:00:00Z" in str(told.value)
    assert "\n" not in str(told.value)


def test_a_time_is_shown_to_the_second() -> None:
    assert iso(1_794_985_600 * 10**9 + 999) == "2026-11-18T07:06:40Z"
