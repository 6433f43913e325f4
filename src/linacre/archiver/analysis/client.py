"""An archive for those who study what is in it: samples, bins, tables, files.

    from linacre.archiver import Archive

    archive = Archive("http://10.61.2.60:17665")
    current = archive.samples("CLA-S01-MAG-QUAD-01:READI", "-1h").to_pandas()
    table = archive.table(["BPM-01:X", "QUAD-01:READI"], "-1h", on="BPM-01:X", as_="pandas")

Times are what `linacre.archiver.times.time_ns` takes: `"-1h"`, `"now"`, ISO times (UTC where they
have no offset), datetimes with a time zone, seconds or nanoseconds.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Self, Unpack

import pyarrow as pa

from linacre.archiver.analysis.export import Progress, export_samples, export_table
from linacre.archiver.analysis.lacking import OnDamage
from linacre.archiver.analysis.live import Live
from linacre.archiver.analysis.opening import open_reader
from linacre.archiver.analysis.tables import AlignName, TableOptions, table_spec
from linacre.archiver.errors import UnknownPvError, WrongTimeError
from linacre.archiver.history import MetadataHistory
from linacre.archiver.model import Metadata
from linacre.archiver.reading.convert import FORMS, to_pandas, to_polars, to_xarray
from linacre.archiver.reading.damage import footer_of
from linacre.archiver.reading.samples import Bins, Samples
from linacre.archiver.reading.table import WINDOW_BYTES, TableSpec, TableStream
from linacre.archiver.service import Event, NoSuchPvError, Reader
from linacre.archiver.times import Length, When, time_ns
from linacre.base.errors import UserError

OnDamageName = Literal["warn", "raise", "ignore"]
_NAMES_COMPARED = 20_000


class Archive:
    """Reads an archive: a running archiver by its address, or the folder of one.

    Any thread may call. Unknown PVs raise `UnknownPvError`, times that are none `WrongTimeError`,
    an archiver that does not answer `UnreachableError`; all are `LinacreError` of one line.
    """

    def __init__(
        self,
        where: str | Path | Reader,
        *,
        token: str | None = None,
        timeout_s: float = 60.0,
        on_damage: OnDamageName = "warn",
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Name an archive by `http://HOST:17665` or by its folder; nothing is read yet.

        The token is that of an archiver which asks for one to be read. `on_damage` is what is done
        where an answer lacks samples, since blocks of the archive's files are damaged: `"warn"`
        (`LackingWarning`), `"raise"` (`LackingError`; of a stream after its rows), or `"ignore"`.
        """
        self._reader = open_reader(where, token, timeout_s)
        self._on_damage = OnDamage.of(on_damage)
        self._clock = clock

    @property
    def reader(self) -> Reader:
        """What the archive is read by: plain Arrow, and times in nanoseconds."""
        return self._reader

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Give up connections and files."""
        close = getattr(self._reader, "close", None)
        if close is not None:
            close()

    def pvs(self, pattern: str = "*") -> list[str]:
        """Return the names that match a glob pattern such as `CLA-S02-*:READI`, sorted."""
        return self._reader.pvs(pattern)

    def samples(self, pv: str, start: When = "-1h", end: When = "now") -> Samples:
        """Return one sample at or before the start, then all in (start, end].

        The first tells what was current at the start. `start == end` gives the last known sample.
        """
        start_ns, end_ns = self._span(start, end)
        with self._asking(pv):
            found = Samples(pv, self._reader.samples(pv, start_ns, end_ns))
        self._on_damage.tell({pv: found.damaged})
        return found

    def stream(self, pv: str, start: When = "-1h", end: When = "now") -> Iterator[Samples]:
        """Give the same in pieces, for what is larger than memory.

        Where blocks lacked, a last piece without samples says so: `Samples.damaged`.
        """
        start_ns, end_ns = self._span(start, end)
        damaged = 0
        with self._asking(pv):
            for batch in self._reader.stream(pv, start_ns, end_ns):
                piece = Samples(pv, pa.Table.from_batches([batch]))
                damaged = max(damaged, piece.damaged)
                yield piece
        self._on_damage.tell({pv: damaged})

    def after(self, pv: str, when: When, count: int = 1) -> Samples:
        """Return the next samples after a time."""
        with self._asking(pv):
            found = Samples(pv, self._reader.after(pv, self._time(when), count))
        self._on_damage.tell({pv: found.damaged})
        return found

    def bins(self, pv: str, start: When = "-1h", end: When = "now", n: int = 1000) -> Bins:
        """Return mean, standard deviation, least, greatest, ... of a number in n steps of time.

        Years take no longer than hours: the archive has them ready. Steps are of about one length.
        """
        start_ns, end_ns = self._span(start, end)
        with self._asking(pv):
            found = Bins(pv, self._reader.bins(pv, start_ns, end_ns, n))
        self._on_damage.tell({pv: found.damaged})
        return found

    def metadata(self, pv: str, at: When = "now") -> Metadata:
        """Return units, limits, labels and what else was known of a PV at a time."""
        with self._asking(pv):
            return self._reader.metadata(pv, self._time(at))

    def metadata_history(self, pv: str, start: When = "-1h", end: When = "now") -> MetadataHistory:
        """Return units, limits, labels as they were at the start, and each change until the end.

        `Samples.labels` and `to_pandas(labels=...)` take it.
        """
        start_ns, end_ns = self._span(start, end)
        with self._asking(pv):
            return self._reader.metadata_history(pv, start_ns, end_ns)

    def events(
        self, pv: str | None = None, start: When = "-1d", end: When = "now"
    ) -> Sequence[Event]:
        """Return the connections, losses, drops and changes of a PV, or of all, in order."""
        start_ns, end_ns = self._span(start, end)
        with self._asking(pv or ""):
            return self._reader.events(pv, start_ns, end_ns)

    def live(self, pvs: str | Sequence[str]) -> Live:
        """Return new samples of some PVs as they are stored, from now on until it is closed.

        Iterating gives `Samples`. Only of an archiver by its address; who reads too slowly loses
        the oldest.
        """
        names = self._names(pvs)
        live: Callable[[Sequence[str]], Live] | None = getattr(self._reader, "live", None)
        if live is None:
            raise UserError("a folder has nothing live: give the address of its archiver")
        return live(names)

    def table(
        self,
        pvs: str | Sequence[str],
        start: When = "-1h",
        end: When = "now",
        *,
        align: AlignName = "previous",
        period: Length | None = None,
        on: str | None = None,
        pulse: str | None = None,
        tolerance: Length | None = None,
        labels: bool = False,
        as_: Literal["arrow", "pandas", "polars", "xarray"] = "arrow",
    ) -> Any:
        """Return one table: a column `time`, then a column for each PV, named as it is.

        `pvs` are names or glob patterns. Rows lie in [start, end], both ends included, at the
        times of one of these:

        - `period`: start, start + period, ...; `"100ms"`, or seconds;
        - `on`: the samples of this PV;
        - `pulse`: the samples of a PV whose value is the pulse's number; where the same number
          comes again, only the first. The table has a column `pulse` (int64) after `time`;
        - `pulse="tag"`: the pulses that the samples' tags (pvAccess's userTag) tell. A row has
          those samples that bear the pulse's number, and null where a PV has none. Its time is
          the earliest of theirs; a PV's first sample with that tag counts, which must not be later
          by more than the tolerance (0.5 s where none is given). A tag of 0 is none;
        - none of them: the samples of all PVs, each time once.

        What a row at time t has of a PV, but for `pulse="tag"`:

        - `align="previous"`: its newest sample at or before t;
        - `"nearest"`: the sample nearest to t, of two as near the earlier; also one that is
          before the start or after the end;
        - `"linear"`: the value on the straight line between the samples before and after t, as
          float64; the sample itself where it is at t. Numbers only; enums, text and arrays are as
          with `previous`.

        Null where there is no such sample, or where it (for `linear`, one of the two) is further
        from t than the `tolerance`. NaN is a value as any other; pandas shows both alike. Enums
        are numbers, or with `labels=True` the labels that held at each sample's time; waveforms
        are lists.

        `as_`: an Arrow table; a pandas DataFrame with an index of times in UTC; a polars one; an
        xarray Dataset (waveforms of one length with two dimensions, units as attributes). For
        what is larger than memory see `stream_table`. Where blocks of the archive's files are
        damaged, the table's metadata have `linacre.damaged`, and JSON by PV in
        `linacre.damaged.by_pv`.
        """
        if as_ not in FORMS:
            raise UserError(f"as_={as_!r}: write one of {', '.join(FORMS)}")
        spec = self._spec(
            pvs,
            start,
            end,
            align=align,
            period=period,
            on=on,
            pulse=pulse,
            tolerance=tolerance,
            labels=labels,
        )
        with self._asking(""):
            stream = TableStream(self._reader, spec)
            table = pa.Table.from_batches(list(stream), stream.schema)
        if stream.damaged:
            self._on_damage.tell(stream.damaged)
            table = table.replace_schema_metadata({**footer_of(stream.damaged)})
        if as_ == "pandas":
            return to_pandas(table)
        if as_ == "polars":
            return to_polars(table)
        if as_ == "xarray":
            return to_xarray(table, {pv: self._history(pv, spec) for pv in spec.pvs})
        return table

    def stream_table(
        self,
        pvs: str | Sequence[str],
        start: When = "-1h",
        end: When = "now",
        *,
        window_bytes: int = WINDOW_BYTES,
        **options: Unpack[TableOptions],
    ) -> Iterator[pa.RecordBatch]:
        """Give the rows of `table` in batches, in bounded memory: about twice `window_bytes`."""
        spec = self._spec(pvs, start, end, window_bytes=window_bytes, **options)
        with self._asking(""):
            stream = TableStream(self._reader, spec)
            yield from stream
        self._on_damage.tell(stream.damaged)

    def export(
        self,
        pvs: str | Sequence[str],
        start: When,
        end: When,
        file: str | Path,
        *,
        progress: Progress | None = None,
        **options: Unpack[TableOptions],
    ) -> Path:
        """Write a file of Parquet (`.parquet`) or HDF5 (`.h5`, `.hdf5`), and return its path.

        With any of `align`, `period`, `on` and `pulse` it has the rows of `table`; else the
        samples of each PV as they are. It is written in pieces under another name and renamed when
        it is whole; not at all where `on_damage` is `"raise"` and samples lack. `progress` is
        called with the share that is done, from 0 to 1. What is in the files is told in
        `linacre.archiver.analysis.export`.
        """
        if not {"align", "period", "on", "pulse"} & options.keys():
            names = self._names(pvs)
            start_ns, end_ns = self._span(start, end)
            with self._asking(""):
                return export_samples(
                    self._reader,
                    names,
                    start_ns,
                    end_ns,
                    Path(file),
                    progress=progress,
                    on_damage=self._on_damage.tell,
                )
        spec = self._spec(pvs, start, end, **options)
        with self._asking(""):
            return export_table(
                self._reader,
                spec,
                Path(file),
                progress=progress,
                on_damage=self._on_damage.tell,
            )

    def _spec(
        self,
        pvs: str | Sequence[str],
        start: When,
        end: When,
        *,
        window_bytes: int = WINDOW_BYTES,
        **options: Unpack[TableOptions],
    ) -> TableSpec:
        start_ns, end_ns = self._span(start, end)
        return table_spec(self._names(pvs), start_ns, end_ns, window_bytes=window_bytes, **options)

    def _history(self, pv: str, spec: TableSpec) -> MetadataHistory:
        return self._reader.metadata_history(pv, spec.start_ns, spec.end_ns)

    def _names(self, pvs: str | Sequence[str]) -> list[str]:
        """Return the names that names and patterns stand for, each once."""
        found: dict[str, None] = {}
        for name in [pvs] if isinstance(pvs, str) else pvs:
            if "*" not in name and "?" not in name:
                found[name] = None
                continue
            matches = self._reader.pvs(name)
            if not matches:
                raise UnknownPvError(f"the archive has no PV that matches {name}")
            found.update(dict.fromkeys(matches))
        if not found:
            raise UserError("no PV is named")
        return list(found)

    def _span(self, start: When, end: When) -> tuple[int, int]:
        now_ns = self._clock()
        start_ns, end_ns = time_ns(start, now_ns), time_ns(end, now_ns)
        if start_ns > end_ns:
            raise WrongTimeError(f"the start, {start}, is later than the end, {end}")
        return start_ns, end_ns

    def _time(self, when: When) -> int:
        return time_ns(when, self._clock())

    @contextmanager
    def _asking(self, pv: str) -> Generator[None]:
        """Tell an unknown PV as people are told it."""
        try:
            yield
        except NoSuchPvError as error:
            unknown = str(error.args[0]) if error.args else pv
            names = self._reader.pvs()
            like = (
                difflib.get_close_matches(unknown, names, 3)
                if len(names) <= _NAMES_COMPARED
                else []
            )
            meant = f"; did you mean {' or '.join(like)}?" if like else ""
            raise UnknownPvError(f"the archive has no PV {unknown}{meant}") from error
