"""Decodes single row groups of a segment's Parquet files, checked before they are decoded."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from linacre.archiver.errors import DamagedError
from linacre.archiver.model import Kind
from linacre.archiver.store.part import Columns, arrow_type
from linacre.archiver.store.rollups import COLUMNS, RollupColumns
from linacre.archiver.store.segments.caches import Cache
from linacre.archiver.store.segments.description import PartFile
from linacre.archiver.store.segments.index import Group

_parquet: Any = parquet
_pa: Any = pa
_SAMPLES = ("time", "value", "severity", "status", "tag")


class GroupFiles:
    """The Parquet files of one segment. All methods raise `DamagedError`."""

    def __init__(self, folder: Path, cache: Cache) -> None:
        self.folder = folder
        self._cache = cache

    def columns(self, part: PartFile, group: Group, footer: Callable[[], bytes]) -> Columns:
        """Return all samples of a row group; `footer` gives a copy in case it is damaged."""
        key = (self.folder, part.file, group.within)
        return self._cache.columns.get(key, lambda: self._columns(part, group, footer))

    def _columns(self, part: PartFile, group: Group, footer: Callable[[], bytes]) -> Columns:
        table = self._table(part, group, footer, _SAMPLES)
        return columns_of(kind_of(part.family), table)

    def rollups(self, part: PartFile, group: Group, footer: Callable[[], bytes]) -> RollupColumns:
        """Return all roll-ups of a row group."""
        return rollups_of(self._table(part, group, footer, COLUMNS))

    def metadata(self, part: PartFile, copy: Callable[[], bytes]) -> Any:
        """Return the metadata of a part, parsed once its checksum is right."""

        def make() -> Any:
            try:
                footer = self.footer(part)
            except DamagedError:
                footer = copy()
                if zlib.crc32(footer) != part.footer_crc32:
                    raise
            size = len(footer).to_bytes(4, "little")
            return _parquet.read_metadata(io.BytesIO(b"PAR1" + footer + size + b"PAR1"))

        return self._cache.footers.get((self.folder, part.file, 0), make)

    def footer(self, part: PartFile) -> bytes:
        """Return the metadata's bytes from the file itself."""
        handle = self._cache.handle(self.folder, part.file)
        footer = handle.read_at(part.bytes - 8 - part.footer_bytes, part.footer_bytes)
        if zlib.crc32(footer) != part.footer_crc32:
            raise DamagedError(f"the metadata of {part.file} have another checksum")
        return footer

    def read(self, part: PartFile, offset: int, size: int) -> bytes:
        """Return bytes of a part."""
        return self._cache.handle(self.folder, part.file).read_at(offset, size)

    def _table(
        self, part: PartFile, group: Group, footer: Callable[[], bytes], names: Sequence[str]
    ) -> pa.Table:
        data = self.read(part, group.offset, group.bytes)
        if zlib.crc32(data) != group.crc32:
            raise DamagedError(f"row group {group.within} of {part.file} has another checksum")
        metadata = self.metadata(part, footer)
        return decode(metadata, group.within, data, group.offset, part.bytes, names)


def decode(
    metadata: Any,
    within: int,
    data: bytes,
    offset: int,
    size: int,
    names: Sequence[str],
    *,
    verify: bool = False,
) -> pa.Table:
    """Return a row group from its bytes, which are at a place of a file of some size.

    `verify`: by the checksums of its pages, where there is none of the whole row group.
    """
    window: Any = _pa.PythonFile(_Window(data, offset, size), mode="r")
    try:
        file = _parquet.ParquetFile(
            window,
            metadata=metadata,
            page_checksum_verification=verify,
            read_dictionary=["pv"] if "pv" in names else None,
        )
        return file.read_row_group(within, columns=list(names), use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise DamagedError(f"row group {within}: {error}") from error


def kind_of(family: str) -> Kind:
    """Return the kind of the samples in a family."""
    from linacre.archiver.store.segments.encoding import families

    try:
        kind = families()[family].kind
    except KeyError:
        kind = None
    if kind is None:
        raise DamagedError(f"{family} has no samples")
    return kind


def columns_of(kind: Kind, table: pa.Table) -> Columns:
    """Return a table of samples as columns."""
    value = _one(table, "value")
    if value.type != arrow_type(kind):
        value = value.cast(arrow_type(kind))
    return Columns(
        kind=kind,
        time=_numpy(table, "time"),
        value=value,
        severity=_numpy(table, "severity"),
        status=_numpy(table, "status"),
        tag=_numpy(table, "tag"),
    )


def rollups_of(table: pa.Table) -> RollupColumns:
    """Return a table of roll-ups as columns."""
    return RollupColumns(*(_numpy(table, name) for name in COLUMNS))


def _one(table: pa.Table, name: str) -> Any:
    column: Any = table.column(name)
    return column.chunk(0) if column.num_chunks == 1 else _pa.concat_arrays(column.chunks)


def _numpy(table: pa.Table, name: str) -> Any:
    return np.asarray(_one(table, name).to_numpy(zero_copy_only=False))


class _Window(io.RawIOBase):
    """A file of which only some bytes are there; nothing else is asked for."""

    def __init__(self, data: bytes, offset: int, size: int) -> None:
        super().__init__()
        self._data = memoryview(data)
        self._offset = offset
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._at = (0, self._at, self._size)[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        begin = self._at - self._offset
        if begin < 0 or begin + size > len(self._data):
            raise OSError(f"{size} bytes from {self._at} are outside the row group")
        self._at += size
        # Arrow takes any buffer, and keeps it alive.
        return cast("bytes", self._data[begin : begin + size])
