"""The registry of an archive: which PVs, since when, what was said of them, what happened.

One SQLite file, `archiver.sqlite`. What a person asked for is committed before the call returns;
what a source tells waits for `flush`, so that a drain costs at most one commit.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from linacre.archiver.history import MetadataHistory
from linacre.archiver.model import Kind, Metadata, Series
from linacre.archiver.registry.file import RegistryFile
from linacre.archiver.registry.reading import RegistryReader
from linacre.archiver.registry.rows import (
    Channel,
    Said,
    Write,
    bound,
    channel_of,
    fewer,
    insert_series,
    metadata_from,
    row_of,
)
from linacre.archiver.registry.series import SeriesNumbers
from linacre.archiver.service import Event
from linacre.base.errors import LinacreError

FILE_NAME = "archiver.sqlite"
COPY_NAME = "archiver.sqlite.copy"


class Registry:
    """The registry, to read and, unless it was opened to read, to write; any thread may call."""

    def __init__(self, folder: Path, file: RegistryFile | None) -> None:
        """Use `open` or `open_reader`."""
        self.folder = folder
        self.is_new = file is not None and file.is_new
        self.repaired = "" if file is None else file.repaired
        """What was done about a damaged file when it was opened; empty: nothing."""
        self._file = file
        self._reading = file or RegistryReader(folder / FILE_NAME)
        self._memory = threading.Lock()
        self._flushing = threading.Lock()
        self._todo: list[Write] = []
        self._numbers = SeriesNumbers(self._load_series() if file else ())
        self._newest_metadata = self._load_metadata() if file else {}

    @classmethod
    def open(cls, folder: Path, *, now_ns: Callable[[], int]) -> Registry:
        """Open it, or make it; a damaged file is set aside and its copy is taken.

        A file of a newer format raises `UserError`, one that cannot be opened `LinacreError`. On a
        full disk what is there is read, and no change is taken.
        """
        return cls(folder, RegistryFile.open(folder / FILE_NAME, folder / COPY_NAME, now_ns()))

    @classmethod
    def open_reader(cls, folder: Path) -> Registry | None:
        """Open it to read, beside an archiver that may be running; None where there is none."""
        return cls(folder, None) if (folder / FILE_NAME).exists() else None

    # -- Series ------------------------------------------------------------------------------

    def series(self, pv: str, kind: Kind, native: str) -> Series:
        """Return the series, numbered now if it is new; it is in the file after `flush`."""
        with self._memory:
            found, is_new = self._numbers.get(pv, kind, native)
            if is_new:
                self._todo.append(insert_series(found))
            return found

    def adopt(self, found: Iterable[Series]) -> None:
        """Take in series that the journals have and the file has not, after it was damaged."""
        with self._memory:
            self._todo += [insert_series(one) for one in found if self._numbers.adopt(one)]

    def all_series(self) -> list[Series]:
        """Return all series, in the order of their numbers."""
        if self._file is None:
            return sorted(self._load_series(), key=lambda series: series.id)
        with self._memory:
            return self._numbers.all()

    def series_of(self, pv: str) -> tuple[Series, ...]:
        """Return a PV's series, in the order of their numbers."""
        if self._file is None:
            # To read one PV takes the same time among ten and among ten thousand.
            sql = "SELECT id, pv, kind, native FROM series WHERE pv = ? ORDER BY id"
            return tuple(_series(row) for row in self._read(sql, pv))
        with self._memory:
            return self._numbers.of(pv)

    def kinds(self, pv: str) -> list[Kind]:
        """Return the kinds that a PV's values ever had, the newest last."""
        return list(dict.fromkeys(series.kind for series in self.series_of(pv)))

    # -- Channels ----------------------------------------------------------------------------

    def channels(self, *, removed: bool = False) -> list[Channel]:
        """Return the PVs that are archived, sorted; or those that were and are no more."""
        rows = self._read(
            "SELECT pv, provider, method, period_s, fields, added_ns, added_by, paused, removed"
            " FROM channels WHERE removed = ? ORDER BY pv",
            int(removed),
        )
        return [channel_of(row) for row in rows]

    def knows(self, pv: str) -> bool:
        """Whether a PV is or was archived, and its data were not deleted."""
        return bool(self._read("SELECT 1 FROM channels WHERE pv = ?", pv))

    def put(self, channels: Sequence[Channel]) -> None:
        """Write channels, new ones or changed ones; committed on return."""
        self._commit(
            Write(
                "INSERT OR REPLACE INTO channels(pv, provider, method, period_s, fields, added_ns,"
                " added_by, paused, removed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row_of(channel),
            )
            for channel in channels
        )

    def forget(self, pvs: Sequence[str], *, erased_until_ns: Mapping[str, int]) -> None:
        """Delete PVs with all that is known of them; their samples up to a time are no more."""

        def writes() -> Iterable[Write]:
            for pv in pvs:
                yield Write("DELETE FROM channels WHERE pv = ?", (pv,))
                yield Write("DELETE FROM metadata WHERE pv = ?", (pv,))
                yield Write("DELETE FROM events WHERE pv = ?", (pv,))

        self.erase(erased_until_ns)
        self._commit(writes())
        with self._memory:
            for pv in pvs:
                self._newest_metadata.pop(pv, None)

    def erase(self, until_ns: Mapping[str, int]) -> None:
        """Take the samples of PVs up to a time as deleted; committed on return."""
        sql = "INSERT OR REPLACE INTO erased(pv, until_ns) VALUES (?, ?)"
        self._commit(Write(sql, item) for item in until_ns.items())

    def erased(self) -> Mapping[str, int]:
        """Return up to when the samples of PVs were deleted, ns."""
        return dict(self._read("SELECT pv, until_ns FROM erased"))

    # -- Metadata ----------------------------------------------------------------------------

    def note_metadata(self, pv: str, from_ns: int, metadata: Metadata) -> bool:
        """Write what a server says of a PV from a time on; False where it says the same again.

        What it said before stays. Where some of that is from a later time, as the server's clock
        was set back, this holds until then and again after that: it is what is said at present.
        """
        text = json.dumps(asdict(metadata))
        with self._memory:
            newest = self._newest_metadata.get(pv)
            if newest is not None and newest.text == text:
                return False
            times = [from_ns]
            if newest is not None and from_ns <= newest.from_ns:
                times.append(newest.from_ns + 1)
            sql = "INSERT OR IGNORE INTO metadata(pv, time_ns, detail) VALUES (?, ?, ?)"
            self._todo += [Write(sql, (pv, time_ns, text)) for time_ns in times]
            self._newest_metadata[pv] = Said(times[-1], text)
            return True

    def describes(self, pv: str) -> bool:
        """Whether a server ever said anything of a PV."""
        with self._memory:
            return pv in self._newest_metadata

    def metadata(self, pv: str, at_ns: int | None = None) -> Metadata:
        """Return what was known of a PV at a time; what was first told, before that."""
        if at_ns is None:
            with self._memory:
                newest = self._newest_metadata.get(pv)
            if newest is not None:
                return metadata_from(json.loads(newest.text))
        return self.metadata_history(pv, bound(at_ns), bound(at_ns)).said[0]

    def metadata_history(self, pv: str, start_ns: int, end_ns: int) -> MetadataHistory:
        """Return what was known of a PV at a time, and what changed until another."""
        columns = "SELECT time_ns, detail FROM metadata WHERE pv = ?"
        sql = f"{columns} AND time_ns <= ? ORDER BY time_ns DESC LIMIT 1"
        rows = self._read(sql, pv, bound(start_ns))
        sql = f"{columns} AND time_ns > ? AND time_ns <= ? ORDER BY time_ns"
        rows += self._read(sql, pv, bound(start_ns), bound(end_ns))
        if not rows:
            rows = self._read(f"{columns} ORDER BY time_ns LIMIT 1", pv)
        if not rows:
            return MetadataHistory()
        times, texts = zip(*rows, strict=True)
        return MetadataHistory(times, tuple(metadata_from(json.loads(text)) for text in texts))

    # -- Events ------------------------------------------------------------------------------

    def note(self, event: Event) -> None:
        """Write down what happened."""
        sql = "INSERT INTO events(pv, time_ns, kind, detail) VALUES (?, ?, ?, ?)"
        text = json.dumps(dict(event.detail), default=str)
        write = Write(sql, (event.pv, event.time_ns, str(event.kind), text), is_event=True)
        with self._memory:
            self._todo.append(write)

    def events(self, pv: str | None, start_ns: int, end_ns: int) -> list[Event]:
        """Return what happened to a PV, or to all, in (start, end], in order."""
        where = "time_ns > ? AND time_ns <= ?" + ("" if pv is None else " AND pv = ?")
        arguments = (bound(start_ns), bound(end_ns), *(() if pv is None else (pv,)))
        rows = self._read(
            f"SELECT pv, time_ns, kind, detail FROM events WHERE {where} ORDER BY time_ns, id",
            *arguments,
        )
        return [Event(row[0], row[1], row[2], json.loads(row[3])) for row in rows]

    def forget_events(self, before_ns: int) -> None:
        """Delete events that are older than the oldest samples that are kept."""
        self._commit([Write("DELETE FROM events WHERE time_ns < ?", (bound(before_ns),))])

    # -- Settings ----------------------------------------------------------------------------

    def setting(self, name: str) -> str | None:
        """Return a setting, None where it was never made."""
        rows = self._read("SELECT value FROM settings WHERE name = ?", name)
        return rows[0][0] if rows else None

    def set(self, values: Mapping[str, str | None]) -> None:
        """Make settings, None: take them back; committed on return."""
        self._commit(
            Write("DELETE FROM settings WHERE name = ?", (name,))
            if value is None
            else Write("INSERT OR REPLACE INTO settings(name, value) VALUES (?, ?)", (name, value))
            for name, value in values.items()
        )

    # -- The file ----------------------------------------------------------------------------

    def flush(self) -> bool:
        """Commit what waits; False where the disk takes nothing now: it waits on."""
        with self._memory:
            if not self._todo:
                return True
        with self._flushing:
            with self._memory:
                todo, self._todo = self._todo, []
            try:
                self._writing.write(todo)
            except sqlite3.OperationalError:
                with self._memory:
                    self._todo = fewer([*todo, *self._todo])
                return False
        return True

    def give_back(self) -> bool:
        """Give the disk the room of what was deleted, where that is much; tell whether it was."""
        return self._writing.give_back()

    def copy(self) -> None:
        """Make the copy anew from which a damaged file is restored; `LinacreError` for no room."""
        self._writing.copy()

    def close(self) -> None:
        """Commit what waits, as far as the disk takes it, and close the file."""
        self.flush()
        self._reading.close()

    @property
    def _writing(self) -> RegistryFile:
        if self._file is None:
            raise RuntimeError(f"{self.folder} was opened to read")
        return self._file

    def _load_series(self) -> list[Series]:
        return [_series(row) for row in self._read("SELECT id, pv, kind, native FROM series")]

    def _load_metadata(self) -> dict[str, Said]:
        sql = "SELECT pv, detail, max(time_ns) FROM metadata GROUP BY pv"
        return {row[0]: Said(row[2], row[1]) for row in self._read(sql)}

    def _read(self, sql: str, *arguments: object) -> list[Any]:
        return self._reading.read(sql, *arguments)

    def _commit(self, writes: Iterable[Write]) -> None:
        try:
            self._writing.write(writes)
        except sqlite3.OperationalError as error:
            raise LinacreError(f"{self.folder / FILE_NAME} takes nothing now: {error}") from error


def _series(row: tuple[int, str, str, str]) -> Series:
    return Series(row[0], row[1], Kind(row[2]), row[3])
