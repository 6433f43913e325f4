"""A pvAccess server of PVs that tests change, a source of them, and what it gave."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Self

import numpy as np
from p4p import Value
from p4p.server import Server
from p4p.server.raw import SharedPV

from linacre.archiver.channels.pva import PvaSource
from linacre.archiver.model import ChannelSpec, Kind, Notice, NoticeKind, Provider, Series

NS = 1_000_000_000
LIMIT_S = 30.0


class Ids:
    """Numbers series as a registry does."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, Kind, str], Series] = {}

    def series(self, pv: str, kind: Kind, native: str) -> Series:
        key = (pv, kind, native)
        return self.known.setdefault(key, Series(len(self.known) + 1, *key))


class Served(AbstractContextManager["Served"]):
    """A server on a port of the loopback."""

    def __init__(self, pvs: Mapping[str, SharedPV], port: str = "0") -> None:
        conf = {
            "EPICS_PVAS_INTF_ADDR_LIST": "127.0.0.1",
            "EPICS_PVAS_SERVER_PORT": port,
            "EPICS_PVAS_BROADCAST_PORT": "0",
            "EPICS_PVAS_AUTO_BEACON_ADDR_LIST": "NO",
        }
        self.server = Server(providers=[dict(pvs)], conf=conf, useenv=False)
        self.port = self.server.conf()["EPICS_PVAS_SERVER_PORT"]

    @property
    def settings(self) -> dict[str, str]:
        return {
            "EPICS_PVA_NAME_SERVERS": f"127.0.0.1:{self.port}",
            "EPICS_PVA_ADDR_LIST": "",
            "EPICS_PVA_AUTO_ADDR_LIST": "NO",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.server.stop()


class Gathered:
    """A source of a server's PVs; all that it gave, as people see it."""

    def __init__(self, served: Served, **options: Any) -> None:
        self.ids = Ids()
        self.source = PvaSource(self.ids, settings=served.settings, **options)
        self.notices: list[Notice] = []
        self.samples: dict[str, list[tuple[Any, ...]]] = {}
        """By PV: value, time, severity, status, tag, kind."""
        self.batches = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.source.close()

    def add(self, pv: str, **settings: Any) -> None:
        self.source.add(ChannelSpec(pv=pv, provider=Provider.PVA, **settings))

    def drain(self) -> None:
        drained = self.source.drain()
        self.notices.extend(drained.notices)
        by_id = {series.id: series for series in self.ids.known.values()}
        for batch in drained.scalars:
            self.batches += 1
            for k in range(len(batch)):
                series = by_id[int(batch.series[k])]
                value: Any = int(batch.value[k])
                if series.kind in (Kind.FLOAT64, Kind.FLOAT32):
                    value = struct.unpack("=d", struct.pack("=q", value))[0]
                self._keep(series, value, batch, k)
        for batch in drained.blobs:
            self.batches += 1
            assert batch.offset[0] == 0
            for k in range(len(batch)):
                series = by_id[int(batch.series[k])]
                data = bytes(batch.data[batch.offset[k] : batch.offset[k + 1]])
                value = _value(series.kind, data)
                if series.kind is not Kind.STRUCT:
                    size = len(data) if series.kind is Kind.STRING else len(value)
                    assert size == batch.count[k]
                self._keep(series, value, batch, k)

    def _keep(self, series: Series, value: Any, batch: Any, k: int) -> None:
        marks = [int(getattr(batch, name)[k]) for name in ("time", "severity", "status", "tag")]
        self.samples.setdefault(series.pv, []).append((value, *marks, series.kind))

    def until(self, what: Callable[[], Any]) -> Any:
        """Drain until something is true."""
        end = time.monotonic() + LIMIT_S
        while True:
            self.drain()
            if found := what():
                return found
            assert time.monotonic() < end, (self.notices, self.samples)
            time.sleep(0.01)

    def values(self, pv: str) -> list[Any]:
        return [sample[0] for sample in self.samples.get(pv, [])]

    def until_values(self, pv: str, count: int) -> list[Any]:
        self.until(lambda: len(self.values(pv)) >= count)
        return self.values(pv)

    def told(self, kind: NoticeKind, pv: str) -> list[Mapping[str, Any]]:
        return [dict(n.detail) for n in self.notices if n.kind is kind and n.pv == pv]

    def until_told(self, kind: NoticeKind, pv: str, count: int = 1) -> list[Mapping[str, Any]]:
        self.until(lambda: len(self.told(kind, pv)) >= count)
        return self.told(kind, pv)


def _value(kind: Kind, data: bytes) -> Any:
    if kind in (Kind.STRING, Kind.STRUCT):
        return data.decode()
    if kind is Kind.BYTES:
        return data
    if kind is Kind.STRING_ARRAY:
        texts: list[str] = []
        while data:
            (length,) = struct.unpack_from("<i", data)
            texts.append(data[4 : 4 + length].decode())
            data = data[4 + length :]
        return texts
    return np.frombuffer(data, kind.item).tolist()


def as_stored(code: str, value: Any) -> Any:
    """Return what a batch has of a value of p4p's type code."""
    if isinstance(value, list):
        if code in "bB":
            return np.array(value, code.lower() if code == "b" else np.uint8).tobytes()
        return [as_stored(code, item) if code == "?" else item for item in value]
    if code == "L" and value >= 2**63:
        # In a batch it is kept by its bits.
        return value - 2**64
    return int(value) if code == "?" else value


def stamp(time_ns: int, tag: int = 0) -> dict[str, int]:
    return {
        "secondsPastEpoch": time_ns // NS,
        "nanoseconds": time_ns % NS,
        "userTag": tag,
    }


def post(pv: SharedPV, values: Mapping[str, Any], time_ns: int | None = None, tag: int = 0) -> None:
    """Change a PV, with a time: now unless it is given."""
    at = time.time_ns() if time_ns is None else time_ns
    of = pv.current().type()
    given = dict(values)
    if "timeStamp" in of:
        given["timeStamp"] = stamp(at, tag)
    pv.post(Value(of, given))


def opened(
    of: Any, values: Mapping[str, Any], time_ns: int | None = None, tag: int = 0
) -> SharedPV:
    """Return a PV of a type, with a value and a time."""
    return SharedPV(initial=first(of, values, time_ns, tag))


def first(of: Any, values: Mapping[str, Any], time_ns: int | None = None, tag: int = 0) -> Value:
    given = dict(values)
    if "timeStamp" in of:
        given["timeStamp"] = stamp(time.time_ns() if time_ns is None else time_ns, tag)
    return Value(of, given)
