"""What a reader of PVs is asked at a desk, and what it tells: JSON on its standard streams."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypedDict


@dataclass(frozen=True)
class Asked:
    """The PVs of one IOC."""

    address: str
    """Where the IOC serves them."""
    pvs: tuple[str, ...]


@dataclass(frozen=True)
class Answers:
    """What became of the PVs of one IOC."""

    answered: int
    unheard: tuple[str, ...] = ()
    """Nobody answers the search for them, by Channel Access or pvAccess."""
    silent: tuple[str, ...] = ()
    """They connect, and give no value: they hang."""
    unread: tuple[str, ...] = ()
    """There was no time left to tell whether they give a value."""
    refused: Mapping[str, str] = field(default_factory=dict[str, str])
    """They answer with an error, which is kept."""
    elsewhere: Mapping[str, str] = field(default_factory=dict[str, str])
    """Another server than the IOC answers for them, by its address."""


SEARCHES = 1000


class Options(TypedDict):
    """How a reader reads."""

    limit_s: float
    searches: int
    """PVs to search in all, as far as each IOC has one: the others are read from its server."""


def question(iocs: Mapping[str, Asked], *, limit_s: float, searches: int = SEARCHES) -> bytes:
    """Return what the reader is to read, within a time, as it takes it."""
    return json.dumps({"limit_s": limit_s, "searches": searches, "iocs": _plain(iocs)}).encode()


def read_question(text: bytes) -> tuple[dict[str, Asked], Options]:
    """Return what `question` wrote."""
    asked: Any = json.loads(text)
    iocs = {
        str(name): Asked(str(ioc["address"]), tuple(map(str, ioc["pvs"])))
        for name, ioc in asked["iocs"].items()
    }
    return iocs, Options(limit_s=float(asked["limit_s"]), searches=int(asked["searches"]))


def answer(iocs: Mapping[str, Answers]) -> bytes:
    """Return what the reader tells."""
    return json.dumps(_plain(iocs)).encode()


def read_answer(text: bytes) -> dict[str, Answers]:
    """Return what `answer` wrote; raises `ValueError` for what it did not write."""
    told: Any = json.loads(text)
    lists = ("unheard", "silent", "unread")
    return {
        str(name): Answers(
            answered=int(ioc["answered"]),
            refused=dict(ioc["refused"]),
            elsewhere=dict(ioc["elsewhere"]),
            **{key: tuple(map(str, ioc[key])) for key in lists},
        )
        for name, ioc in told.items()
    }


def _plain(iocs: Mapping[str, Asked] | Mapping[str, Answers]) -> dict[str, Any]:
    return {name: asdict(each) for name, each in iocs.items()}
