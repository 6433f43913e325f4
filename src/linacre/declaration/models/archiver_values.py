"""Single values of an archiver in the facility file: PVs, times, ages.

Each parser raises `ValueError` with the words that a user sees: the value, and what to write.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from linacre.documents.quoting import as_written, quoted

_AGE_PATTERN = r"^[0-9]+(\.[0-9]+)?(min|h|d|w)$"
_AGE_SECONDS = {"min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PV = re.compile(
    r"(?P<before>(?:(?:ca|pva)://)?)(?P<name>\S+)"
    r"(?P<behind>(?: monitor| scan(?: [0-9]+(?:\.[0-9]+)?)?)?)"
)


LONGEST_NAME = 256
"""Bytes of a PV's name."""


def parted_pv(text: str) -> tuple[str, str, str]:
    """Return what is said of a PV as what stands before its name, its name, and behind it.

    The name may have wildcards. Before it is `ca://` or `pva://`, behind it ` scan 10`, say.
    Raises `ValueError` for what is no PV.
    """
    found = _PV.fullmatch(" ".join(text.split()))
    if found is None or not text.isprintable():
        raise ValueError(
            f"{quoted(text)} is not a PV; write a name or a pattern, such as 'CLA-S02-*:READI', "
            "and behind it 'scan 10' where it is to be read each 10 s"
        )
    return found["before"], found["name"], found["behind"]


def can_be_archived(name: str) -> bool:
    """Tell whether an archiver takes a PV of this name.

    EPICS 7 has records with `*` and `?` in their names, which nobody can tell from patterns.
    """
    odd = re.search(r"[\s*?\x00-\x1f\x7f]", name) or not name.isprintable()
    return bool(name) and not odd and len(name.encode()) <= LONGEST_NAME


def is_pattern(name: str) -> bool:
    """Tell whether a name is a pattern for several."""
    return any(each in name for each in "*?[")


def read_pvs(text: str) -> tuple[str, ...]:
    """Return the PVs of a file: one a line, `#` begins a comment.

    Raises `ValueError` with the number of the line where one is none.
    """
    found: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        # A name may have a `#`: a comment stands by itself.
        if said := re.sub(r"(^|\s)#.*", "", line).strip():
            try:
                found.append("".join(parted_pv(said)))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
    return tuple(found)


def _pv(value: Any) -> str:
    text = as_written(value) or ""
    return "".join(parted_pv(text))


def _until(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    text = as_written(value) or ""
    if text == "none":
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or ":" not in text:
        raise ValueError(
            f"{quoted(value)} is not a time; write one like 2026-12-24T08:00:00Z, or none"
        )
    if at.tzinfo is None:
        raise ValueError(f"{quoted(value)} says not whose time it is; write {text}Z for UTC")
    return at.astimezone(UTC)


def time_text(at: datetime | None) -> str | None:
    """Return a time as the facility file has it: in UTC, to the second."""
    return None if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def age_s(text: str) -> float:
    """Return a length of time such as `90d` or `12h` in seconds; `ValueError` for what is none."""
    found = re.fullmatch(_AGE_PATTERN, text)
    if found is None:
        raise ValueError(f"{quoted(text)} is not a length of time; write one like 12h, 7d or 4w")
    number = float(text.removesuffix(found[2]))
    if not 0 < number * _AGE_SECONDS[found[2]] <= 100 * 366 * 86400:
        raise ValueError(f"{quoted(text)} is not a length of time that is meant; write one like 7d")
    return number * _AGE_SECONDS[found[2]]


def _age(value: Any) -> str:
    text = as_written(value) or ""
    age_s(text)
    return text


PvText = Annotated[str, BeforeValidator(_pv), WithJsonSchema({"type": "string", "minLength": 1})]
"""A PV, or a pattern for several, with how it is reached and how it is sampled."""
Until = Annotated[
    datetime | None,
    BeforeValidator(_until),
    PlainSerializer(time_text),
    WithJsonSchema({"type": "string"}),
]
"""A time with its zone, or none."""
Age = Annotated[
    str, BeforeValidator(_age), WithJsonSchema({"type": "string", "pattern": _AGE_PATTERN})
]
"""A length of time in minutes, hours, days or weeks."""
