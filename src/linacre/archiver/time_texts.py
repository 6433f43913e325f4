"""Times and lengths of time as text, in nanoseconds: the one reader of what people write."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from linacre.archiver.model import NANOSECONDS

SECONDS_BELOW = 10**11
"""A number below it is seconds (until the year 5138)."""
NANOSECONDS_FROM = 10**17
"""A whole number from it on is nanoseconds (1973)."""
_UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": NANOSECONDS,
    "m": 60 * NANOSECONDS,
    "min": 60 * NANOSECONDS,
    "h": 3_600 * NANOSECONDS,
    "d": 86_400 * NANOSECONDS,
    "w": 7 * 86_400 * NANOSECONDS,
    "y": 365 * 86_400 * NANOSECONDS,
}
_ONE = r"(\d+(?:\.\d*)?|\.\d+)\s*(ns|us|ms|min|[smhdwy])\s*"
_PIECE = re.compile(_ONE, re.ASCII)
_LENGTH = re.compile(rf"\s*(?:{_ONE})+", re.ASCII)
_RELATIVE = re.compile(r"(?:now)?\s*([+-])(.+)", re.ASCII)
_NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
_ISO = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)"
    r"(?:[T ](?P<clock>\d\d:\d\d(?::\d\d)?)(?:[.,](?P<fraction>\d{1,9})\d*)?"
    r"\s?(?P<offset>Z|[+-]?\d\d:?\d\d|[+-]\d\d)?)?",
    re.IGNORECASE | re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MOST_NS = 2**63 - 1


def text_length_ns(text: str) -> int | None:
    """Return `100ms`, `1.5h`, `1h30m`, `7d` in ns; None for anything else, and beyond int64."""
    if _LENGTH.fullmatch(text) is None:
        return None
    found = sum(int(Decimal(number) * _UNITS_NS[unit]) for number, unit in _PIECE.findall(text))
    return found if found <= _MOST_NS else None


def text_ns(text: str, now_ns: int) -> int | None:
    """Return a time in ns since 1970; None where the text is none, or beyond int64.

    `now`, from now (`now-1h`, `-1h30m`, `+7d`), ISO 8601 with any offset and up to nanoseconds, UTC
    without one; seconds since 1970, or whole nanoseconds.
    """
    found = _text_ns(text.strip(), now_ns)
    return found if found is not None and abs(found) <= _MOST_NS else None


def _text_ns(text: str, now_ns: int) -> int | None:
    if text == "now":
        return now_ns
    if (relative := _RELATIVE.fullmatch(text)) and (
        length := text_length_ns(relative[2])
    ) is not None:
        return now_ns + (length if relative[1] == "+" else -length)
    return _number_ns(text) if _NUMBER.fullmatch(text) else _iso_ns(text)


def _number_ns(text: str) -> int | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        # An exponent that no number of ours can have.
        return None
    if abs(number) < SECONDS_BELOW:
        return int(number * NANOSECONDS)
    # A huge one is not to be written out.
    return int(number) if NANOSECONDS_FROM <= abs(number) <= _MOST_NS else None


def _iso_ns(text: str) -> int | None:
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    offset = (match["offset"] or "Z").upper()
    if offset[0] not in "Z+-":
        offset = "+" + offset
    try:
        at = datetime.fromisoformat(f"{match['day']}T{match['clock'] or '00:00'}{offset}")
    except ValueError:
        return None
    microseconds = (at - _EPOCH) // _MICROSECOND
    return microseconds * 1000 + int((match["fraction"] or "").ljust(9, "0"))
