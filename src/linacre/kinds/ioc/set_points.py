"""Set points: what people and programs write to an IOC, read and written at a network's desk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias, cast

from linacre.base.errors import LinacreError
from linacre.catalogue.model import RecordEntry
from linacre.declaration.models import desk_name
from linacre.engines.base import Engine
from linacre.session.session import Session

Value: TypeAlias = float | int | str | list[float] | list[int] | list[str]
"""What a set point is, as JSON has it; an enum's is its index."""

_OUTPUTS = frozenset(
    {"aao", "ao", "bo", "int64out", "longout", "lso", "mbbo", "mbboDirect", "stringout"}
)
"""The types of records that hold what is sent to a device (EPICS Record Reference)."""
_LIMIT_S = 5.0
_TIMEOUT = 80
"""ECA_TIMEOUT of caerr.h: it was taken, and what ramps tells that it is there later."""
_LARGEST = 1000
"""Elements of an array: larger ones are no set points."""

_PROGRAM = f"""\
import asyncio, json, sys
from aioca import caget, caput
asked = json.load(sys.stdin)
def plain(value):
    if not value.ok:
        return None
    found = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(found, list):
        return found if len(found) <= {_LARGEST} else None
    return str(found) if isinstance(value, str) else found
async def read(names):
    found = await caget(names, timeout={_LIMIT_S}, throw=False)
    return {{name: plain(value) for name, value in zip(names, found)}}
async def write(values):
    done = await caput(
        list(values), list(values.values()), wait=True, timeout={_LIMIT_S}, throw=False
    )
    return {{n: str(e) for n, e in zip(values, done) if not e.ok and e.errorcode != {_TIMEOUT}}}
print(json.dumps(asyncio.run(write(asked) if isinstance(asked, dict) else read(asked))))
"""


def set_points(records: Iterable[RecordEntry]) -> list[str]:
    """Return the names of an IOC's records that are set points."""
    return [record.name for record in records if record.record_type in _OUTPUTS]


async def read_set_points(
    session: Session, engine: Engine, network: str, names: Sequence[str]
) -> dict[str, Value]:
    """Return what PVs of a network are now; those that do not answer are left out."""
    if not names:
        return {}
    told = await _at_desk(session, engine, network, list(names))
    return {name: cast("Value", value) for name, value in told.items() if value is not None}


async def write_set_points(
    session: Session, engine: Engine, network: str, values: Mapping[str, Value]
) -> dict[str, str]:
    """Write PVs of a network; return those that were not taken, each with why."""
    if not values:
        return {}
    refused = await _at_desk(session, engine, network, dict(values))
    return {name: str(why) for name, why in refused.items()}


async def _at_desk(
    session: Session, engine: Engine, network: str, asked: object
) -> dict[str, object]:
    desk = desk_name(network)
    address = session.declaration.facility.networks[network].desk_address
    python = engine.layout(desk, address).python
    done = await engine.exec(desk, [python, "-c", _PROGRAM], stdin=json.dumps(asked).encode())
    try:
        told: object = json.loads(done.stdout)
    except (ValueError, RecursionError):
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        why = said[0] if said else f"status {done.status}"
        raise LinacreError(f"set points cannot be reached at {desk} ({why})") from None
    if not isinstance(told, dict):
        raise LinacreError(f"set points cannot be reached at {desk}: it answers nonsense")
    return cast("dict[str, object]", told)
