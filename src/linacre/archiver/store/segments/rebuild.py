"""Makes an index again from the Parquet files, where it is damaged."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from linacre.archiver.errors import DamagedError
from linacre.archiver.model import Kind
from linacre.archiver.store.segments import index
from linacre.archiver.store.segments.description import Description, PartFile
from linacre.archiver.store.segments.encoding import ROLLUP
from linacre.archiver.store.segments.groups import GroupFiles, decode, kind_of
from linacre.archiver.store.segments.index import GROUP, Entry, Group


def _no_copy() -> bytes:
    raise DamagedError("there is no copy of the metadata")


def rebuild(
    files: GroupFiles,
    description: Description,
    report: Callable[[str, int | None, str], None],
) -> bytes:
    """Return the content of an index of all row groups whose pages have the right checksums.

    Metadata are parsed only where their own checksum, in `segment.json`, is right.
    """
    entries: list[Entry] = []
    groups: list[Group] = []
    footers: list[bytes] = []
    lacking: list[str] = []
    for number, part in enumerate(description.parts):
        try:
            footers.append(files.footer(part))
            metadata = files.metadata(part, _no_copy)
        except DamagedError as error:
            footers[number:] = [b""]
            # All of its row groups: some samples lack.
            report(part.file, 0, str(error))
            lacking.append(part.file)
            continue
        for within in range(metadata.num_row_groups):
            try:
                group, table = _group(files, part, metadata, number, within)
            except DamagedError as error:
                report(part.file, within, str(error))
                lacking.append(part.file)
                continue
            _append(entries, part, table, len(groups))
            groups.append(group)
    if any(found.startswith(ROLLUP) for found in lacking):
        # Of a PV that has some of its steps the others would be taken as without samples.
        entries = [entry for entry in entries if not entry.step_s]
    return index.build(description, entries, np.array(groups, GROUP), footers)


def _group(
    files: GroupFiles, part: PartFile, metadata: Any, number: int, within: int
) -> tuple[Group, pa.Table]:
    row_group = metadata.row_group(within)
    chunks = [row_group.column(k) for k in range(row_group.num_columns)]
    # A dictionary comes before the pages of data.
    begins = [chunk.dictionary_page_offset or chunk.data_page_offset for chunk in chunks]
    ends = [at + chunk.total_compressed_size for at, chunk in zip(begins, chunks, strict=True)]
    offset, size = min(begins), max(ends) - min(begins)
    data = files.read(part, offset, size)
    names = metadata.schema.to_arrow_schema().names
    table = decode(metadata, within, data, offset, part.bytes, names, verify=True)
    times: Any = table.column("start" if part.family == ROLLUP else "time")
    span = times[0].as_py(), times[-1].as_py()
    place = (number, within, zlib.crc32(data), table.num_rows, offset, size)
    return Group(*place, table.nbytes, *span), table


def _append(entries: list[Entry], part: PartFile, table: pa.Table, group: int) -> None:
    """Add the PVs of a row group; one that the last row group ended with goes on."""
    samples = part.family != ROLLUP
    kind = kind_of(part.family) if samples else Kind.FLOAT64
    times: Any = table.column("time" if samples else "start").to_numpy()
    for place, (pv, step_s, begin, end) in enumerate(_runs(table, samples=samples)):
        last = entries[-1] if entries else None
        first_ns, last_ns = int(times[begin]), int(times[end - 1])
        if (
            place == 0
            and last is not None
            and (last.pv, last.kind, last.step_s) == (pv, kind, step_s)
            and last.group + last.groups == group
        ):
            place_in = (last.group, last.groups + 1, last.row, last.rows + end - begin)
            entries[-1] = Entry(pv, kind, step_s, *place_in, last.first_ns, last_ns)
        else:
            place_in = (group, 1, begin, end - begin)
            entries.append(Entry(pv, kind, step_s, *place_in, first_ns, last_ns))


def _runs(table: pa.Table, *, samples: bool) -> Iterator[tuple[str, int, int, int]]:
    """Give PV, step and rows of each run of rows with the same of both."""
    column: Any = table.column("pv")
    pv: Any = column.combine_chunks()
    names = pv.dictionary.to_pylist()
    codes = pv.indices.to_numpy()
    steps: Any = np.zeros(len(codes), np.int32)
    if not samples:
        raw: Any = table.column("step")
        steps = raw.to_numpy()
    changes = np.flatnonzero((np.diff(codes) != 0) | (np.diff(steps) != 0)) + 1
    edges = [0, *changes.tolist(), len(codes)]
    for begin, end in itertools.pairwise(edges):
        if begin < end:
            yield names[codes[begin]], int(steps[begin]), begin, end
