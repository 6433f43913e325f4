"""capture.so compiled for the test run, upon a libca that does what the test says."""

from __future__ import annotations

import ctypes
import shutil
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import linacre.archiver.channels
from linacre.archiver.channels.ca import CaSource
from linacre.archiver.model import ChannelSpec, Drained, Kind, Series

CHANNELS = Path(linacre.archiver.channels.__file__).parent
HERE = Path(__file__).parent
STRING, SHORT, FLOAT, ENUM, CHAR, LONG, DOUBLE = range(7)
LIMIT_S = 10.0
EPOCH_S = 631_152_000
NOW = 1_800_000_000_000_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
Maker = Callable[..., CaSource]

_HEADS = dict(enumerate(("", "xx", "", "xx", "xxx", "", "xxxx")))
_ITEMS = dict(enumerate(("40s", "h", "f", "H", "B", "i", "d")))


_PARTS = ("capture.c", "columns.c", "holding.c", "words.c", "client.c")
CAPTURE = [CHANNELS / name for name in _PARTS]


def compile_shared(sources: list[Path], target: Path) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler for capture.so: apt-get install gcc")
    options = ["-O2", "-g", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", f"-I{CHANNELS}"]
    command = [compiler, *options, "-o", str(target), *map(str, sources), "-ldl"]
    subprocess.run(command, check=True)
    return target


def wait_for(what: str, look: Callable[[], Any]) -> Any:
    end = time.monotonic() + LIMIT_S
    while not (found := look()):
        if time.monotonic() > end:
            pytest.fail(f"not within {LIMIT_S} s: {what}")
        time.sleep(0.001)
    return found


class Ids:
    """Numbers series in the order of asking."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, Kind, str], Series] = {}

    def series(self, pv: str, kind: Kind, native: str) -> Series:
        new = Series(len(self.known) + 1, pv, kind, native)
        return self.known.setdefault((pv, kind, native), new)


class Server:
    """All servers of the fake network."""

    def __init__(self, file: Path) -> None:
        self._library: Any = ctypes.CDLL(str(file))
        pointer, whole = ctypes.c_void_p, ctypes.c_int
        for name, result, arguments in (
            ("channel", pointer, (ctypes.c_char_p,)),
            ("connect", None, (pointer, whole, ctypes.c_long, ctypes.c_uint)),
            ("disconnect", None, (pointer,)),
            ("access", None, (pointer, ctypes.c_uint)),
            ("type", ctypes.c_long, (pointer, whole)),
            ("count", ctypes.c_long, (pointer,)),
            ("subscribed", ctypes.c_long, (pointer,)),
            (
                *("event", None),
                (pointer, whole, ctypes.c_long, ctypes.c_long, ctypes.c_char_p, whole),
            ),
        ):
            function = getattr(self._library, f"fake_{name}")
            function.restype, function.argtypes = result, arguments

    def channel(self, pv: str) -> int:
        return wait_for(f"search for {pv}", lambda: self._library.fake_channel(pv.encode()))

    def is_searched(self, pv: str) -> bool:
        return self._library.fake_channel(pv.encode()) is not None

    def connect(self, pv: str, native: int, count: int = 1, *, readable: bool = True) -> None:
        self._library.fake_connect(self.channel(pv), native, count, readable)

    def disconnect(self, pv: str) -> None:
        self._library.fake_disconnect(self.channel(pv))

    def access(self, pv: str, *, readable: bool) -> None:
        self._library.fake_access(self.channel(pv), readable)

    def subscribed(self, pv: str, native: int, *, properties: bool = False) -> int:
        """Wait for the subscription to a type; return the count that it asks for."""
        channel = self.channel(pv)
        wanted = native + (28 if properties else 14)
        look = lambda: self._library.fake_type(channel, properties) == wanted  # noqa: E731
        wait_for(f"subscription of {pv}", look)
        return self._library.fake_count(channel)

    def subscriptions(self, pv: str) -> int:
        """Return how often a PV was subscribed to, its values and its properties."""
        return self._library.fake_subscribed(self.channel(pv))

    def event(
        self, pv: str, native: int, time_ns: int, *values: Any, severity: int = 0, status: int = 0
    ) -> None:
        seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
        head = struct.pack("=hhII", status, severity, seconds - EPOCH_S, nanoseconds)
        data = head + struct.pack(
            "=" + _HEADS[native] + len(values) * _ITEMS[native],
            *(v.encode() if isinstance(v, str) else v for v in values),
        )
        self.raw(pv, native + 14, len(values), data)

    def properties(self, pv: str, native: int, data: bytes) -> None:
        self._library.fake_event(self.channel(pv), 1, native + 28, 1, data.ljust(424, b"\0"), 1)

    def raw(self, pv: str, kind: int, count: int, data: bytes | None, status: int = 1) -> None:
        self._library.fake_event(self.channel(pv), 0, kind, count, data, status)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


def begin(
    source: CaSource, server: Server, pv: str, native: int, count: int = 1, **spec: Any
) -> None:
    source.add(ChannelSpec(pv=pv, **spec))
    server.connect(pv, native, count)
    source.drain()
    server.subscribed(pv, native)


def scalars(drained: Drained) -> list[tuple[int, int, float | int]]:
    """Return series, time and value of floats, or of whole numbers below 2**32."""
    return [
        (int(s), int(t), int(v) if abs(v) < 2**32 else float(v.view(np.float64)))
        for batch in drained.scalars
        for s, t, v in zip(batch.series, batch.time, batch.value, strict=True)
    ]


def values(drained: Drained) -> list[float | int]:
    return [value for _, _, value in scalars(drained)]


def blobs(drained: Drained) -> list[tuple[int, bytes]]:
    return [
        (int(batch.count[k]), bytes(batch.data[batch.offset[k] : batch.offset[k + 1]]))
        for batch in drained.blobs
        for k in range(len(batch))
    ]
