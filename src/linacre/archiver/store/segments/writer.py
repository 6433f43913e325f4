"""Writes a segment: its families of Parquet files, the roll-ups, the index; whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from linacre.archiver.model import NANOSECONDS
from linacre.archiver.store import rollups
from linacre.archiver.store.files import Files
from linacre.archiver.store.lacks import Lack
from linacre.archiver.store.part import Columns
from linacre.archiver.store.segments import description, index
from linacre.archiver.store.segments.description import Description
from linacre.archiver.store.segments.encoding import (
    ROLLUP,
    families,
    family_name,
    values_repeat,
)
from linacre.archiver.store.segments.family import FamilyWriter, Run, Written, write_all
from linacre.archiver.store.segments.index import GROUP, Entry
from linacre.archiver.store.segments.limits import Limits
from linacre.archiver.store.segments.names import UNFINISHED, SegmentName

_pa: Any = pa


class SegmentWriter:
    """Takes samples, kind after kind, of each the PVs in the order of names.

    Until `finish` there is a folder that is no segment; on an error, `abandon` removes it.
    """

    def __init__(
        self, root: Path, name: SegmentName, *, files: Files, limits: Limits | None = None
    ) -> None:
        self._root = root
        self._name = name
        self._files = files
        self._limits = limits or Limits()
        self.path = name.folder(root)
        self._folder = self.path.with_name(UNFINISHED + str(name))
        if self._folder.exists():
            remove_folder(self._folder, files)
        self._folder.mkdir(parents=True)
        self._families = families()
        self._writers: dict[str, FamilyWriter] = {}
        self._chosen = ""
        """The family of the PV that goes on."""
        self._rollup: _Rollup | None = None

    def add(self, columns: Columns, runs: Sequence[Run]) -> None:
        """Add rows of one kind, one PV after the other; none of the runs is empty."""
        if not runs:
            return
        sizes = np.array([run.rows for run in runs])
        starts = np.cumsum(sizes) - sizes
        chosen = self._choose(columns, runs, starts, sizes)
        names = sorted(set(chosen))
        for name in names:
            if len(names) == 1:
                mine, some = columns, list(runs)
            else:
                picked = [one == name for one in chosen]
                mine = take(columns, np.flatnonzero(np.repeat(picked, sizes)))
                some = [run for run, is_mine in zip(runs, picked, strict=True) if is_mine]
            self._writer(name).add(_batch(mine), mine.time, some)
        if columns.kind.is_scalar:
            for run, start in zip(runs, starts.tolist(), strict=True):
                if run.total >= self._limits.rollup_rows:
                    self._roll_up(run, part(columns, start, start + run.rows))

    def finish(self, replaces: Sequence[str], lacks: Sequence[Lack] = ()) -> Description:
        """Make all safe and give the segment its name; `lacks`: what its inputs lacked."""
        written = [writer.finish() for writer in self._sorted_writers()]
        entries, groups = _joined(written)
        samples = [entry for entry in entries if not entry.step_s]
        found = Description(
            name=self._name,
            rows=sum(entry.rows for entry in samples),
            first_ns=min((entry.first_ns for entry in samples), default=0),
            last_ns=max((entry.last_ns for entry in samples), default=-1),
            parts=tuple(part for one in written for part in one.parts),
            replaces=tuple(dict.fromkeys(replaces)),
            lacks=tuple({lack.block: lack for lack in lacks}.values()),
        )
        footers = [footer for one in written for footer in one.footers]
        content = index.build(found, entries, groups, footers)
        found = found.with_index(len(content))
        self._write(index.FILE, content)
        self._write(description.FILE, found.dump())
        self._files.sync_folder(self._folder)
        self._files.rename(self._folder, self.path)
        for folder in (self.path.parent, self.path.parent.parent, self._root):
            self._files.sync_folder(folder)
        # Arrow would keep what it used for the next time, which is some minutes away.
        _pa.default_memory_pool().release_unused()
        return found

    def abandon(self) -> None:
        """Remove what was written."""
        for writer in self._writers.values():
            writer.abandon()
        with contextlib.suppress(OSError):
            remove_folder(self._folder, self._files)

    def _choose(
        self,
        columns: Columns,
        runs: Sequence[Run],
        starts: npt.NDArray[Any],
        sizes: npt.NDArray[Any],
    ) -> list[str]:
        if columns.kind.is_scalar:
            value: Any = columns.value
            repeats = values_repeat(value.to_numpy(), starts, sizes).tolist()
        else:
            repeats = [False] * len(runs)
        chosen = [family_name(columns.kind, repeats=one) for one in repeats]
        if self._chosen:
            chosen[0] = self._chosen
        self._chosen = "" if runs[-1].ends else chosen[-1]
        return chosen

    def _writer(self, name: str) -> FamilyWriter:
        if name not in self._writers:
            self._writers[name] = FamilyWriter(
                self._folder,
                self._families[name],
                self._name.level,
                files=self._files,
                limits=self._limits,
            )
        return self._writers[name]

    def _sorted_writers(self) -> list[FamilyWriter]:
        return [self._writers[name] for name in self._families if name in self._writers]

    def _roll_up(self, run: Run, columns: Columns) -> None:
        if self._rollup is None:
            self._rollup = _Rollup(run, self._limits)
        value: Any = columns.value
        done = self._rollup.add(columns, value.to_numpy(), ends=run.ends)
        for steps, rows in done:
            self._writer(ROLLUP).add(_steps_batch(steps, rows.step_s), steps.start, [rows])
        if run.ends:
            self._rollup = None

    def _write(self, name: str, content: bytes) -> None:
        file = self._files.create(self._folder / name)
        try:
            write_all(file, content)
            file.sync()
        finally:
            file.close()


class _Rollup:
    """The roll-ups of one PV, made while its samples come."""

    def __init__(self, run: Run, limits: Limits) -> None:
        self._run = run
        self._limits = limits
        self._steps = rollups.steps_for(
            run.total, run.span_ns, fewest=limits.rollup_rows, share=limits.rollup_share
        )
        self._waiting: list[list[rollups.RollupColumns]] = [[] for _ in self._steps]

    def add(
        self, columns: Columns, value: npt.NDArray[Any], *, ends: bool
    ) -> list[tuple[rollups.RollupColumns, Run]]:
        """Return the steps that are over: the finest as they come, longer ones at the end."""
        if not self._steps:
            return []
        finest = self._steps[0] * NANOSECONDS
        steps = rollups.rollup(columns.time, value, columns.severity, finest)
        held = self._waiting[0]
        held.append(steps)
        if not ends and sum(map(len, held)) < self._limits.group_rows:
            return []
        found: list[tuple[rollups.RollupColumns, Run]] = []
        done = rollups.merge(rollups.concat(held), finest)
        self._waiting[0] = []
        if not ends:
            # More samples of the newest step may come.
            self._waiting[0].append(done.rows(slice(len(done) - 1, None)))
            done = done.rows(slice(0, len(done) - 1))
        if len(done):
            found.append(self._out(0, done, ends=ends))
        for level, step_s in enumerate(self._steps[1:], 1):
            longer = rollups.merge(done, step_s * NANOSECONDS)
            held = [*self._waiting[level], longer]
            self._waiting[level] = [rollups.merge(rollups.concat(held), step_s * NANOSECONDS)]
            if ends:
                found.append(self._out(level, self._waiting[level][0], ends=True))
        return found

    def _out(
        self, level: int, steps: rollups.RollupColumns, *, ends: bool
    ) -> tuple[rollups.RollupColumns, Run]:
        step_s = self._steps[level]
        total = len(steps)
        if level == 0:
            most = self._run.span_ns // (step_s * NANOSECONDS) + 2
            total = max(total, min(self._run.total, most))
        run = self._run._replace(
            rows=len(steps),
            total=total,
            units=total * self._limits.rollup_row_units,
            step_s=step_s,
            ends=ends,
        )
        return steps, run


def remove_folder(path: Path, files: Files) -> None:
    """Remove a folder of files; one that was a segment is none from the first moment on."""
    if not path.name.startswith(UNFINISHED):
        gone = path.with_name(UNFINISHED + path.name)
        if gone.exists():
            remove_folder(gone, files)
        files.rename(path, gone)
        path = gone
    for file in path.iterdir():
        files.unlink(file)
    path.rmdir()


def part(columns: Columns, begin: int, end: int) -> Columns:
    """Return some rows, without a copy."""
    value: Any = columns.value
    return Columns(
        kind=columns.kind,
        time=columns.time[begin:end],
        value=value.slice(begin, end - begin),
        severity=columns.severity[begin:end],
        status=columns.status[begin:end],
        tag=columns.tag[begin:end],
    )


def take(columns: Columns, rows: npt.NDArray[Any]) -> Columns:
    """Return rows by their numbers."""
    value: Any = columns.value
    picked: Any = (
        _pa.array(value.to_numpy()[rows]) if columns.kind.is_scalar else value.take(_pa.array(rows))
    )
    return Columns(
        kind=columns.kind,
        time=columns.time[rows],
        value=picked,
        severity=_take(columns.severity, rows),
        status=_take(columns.status, rows),
        tag=_take(columns.tag, rows),
    )


def _take(values: npt.NDArray[Any], rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    # Most often all are 0.
    return values[rows] if values.any() else np.zeros(len(rows), values.dtype)


def _batch(columns: Columns) -> Any:
    arrays = [columns.time, columns.value, columns.severity, columns.status, columns.tag]
    names = ["time", "value", "severity", "status", "tag"]
    return _pa.RecordBatch.from_arrays([_pa.array(array) for array in arrays], names=names)


def _steps_batch(steps: rollups.RollupColumns, step_s: int) -> Any:
    arrays = {"step": np.full(len(steps), step_s, np.int32), **steps.arrays()}
    values = [_pa.array(array) for array in arrays.values()]
    return _pa.RecordBatch.from_arrays(values, names=list(arrays))


def _joined(written: Sequence[Written]) -> tuple[list[Entry], npt.NDArray[Any]]:
    """Return entries and row groups of all families, counted through."""
    entries: list[Entry] = []
    rows: list[tuple[int, ...]] = []
    parts = 0
    for one in written:
        first = len(rows)
        entries += [entry._replace(group=entry.group + first) for entry in one.entries]
        for group in one.groups:
            rows.append((group.part + parts, *group[1:]))
        parts += len(one.parts)
    return entries, np.array(rows, GROUP)
