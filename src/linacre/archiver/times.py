"""Times and lengths of time as people write them, in int64 nanoseconds since 1970 (UTC)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from linacre.archiver.errors import WrongTimeError
from linacre.archiver.model import NANOSECONDS
from linacre.archiver.time_texts import NANOSECONDS_FROM, SECONDS_BELOW, text_length_ns, text_ns

_TIMES = "an ISO time, '-1h', 'now', a datetime with a time zone, seconds or nanoseconds"
When = str | int | float | datetime | timedelta | np.datetime64 | np.integer[Any]
"""A time: see `time_ns`."""
Length = str | int | float | timedelta | np.timedelta64 | np.integer[Any]
"""A length of time: see `length_ns`."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST = 2**62


def time_ns(when: When, now_ns: int) -> int:
    """Return a time in nanoseconds since 1970 (UTC).

    - `"now"`, and a length before or after it: `"-1h"`, `"now-90s"`, `"+1h30m"`; units ns, us, ms,
      s, m or min, h, d, w, y. A timedelta likewise.
    - An ISO time: `"2026-11-24T10:00:00.123456789+00:00"`, `"2026-11-24 10:00"`, `"2026-11-24"`.
      **Without an offset it is UTC**, as all times of an archive are.
    - A datetime or pandas Timestamp **with a time zone**; without one it is refused, since
      `datetime.now()` means the local time. A numpy datetime64 is UTC.
    - A number: below 1e11 seconds, an integer from 1e17 on nanoseconds; what is between is refused.

    Raises `WrongTimeError`.
    """
    found = _time_ns(when, now_ns)
    if not -_MOST < found < _MOST:
        raise WrongTimeError(f"{when!r} is no time of an archive")
    return found


def length_ns(length: Length) -> int:
    """Return a length of time in nanoseconds: `"100ms"`, seconds as a number, a timedelta.

    Raises `WrongTimeError`, also for what is not more than nothing.
    """
    found = _length_ns(length)
    if not 0 < found < _MOST:
        raise WrongTimeError(f"{length!r} is no length of time: it must be more than nothing")
    return found


def _length_ns(length: Any) -> int:
    if isinstance(length, str):
        if (found := text_length_ns(length)) is None:
            raise WrongTimeError(
                f"{length!r} is no length of time: write 100ms, 1.5s, 5min, 2h, 7d"
            )
        return found
    if isinstance(length, timedelta):
        return _timedelta_ns(length)
    if isinstance(length, np.timedelta64):
        return int(length.astype("timedelta64[ns]").astype(np.int64))
    if isinstance(length, bool) or not isinstance(length, int | float | np.integer):
        raise WrongTimeError(f"{length!r} is no length of time: write '100ms', or seconds")
    return _seconds_ns(length)


def _time_ns(when: Any, now_ns: int) -> int:
    if isinstance(when, str):
        if (found := text_ns(when, now_ns)) is None:
            raise WrongTimeError(f"{when!r} is no time: write {_TIMES}")
        return found
    if isinstance(when, datetime):
        if when.tzinfo is None:
            raise WrongTimeError(
                f"{when} has no time zone: write datetime.now(UTC), or .replace(tzinfo=UTC)"
            )
        # A pandas Timestamp has nanoseconds beside the microseconds.
        return _timedelta_ns(when - _EPOCH)
    if isinstance(when, timedelta):
        return now_ns + _timedelta_ns(when)
    if isinstance(when, np.datetime64):
        # NaT is the least int64, which is refused as any time so far away.
        return int(when.astype("datetime64[ns]").astype(np.int64))
    if isinstance(when, bool) or not isinstance(when, int | float | np.integer):
        raise WrongTimeError(f"{when!r} is no time: write {_TIMES}")
    return _number_ns(when)


def _number_ns(when: Any) -> int:
    if abs(when) < SECONDS_BELOW:
        return _seconds_ns(when)
    if not isinstance(when, float) and abs(when) >= NANOSECONDS_FROM:
        return int(when)
    raise WrongTimeError(f"{when!r} is neither seconds nor whole nanoseconds since 1970")


def _timedelta_ns(delta: timedelta) -> int:
    whole = (delta.days * 86_400 + delta.seconds) * NANOSECONDS + delta.microseconds * 1000
    return whole + int(getattr(delta, "nanoseconds", 0))


def _seconds_ns(seconds: Any) -> int:
    if not np.isfinite(seconds):
        raise WrongTimeError(f"{seconds!r} is no time")
    whole = int(seconds // 1)
    # As two numbers, since a float64 has no nanoseconds of our time.
    return whole * NANOSECONDS + round((seconds - whole) * NANOSECONDS)
