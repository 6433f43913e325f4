"""capture.so, by ctypes: its functions, and the columns that it writes."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from linacre.archiver.channels._capture_types import (
    BLOB_COLUMNS,
    COLUMNS,
    LONG,
    METADATA_BYTES,
    POINTER,
    Dates,
    Limits,
    NoticeStructure,
    RawCounters,
    RawMetadata,
    RawNotice,
    RawTaken,
    Side,
    Taken,
    What,
)
from linacre.archiver.model import (
    AHEAD_NS,
    STEADY_EVENTS,
    STEADY_NS,
    BlobBatch,
    ScalarBatch,
)
from linacre.base.errors import LinacreError
from linacre.epics.libca import find_libca

CAPTURE = Path(__file__).parents[1] / "bin" / "capture.so"


class _Columns:
    """The memory of one side, which the system gives when it is first written to."""

    def __init__(self, scalars: int, blobs: int, size: int) -> None:
        self._arrays: dict[str, npt.NDArray[Any]] = {
            **{name: np.empty(scalars, kind) for name, kind in COLUMNS},
            **{name: np.empty(blobs + 1, kind) for name, kind in BLOB_COLUMNS},
            "data": np.empty(size, np.uint8),
        }
        self.side = Side(**{name: array.ctypes.data for name, array in self._arrays.items()})
        self._views = {name: array.view() for name, array in self._arrays.items()}
        for view in self._views.values():
            view.flags.writeable = False

    def scalars(self, n: int, tag: npt.NDArray[np.int32]) -> ScalarBatch:
        """Return the first n scalars."""
        return ScalarBatch(**{name: self._views[name][:n] for name, _ in COLUMNS}, tag=tag[:n])

    def blobs(self, n: int, size: int, tag: npt.NDArray[np.int32]) -> BlobBatch:
        """Return the first n blobs."""
        views = self._views
        return BlobBatch(
            series=views["blob_series"][:n],
            time=views["blob_time"][:n],
            severity=views["blob_severity"][:n],
            status=views["blob_status"][:n],
            tag=tag[:n],
            count=views["blob_count"][:n],
            offset=views["blob_offset"][: n + 1],
            data=views["data"][:size].data,
        )


def load(file: Path = CAPTURE, libca: Path | None = None) -> Any:
    """Load capture.so, and libca into it; `LinacreError` where one of them is not there."""
    if not file.is_file():
        raise LinacreError(f"{file} is missing: install g++, and install linacre again")
    library: Any = ctypes.CDLL(str(file))
    handle, number, whole = POINTER, LONG, ctypes.c_int
    for name, result, arguments in (
        ("load", ctypes.c_char_p, (ctypes.c_char_p,)),
        ("message", ctypes.c_char_p, (ctypes.c_long,)),
        ("open", handle, (POINTER, POINTER, POINTER)),
        ("close", None, (handle,)),
        ("add", handle, (handle, ctypes.c_uint32, ctypes.c_char_p, number, number)),
        ("subscribe", whole, (handle, whole, whole, whole)),
        ("ask_again", whole, (handle,)),
        ("scan", None, (handle, number)),
        ("remove", number, (handle,)),
        ("metadata", whole, (handle, POINTER, POINTER)),
        ("totals", None, (handle, POINTER)),
        ("swap", None, (handle, number, POINTER)),
    ):
        function = getattr(library, f"capture_{name}")
        function.restype, function.argtypes = result, arguments
    try:
        path = libca or find_libca()
    except OSError as error:
        raise LinacreError(str(error)) from error
    wrong = library.capture_load(str(path).encode())
    if wrong is not None:
        raise LinacreError(f"libca cannot be used: {wrong.decode(errors='replace')}")
    return library


class Capture:
    """One context of libca and its two sides of columns. One thread at a time calls.

    `library` is what `load` returns.
    """

    def __init__(
        self, *, max_events: int, max_blob_bytes: int, drift_ns: int, now_ns: int, library: Any
    ) -> None:
        self._library = library
        blobs = max(max_events // 4, 1)
        self._sides = [_Columns(max_events, blobs, max_blob_bytes) for _ in range(2)]
        # Zeros that nobody writes cost no memory.
        self._tags = np.zeros(max_events, np.int32)
        self._tags.flags.writeable = False
        self._taken, self._metadata = RawTaken(), ctypes.create_string_buffer(METADATA_BYTES)
        sides = (Side * 2)(*(side.side for side in self._sides))
        limits = Limits(
            *(max_events, blobs, max_blob_bytes, drift_ns),
            *(AHEAD_NS, STEADY_NS, STEADY_EVENTS),
        )
        status = ctypes.c_int()
        self._handle = self._library.capture_open(sides, ctypes.byref(limits), ctypes.byref(status))
        if self._handle is None:
            why = self.message(status.value) if status.value else "no memory, or no thread"
            raise LinacreError(f"Channel Access cannot be used: {why}")
        self.swap(now_ns)

    def close(self) -> None:
        """Give up all channels; may be repeated. What was taken stays as it is."""
        handle, self._handle = self._handle, None
        if handle is not None:
            self._library.capture_close(handle)

    def message(self, status: int) -> str:
        """Return libca's words for a status."""
        return self._library.capture_message(status).decode(errors="replace")

    def add(self, number: int, name: bytes, *, after_ns: int, period_ns: int) -> int:
        """Begin to search for a PV; return its handle. Samples after a time are taken only.

        A period of 0 takes each event.
        """
        if self._handle is None:
            raise LinacreError("no channel can be added to a source that was closed")
        handle = self._library.capture_add(self._handle, number, name, after_ns, period_ns)
        if handle is None:
            raise MemoryError("no memory for a channel")
        return handle

    def subscribe(self, channel: int, *, series: int, native: int, is_array: bool) -> None:
        """Take a channel's events into a series, for as long as its type stays the same."""
        self._library.capture_subscribe(channel, series, native, is_array)

    def ask_again(self, channel: int) -> None:
        """Let the server give a channel's present value once more."""
        self._library.capture_ask_again(channel)

    def scan(self, channel: int, period_ns: int) -> None:
        """Change a channel's period; 0 takes each event."""
        self._library.capture_scan(channel, period_ns)

    def remove(self, channel: int) -> int:
        """Give up a channel; return the time of the newest that was taken."""
        return self._library.capture_remove(channel)

    def metadata(self, channel: int) -> RawMetadata | None:
        """Return the first metadata that were not taken yet; None: they all were."""
        dates = Dates()
        length = self._library.capture_metadata(channel, self._metadata, ctypes.byref(dates))
        if not length:
            return None
        raw = self._metadata.raw[:length]
        return RawMetadata(raw, dates.came_ns, dates.newest_ns, dates.sample_ns)

    def counters(self, channel: int) -> RawCounters:
        """Return a channel's counters, in place: only until it is removed."""
        return RawCounters.from_address(channel)

    def totals(self) -> RawCounters:
        """Return the sums over all channels that ever were."""
        totals = RawCounters()
        if self._handle is None:
            return totals
        self._library.capture_totals(self._handle, ctypes.byref(totals))
        return totals

    def swap(self, now_ns: int) -> Taken:
        """Take what came, and tell the archiver's time; nothing once it is closed."""
        if self._handle is None:
            return Taken((), (), None, None, more=False)
        taken = self._taken
        self._library.capture_swap(self._handle, now_ns, ctypes.byref(taken))
        side = self._sides[taken.side]
        return Taken(
            notices=_notices(taken),
            droppers=_droppers(taken),
            scalars=side.scalars(taken.scalars, self._tags) if taken.scalars else None,
            blobs=side.blobs(taken.blobs, taken.bytes, self._tags) if taken.blobs else None,
            more=bool(taken.waits),
        )


def _droppers(taken: RawTaken) -> Sequence[int]:
    if not taken.dropping:
        return ()
    return list((ctypes.c_uint32 * taken.dropping).from_address(taken.dropper))


def _notices(taken: RawTaken) -> Sequence[RawNotice]:
    if not taken.notices:
        return ()
    return [
        RawNotice(
            channel=notice.channel,
            what=What(notice.what),
            time_ns=notice.time_ns,
            native=notice.native,
            count=notice.count,
            status=notice.status,
            host=notice.host.decode(errors="replace"),
        )
        for notice in (NoticeStructure * taken.notices).from_address(taken.notice)
    ]
