"""How answers tell what they lack, as some of the archive's files are damaged.

A table has it in its schema's metadata. A stream cannot know it before it was read: there the last
batch has it, which has no samples, or none of them has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

import pyarrow as pa

DAMAGED = "linacre.damaged"
"""The key: how many damaged blocks lacked."""
BY_PV = f"{DAMAGED}.by_pv"
"""The same of each PV, where there are several; JSON."""


def damage_of(schema: pa.Schema) -> int:
    """Return how many damaged blocks lacked where a table or a batch was read."""
    return damage_in(cast("Mapping[bytes, bytes]", schema.metadata or {}))


def damage_in(metadata: Mapping[bytes, bytes]) -> int:
    """Return what metadata say of it."""
    text = metadata.get(DAMAGED.encode(), b"").decode()
    return int(text) if text.isdigit() else int(bool(text))


def footer_of(by_pv: Mapping[str, int]) -> dict[bytes, bytes]:
    """Return what lacks as metadata: the sum, and JSON by PV; empty where nothing does."""
    if not by_pv:
        return {}
    told = json.dumps(dict(by_pv), ensure_ascii=False)
    return {DAMAGED.encode(): str(sum(by_pv.values())).encode(), BY_PV.encode(): told.encode()}


def with_damage(table: pa.Table, damaged: int) -> pa.Table:
    """Return a table that tells how many damaged blocks lacked."""
    said = cast("Mapping[bytes, bytes]", table.schema.metadata or {})
    return table.replace_schema_metadata({**said, DAMAGED.encode(): str(damaged).encode()})


def nothing(schema: pa.Schema, damaged: int = 0) -> pa.RecordBatch:
    """Return a batch of no rows that tells a schema, and what lacked."""
    metadata: dict[Any, Any] = {**(schema.metadata or {})}
    if damaged:
        metadata[DAMAGED.encode()] = str(damaged).encode()
    arrow: Any = pa
    arrays = [arrow.array([], field.type) for field in cast("Any", schema)]
    told = cast("Any", schema).with_metadata(metadata)
    return cast("pa.RecordBatch", arrow.RecordBatch.from_arrays(arrays, schema=told))
