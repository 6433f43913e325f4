"""Times as people and programs write them in a request."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from linacre.archiver.model import NANOSECONDS
from linacre.archiver.time_texts import text_ns
from linacre.base.errors import UserError

WRITTEN = (
    "ISO 8601 with any offset, UTC without one (`2026-11-24T10:00:00Z`, `2026-11-24`), `now`, "
    "from now (`now-1h`, `-1h30m`, `+7d`; units ns us ms s m h d w y), or since 1970 in seconds "
    "(`1795000000.5`) or in nanoseconds (`1795000000500000000`)"
)
"""The forms of a time, for the API's description."""
_EXAMPLES = "2026-11-24T10:00:00Z, now-1h, or seconds or nanoseconds since 1970"


def parse_time(text: str, *, now_ns: int, what: str = "time") -> int:
    """Return a time of a request in ns since 1970; `UserError` where it is none, naming `what`.

    A `+` that came as a space, as in a URL where nobody escaped it, is understood.
    """
    # "now+7d" and "...T10:00+01:00" arrive so where the + was not escaped.
    given = text.strip()
    found = text_ns(given, now_ns)
    if found is None:
        plussed = re.sub(r"^now (?=\d)", "now+", given)
        found = text_ns("+" + given if text.startswith(" ") else plussed, now_ns)
    if found is None:
        raise UserError(f"{what}: {text!r} is not a time: write it like {_EXAMPLES}")
    return found


def iso(time_ns: int) -> str:
    """Return a time as ISO 8601 in UTC, to the second."""
    return f"{datetime.fromtimestamp(time_ns // NANOSECONDS, UTC):%Y-%m-%dT%H:%M:%SZ}"
