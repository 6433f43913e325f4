"""`segment.json`: what a segment is, its files, and what it replaces."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass, replace
from typing import Any

from linacre.archiver.errors import DamagedError
from linacre.archiver.store.lacks import Lack
from linacre.archiver.store.segments.names import SegmentName

FILE = "segment.json"
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class PartFile:
    """One Parquet file of a segment."""

    file: str
    family: str
    """The file's name without its number: the kind and how values are encoded, or `rollup`."""
    bytes: int
    footer_bytes: int
    """Of the metadata before the last 8 bytes of the file."""
    footer_crc32: int
    rows: int
    row_groups: int


@dataclass(frozen=True, kw_only=True)
class Description:
    """What is known of a segment without a look into it."""

    name: SegmentName
    rows: int
    first_ns: int
    """The oldest sample; with last_ns before it, there is none."""
    last_ns: int
    parts: tuple[PartFile, ...]
    replaces: tuple[str, ...]
    """Journals and segments whose samples are in this one."""
    index_bytes: int = 0
    lacks: tuple[Lack, ...] = ()
    """Damaged blocks of what this segment was merged from: their samples are nowhere."""

    @property
    def bytes(self) -> int:
        """On disk, but for this description."""
        return self.index_bytes + sum(part.bytes for part in self.parts)

    def dump(self) -> bytes:
        """Return the file's content."""
        body = {**asdict(self), "format": FORMAT, "name": str(self.name)}
        if not self.lacks:
            # Versions that know nothing of it read all other segments.
            del body["lacks"]
        text = {"crc32": zlib.crc32(_canonical(body)), "segment": body}
        return json.dumps(text, indent=1).encode() + b"\n"

    @classmethod
    def load(cls, content: bytes) -> Description:
        """Return what a file says; raises `DamagedError`."""
        try:
            text = json.loads(content)
            body: dict[str, Any] = text["segment"]
            if zlib.crc32(_canonical(body)) != text["crc32"]:
                raise ValueError("checksum")
            if body.pop("format") != FORMAT:
                raise ValueError("format")
            found: Any = {
                **body,
                "name": SegmentName.parse(body["name"]),
                "parts": tuple(PartFile(**part) for part in body["parts"]),
                "replaces": tuple(body["replaces"]),
                "lacks": tuple(map(Lack.load, body.get("lacks", ()))),
            }
            return cls(**found)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DamagedError(f"{FILE}: {error}") from error

    def with_index(self, size: int) -> Description:
        """Return the same with the size of its index."""
        return replace(self, index_bytes=size)


def _canonical(body: dict[str, Any]) -> bytes:
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
