"""An archive in memory, with some PVs of each kind, and what it is told to do."""

from __future__ import annotations

import fnmatch
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from linacre.archiver.errors import ReadOnlyError
from linacre.archiver.history import MetadataHistory
from linacre.archiver.model import NANOSECONDS, ChannelSpec, Drop, Kind, Metadata, NoticeKind
from linacre.archiver.reading.damage import nothing
from linacre.archiver.service import (
    BIN_FIELDS,
    ChannelState,
    ChannelStatus,
    Event,
    Info,
    NoSuchPvError,
)
from linacre.archiver.store.part import arrow_type
from linacre.base.errors import UserError

NOW_S = 1_795_000_000.0
NOW_NS = int(NOW_S) * NANOSECONDS


class FakeClock:
    def __init__(self, now_s: float = NOW_S) -> None:
        self.now_s = now_s

    def now(self) -> float:
        return self.now_s

    def monotonic(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass
class FakePv:
    """Samples in the order of time; values as Arrow has them."""

    kind: Kind
    time: np.ndarray[Any, Any]
    value: pa.Array
    severity: np.ndarray[Any, Any]
    metadata: Metadata = field(default_factory=Metadata)


def pv_of(
    kind: Kind, values: Sequence[Any], *, end_ns: int = NOW_NS, step_s: float = 1.0
) -> FakePv:
    """A PV with a sample each `step_s`, the last one `step_s` before the end."""
    n = len(values)
    times = end_ns - (np.arange(n, 0, -1) * step_s * NANOSECONDS).astype(np.int64)
    return FakePv(kind, times, pa.array(values, arrow_type(kind)), np.zeros(n, np.int8))


def table_of(pv: FakePv, rows: np.ndarray[Any, Any] | slice, **told: str) -> pa.Table:
    times = pv.time[rows]
    n = len(times)
    index = np.arange(len(pv.time))[rows]
    table = pa.table(
        {
            "time": pa.array(times),
            "value": pv.value.take(pa.array(index)),
            "severity": pa.array(pv.severity[rows]),
            "status": pa.array(np.zeros(n, np.int16)),
            "tag": pa.array(np.zeros(n, np.int32)),
        }
    )
    metadata = {"linacre.kind": pv.kind.value, **{f"linacre.{k}": v for k, v in told.items()}}
    return table.replace_schema_metadata(metadata)


class FakeReader:
    """A `Reader` of what is in memory."""

    piece_rows = 1000

    def __init__(self, held: Mapping[str, FakePv], happened: Sequence[Event] = ()) -> None:
        self.held = dict(held)
        self.happened = list(happened)
        self.damaged: dict[str, int] = {}
        self.histories: dict[str, MetadataHistory] = {}
        self.fail_after: int | None = None
        self.closed = 0
        self.pieces = 0

    def _get(self, pv: str) -> FakePv:
        try:
            return self.held[pv]
        except KeyError:
            raise NoSuchPvError(pv) from None

    def pvs(self, pattern: str = "*") -> list[str]:
        return sorted(n for n in self.held if fnmatch.fnmatchcase(n, pattern))

    def samples(self, pv: str, start_ns: int, end_ns: int) -> pa.Table:
        held = self._get(pv)
        first = max(0, int(np.searchsorted(held.time, start_ns, "right")) - 1)
        last = int(np.searchsorted(held.time, end_ns, "right"))
        told = {"damaged": str(self.damaged[pv])} if pv in self.damaged else {}
        return table_of(held, slice(first, last), **told)

    def _rows(self, pv: str, start_ns: int, end_ns: int) -> list[pa.RecordBatch]:
        """Give batches; what lacks is told by a last one without rows."""
        table = self.samples(pv, start_ns, end_ns)
        said = {b"linacre.kind": table.schema.metadata[b"linacre.kind"]}
        batches = table.replace_schema_metadata(said).to_batches(self.piece_rows)
        return [*batches, nothing(table.schema)] if pv in self.damaged else batches

    def stream(self, pv: str, start_ns: int, end_ns: int) -> Iterator[pa.RecordBatch]:
        rows = self._rows(pv, start_ns, end_ns)
        try:
            for number, batch in enumerate(rows):
                if self.fail_after is not None and number >= self.fail_after:
                    raise OSError("the disk is gone")
                self.pieces += 1
                yield batch
        finally:
            self.closed += 1

    def bins(self, pv: str, start_ns: int, end_ns: int, n: int) -> pa.Table:
        held = self._get(pv)
        if not held.kind.is_scalar:
            raise UserError(f"{pv} has no numbers ({held.kind}): ask for its samples")
        if end_ns <= start_ns:
            raise UserError("bins need a time range")
        edges = np.array([start_ns + (end_ns - start_ns) * k // n for k in range(n + 1)])
        places = np.searchsorted(held.time, edges)
        rows: dict[str, list[Any]] = {name: [] for name in BIN_FIELDS}
        values = np.asarray(held.value.to_numpy(zero_copy_only=False), np.float64)
        for k in range(n):
            inside = values[places[k] : places[k + 1]]
            good = inside[np.isfinite(inside)]
            severities = held.severity[places[k] : places[k + 1]]
            rows["start"].append(edges[k])
            rows["end"].append(edges[k + 1])
            rows["count"].append(len(good))
            numbers = (
                (good.mean(), good.std(), good.min(), good.max(), good[0], good[-1], good.sum())
                if len(good)
                else (None,) * 7
            )
            for name, number in zip(BIN_FIELDS[3:10], numbers, strict=True):
                rows[name].append(number)
            rows["sum_squares"].append((good**2).sum() if len(good) else None)
            rows["severity"].append(severities.max() if len(severities) else None)
        types = [pa.int64()] * 3 + [pa.float64()] * 8 + [pa.int8()]
        return pa.table({f: pa.array(rows[f], t) for f, t in zip(BIN_FIELDS, types, strict=True)})

    def after(self, pv: str, time_ns: int, count: int = 1) -> pa.Table:
        held = self._get(pv)
        first = int(np.searchsorted(held.time, time_ns, "right"))
        return table_of(held, slice(first, first + count))

    def metadata(self, pv: str, at_ns: int | None = None) -> Metadata:
        return self._get(pv).metadata

    def metadata_history(self, pv: str, start_ns: int, end_ns: int) -> MetadataHistory:
        return self.histories.get(pv) or MetadataHistory(said=(self._get(pv).metadata,))

    def events(self, pv: str | None, start_ns: int, end_ns: int) -> Sequence[Event]:
        if pv is not None:
            self._get(pv)
        return [e for e in self.happened if start_ns < e.time_ns <= end_ns and pv in (None, e.pv)]


class FakeFollower:
    """Gives what a test puts in."""

    def __init__(self, pvs: Sequence[str], reader: FakeReader) -> None:
        self.pvs = pvs
        self.closed = threading.Event()
        self._reader = reader
        self._waiting: dict[str, pa.Table] = {}
        self._lock = threading.Lock()

    def put(self, pv: str, table: pa.Table) -> None:
        """Hold a table until it is taken; what waits already is lost, as by a slow reader."""
        with self._lock:
            old = self._waiting.pop(pv, None)
            if old is not None:
                held: Any = old.schema.metadata
                lost = old.num_rows + int(held.get(b"linacre.lost", b"0"))
                metadata = {**(table.schema.metadata or {}), b"linacre.lost": str(lost).encode()}
                table = table.replace_schema_metadata(metadata)
            self._waiting[pv] = table

    def take(self, timeout_s: float) -> Mapping[str, pa.Table]:
        with self._lock:
            taken, self._waiting = self._waiting, {}
        return taken

    def close(self) -> None:
        self.closed.set()


class FakeControl:
    """A `Control` that keeps what it was told."""

    def __init__(self, reader: FakeReader, channels: Sequence[ChannelStatus] = ()) -> None:
        self.reader = reader
        self.channels = {one.spec.pv: one for one in channels}
        self.followers: list[FakeFollower] = []
        self.deleted: list[str] = []
        self.delay_s = 0.0
        self.whole = Info(
            name="study",
            version="0.1.0",
            started_ns=NOW_NS - 3600 * NANOSECONDS,
            ends_ns=NOW_NS + 7 * 86400 * NANOSECONDS,
            owner="a.physicist",
            read_only=False,
            pvs=len(self.channels),
            connected=0,
            samples=12345,
            bytes=1_234_567,
            disk_full=False,
            damaged=0,
            loss_window_s=0.6,
        )

    def _change(self, pvs: Sequence[str]) -> None:
        if self.whole.read_only:
            raise ReadOnlyError("the archiver ended on 2026-11-01: it only serves what it has")
        for pv in pvs:
            if pv not in self.channels:
                raise NoSuchPvError(pv)

    def add(self, specs: Sequence[ChannelSpec]) -> Mapping[str, bool]:
        self._change([])
        new = {spec.pv: spec.pv not in self.channels for spec in specs}
        for spec in specs:
            now = int(time.time() * NANOSECONDS)
            old = self.channels.get(spec.pv) or ChannelStatus(
                spec=spec, state=ChannelState.SEARCHING, since_ns=now, added_ns=now
            )
            self.channels[spec.pv] = replace(old, spec=spec)
        return new

    def pause(self, pvs: Sequence[str]) -> list[str]:
        self._change(pvs)
        found = [pv for pv in pvs if self.channels[pv].state is not ChannelState.PAUSED]
        for pv in found:
            self.channels[pv] = replace(self.channels[pv], state=ChannelState.PAUSED, rate_hz=0.0)
        return found

    def resume(self, pvs: Sequence[str]) -> list[str]:
        self._change(pvs)
        found = [pv for pv in pvs if self.channels[pv].state is ChannelState.PAUSED]
        for pv in found:
            self.channels[pv] = replace(self.channels[pv], state=ChannelState.CONNECTED)
        return found

    def remove(self, pvs: Sequence[str], *, delete_data: bool = False) -> None:
        self._change(pvs)
        for pv in pvs:
            del self.channels[pv]
            if delete_data:
                self.reader.held.pop(pv, None)
                self.deleted.append(pv)

    def extend(self, ends_ns: int | None) -> None:
        self._change([])
        self.whole = replace(self.whole, ends_ns=ends_ns)

    def status(self, pattern: str = "*") -> list[ChannelStatus]:
        time.sleep(self.delay_s)
        names = sorted(n for n in self.channels if fnmatch.fnmatchcase(n, pattern))
        return [self.channels[name] for name in names]

    def info(self) -> Info:
        connected = sum(c.state is ChannelState.CONNECTED for c in self.channels.values())
        return replace(self.whole, pvs=len(self.channels), connected=connected)

    def follow(self, pvs: Sequence[str]) -> FakeFollower:
        self.followers.append(FakeFollower(pvs, self.reader))
        return self.followers[-1]


STRUCT_TEXT = json.dumps({"x": 1.5, "names": ["a", "b"], "bad": float("nan")})


def an_archive() -> tuple[FakeReader, FakeControl]:
    """PVs of each kind, with names that are hard to send."""
    nan, inf = float("nan"), float("inf")
    held = {
        "CLA:READI": pv_of(Kind.FLOAT64, [1.5, 2.5, nan, inf, 1e-7]),
        "CLA:LONG": pv_of(Kind.FLOAT64, np.arange(5000.0)),
        "CLA:COUNT": pv_of(Kind.INT64, [1, 2**53 + 1, -3]),
        "CLA:STATE": pv_of(Kind.ENUM, [0, 1, 0]),
        "CLA:NAME": pv_of(Kind.STRING, ["a", 'b"\n,<b>', "ü"]),
        "CLA:WAVE": pv_of(Kind.FLOAT64_ARRAY, [[1.0, nan], [], [2.5, 3.5, 4.5]]),
        "CLA:SHORTS": pv_of(Kind.INT16_ARRAY, [[1, 2], [3]]),
        "CLA:CHARS": pv_of(Kind.BYTES, [b"\x00\xff", b"abc"]),
        "CLA:TEXTS": pv_of(Kind.STRING_ARRAY, [["a", "b,c"], []]),
        "CLA:TABLE": pv_of(Kind.STRUCT, [STRUCT_TEXT, "not json"]),
        "CLA:EMPTY": pv_of(Kind.FLOAT64, []),
        "A/B?C#{D}:E%2F é": pv_of(Kind.INT32, [7]),
        "<img src=x onerror=alert(1)>": pv_of(Kind.INT32, [7]),
    }
    held["CLA:READI"].metadata = Metadata(units="A", precision=3, alarm=(nan, 10.0))
    held["CLA:STATE"].metadata = Metadata(labels=("Off", "On"))
    events = [
        Event("CLA:READI", NOW_NS - 60 * NANOSECONDS, NoticeKind.LOST, {}),
        Event("CLA:READI", NOW_NS - 30 * NANOSECONDS, NoticeKind.CONNECTED, {"host": "h:5064"}),
        Event("", NOW_NS - 20 * NANOSECONDS, "damaged", {"blocks": 1}),
    ]
    reader = FakeReader(held, events)
    channels = [
        ChannelStatus(
            spec=ChannelSpec(pv=pv),
            state=ChannelState.CONNECTED,
            since_ns=NOW_NS - 30 * NANOSECONDS,
            added_ns=NOW_NS - 3600 * NANOSECONDS,
            kind=one.kind,
            samples=len(one.time),
            rate_hz=1.0,
            last_ns=int(one.time[-1]) if len(one.time) else 0,
            drops={Drop.PAST: 2, Drop.BUFFER: 1} if pv == "CLA:READI" else {},
            losses=1,
        )
        for pv, one in held.items()
    ]
    channels[3] = replace(channels[3], state=ChannelState.LOST)
    return reader, FakeControl(reader, channels)
