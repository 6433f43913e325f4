"""Times as people and programs write them in a request."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from linacre.archiver.model import NANOSECONDS
from linacre.base.errors import UserError

WRITTEN = (
    "ISO 8601 with any offset, UTC without one (`2026-11-24T10:00:00Z`, `2026-11-24`), `now`, "
    "from now (`now-1h`, `-1h30m`, `+7d`; units ms s m h d w y), or since 1970 in seconds "
    "(`1795000000.5`) or in nanoseconds (`1795000000500000000`)"
)
"""The forms of a time, for the API's description."""
_EXAMPLES = "2026-11-24T10:00:00Z, now-1h, or seconds or nanoseconds since 1970"
_UNITS_NS = {
    "ms": NANOSECONDS // 1000,
    "s": NANOSECONDS,
    "m": 60 * NANOSECONDS,
    "min": 60 * NANOSECONDS,
    "h": 3600 * NANOSECONDS,
    "d": 86400 * NANOSECONDS,
    "w": 7 * 86400 * NANOSECONDS,
    "y": 365 * 86400 * NANOSECONDS,
}
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|min|[smhdwy])", re.ASCII)
_RELATIVE = re.compile(rf"(?:now)?\s*(?P<sign>[+-])\s*(?P<all>(?:{_LENGTH.pattern}\s*)+)", re.ASCII)
_ISO = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)"
    r"(?:[T ](?P<clock>\d\d:\d\d(?::\d\d)?)(?:[.,](?P<fraction>\d{1,9})\d*)?"
    r"\s?(?P<offset>Z|[+-]?\d\d:?\d\d|[+-]\d\d)?)?",
    re.IGNORECASE | re.ASCII,
)
_NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
_MOST_SECONDS = 10**11
"""A number below is seconds (until the year 5138), one from `_LEAST_NANOSECONDS` nanoseconds."""
_LEAST_NANOSECONDS = 10**16
_MOST_NS = 2**63 - 1


def parse_time(text: str, *, now_ns: int, what: str = "time") -> int:
    """Return a time of a request in ns since 1970; `UserError` where it is none, naming `what`.

    A `+` that came as a space, as in a URL where nobody escaped it, is understood.
    """
    # "now+7d" and "...T10:00+01:00" arrive so where the + was not escaped.
    given = text.strip()
    plussed = "+" + given if text.startswith(" ") else re.sub(r"^now (?=\d)", "now+", given)
    if given == "now":
        found: int | None = now_ns
    elif match := _RELATIVE.fullmatch(plussed):
        length = sum(
            int(Decimal(number) * _UNITS_NS[unit]) for number, unit in _LENGTH.findall(match["all"])
        )
        found = now_ns + (length if match["sign"] == "+" else -length)
    elif _NUMBER.fullmatch(given):
        found = _from_number(given)
    else:
        found = _from_iso(given)
    if found is None or not -_MOST_NS <= found <= _MOST_NS:
        raise UserError(f"{what}: {text!r} is not a time: write it like {_EXAMPLES}")
    return found


def _from_number(text: str) -> int | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    if abs(number) < _MOST_SECONDS:
        return int(number * NANOSECONDS)
    return int(number) if _LEAST_NANOSECONDS <= abs(number) <= _MOST_NS else None


def _from_iso(text: str) -> int | None:
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
    seconds = (at - datetime(1970, 1, 1, tzinfo=UTC)) // (datetime.resolution * 1_000_000)
    return seconds * NANOSECONDS + int((match["fraction"] or "").ljust(9, "0"))


def iso(time_ns: int) -> str:
    """Return a time as ISO 8601 in UTC, to the second."""
    return f"{datetime.fromtimestamp(time_ns // NANOSECONDS, UTC):%Y-%m-%dT%H:%M:%SZ}"
