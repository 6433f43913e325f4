"""IOCs as plain processes on loopback addresses of their own, and what a source takes of them."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linacre.archiver.channels._capture import load
from linacre.archiver.channels.ca import CaSource
from linacre.archiver.model import ChannelSpec, Kind, Notice, NoticeKind, Series

PACKAGE = Path(__file__).parents[3] / "src/linacre"
LIMIT_S = 40.0

PYTHON_IOC = """\
import os, sys, threading, time
import numpy as np
from softioc import asyncio_dispatcher, builder, softioc

dispatcher = asyncio_dispatcher.AsyncioDispatcher()
builder.SetDeviceName("T")
number = builder.longIn("L", TSE=-2, initial_value=0)
flood = builder.longIn("FLOOD")
slow = builder.longIn("SLOW")
wave = builder.WaveformIn("WAVE", length=2_000_000, datatype=float)
builder.LoadDatabase()
softioc.iocInit(dispatcher)
for line in sys.stdin:
    exec(line)
os._exit(0)
"""


@dataclass(frozen=True)
class Sample:
    series: int
    time: int
    value: Any
    severity: int
    status: int


class Ids:
    def __init__(self) -> None:
        self.known: dict[tuple[str, Kind, str], Series] = {}
        self.by_id: dict[int, Series] = {}

    def series(self, pv: str, kind: Kind, native: str) -> Series:
        new = Series(len(self.known) + 1, pv, kind, native)
        series = self.known.setdefault((pv, kind, native), new)
        self.by_id[series.id] = series
        return series


@dataclass
class Ioc:
    """A softIoc, or a script of softioc, that does what is typed."""

    command: list[str]
    address: str
    log: Path
    pvaccess: bool = False
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = os.environ | {
            "EPICS_CAS_INTF_ADDR_LIST": self.address,
            "EPICS_CAS_BEACON_ADDR_LIST": "127.0.0.1",
            "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
            "PVXS_QSRV_ENABLE": "YES" if self.pvaccess else "NO",
            "EPICS_PVAS_INTF_ADDR_LIST": self.address,
            "EPICS_PVAS_AUTO_BEACON_ADDR_LIST": "NO",
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log
            )

    def type(self, *lines: str) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{line}\n" for line in lines).encode())
        self.process.stdin.flush()

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(LIMIT_S)
            assert self.process.stdin is not None
            self.process.stdin.close()
            self.process = None


class IocMaker:
    """Starts IOCs; gives each an address that no other test has."""

    def __init__(self, softioc: Path, folder: Path) -> None:
        self._softioc, self._folder = softioc, folder
        chosen = random.SystemRandom()
        self._net = f"127.{chosen.randrange(100, 250)}.{chosen.randrange(250)}"
        self.made: list[Ioc] = []

    @property
    def addresses(self) -> str:
        return " ".join(f"{self._net}.{n}" for n in range(1, 5))

    def softioc(
        self, database: str, *, before: str = "", name: str = "ioc", pvaccess: bool = False
    ) -> Ioc:
        self.write(database, name)
        script = self._folder / f"{name}.cmd"
        script.write_text(f'{before}dbLoadRecords("{self._folder / name}.db")\niocInit\n')
        return self._start([str(self._softioc), str(script)], name, pvaccess=pvaccess)

    def write(self, database: str, name: str = "ioc") -> None:
        """Change the database that the IOC has when it starts the next time."""
        (self._folder / f"{name}.db").write_text(database)

    def python(self) -> Ioc:
        script = self._folder / "ioc.py"
        script.write_text(PYTHON_IOC)
        return self._start([sys.executable, "-W", "ignore", str(script)], "python")

    def _start(self, command: list[str], name: str, *, pvaccess: bool = False) -> Ioc:
        address = f"{self._net}.{len(self.made) + 1}"
        ioc = Ioc(command, address, self._folder / f"{name}.log", pvaccess)
        self.made.append(ioc)
        ioc.start()
        return ioc


@dataclass
class Taker:
    """A source and all that it gave."""

    source: CaSource
    ids: Ids
    samples: dict[str, list[Sample]] = field(default_factory=dict[str, list[Sample]])
    notices: list[Notice] = field(default_factory=list[Notice])
    told: set[int] = field(default_factory=set[int])
    longest_s: float = 0.0

    def add(self, *pvs: str) -> None:
        for pv in pvs:
            self.source.add(ChannelSpec(pv=pv))

    def take(self) -> None:
        begun = time.monotonic()
        drained = self.source.drain()
        self.longest_s = max(self.longest_s, time.monotonic() - begun)
        self.notices += drained.notices
        self.told |= {n.series.id for n in drained.notices if n.series is not None}
        for batch in drained.scalars:
            for k in range(len(batch)):
                floats = self._kind(batch.series[k]) in (Kind.FLOAT64, Kind.FLOAT32)
                value = batch.value[k].view(np.float64) if floats else batch.value[k]
                self._keep(batch, k, value.item())
        for batch in drained.blobs:
            for k in range(len(batch)):
                raw = bytes(batch.data[batch.offset[k] : batch.offset[k + 1]])
                self._keep(batch, k, decoded(self._kind(batch.series[k]), raw))

    def until(self, what: str, look: Callable[[], Any], limit_s: float = LIMIT_S) -> None:
        end = time.monotonic() + limit_s
        while True:
            self.take()
            if look():
                return
            if time.monotonic() > end:
                pytest.fail(f"not within {limit_s} s: {what}; {self.notices[-5:]}")
            time.sleep(0.02)

    def until_sampled(self, *pvs: str, n: int = 1) -> None:
        look = lambda: all(len(self.samples.get(pv, ())) >= n for pv in pvs)  # noqa: E731
        self.until(f"{n} samples of {pvs}", look)

    def values(self, pv: str) -> list[Any]:
        return [sample.value for sample in self.samples.get(pv, [])]

    def of(self, kind: NoticeKind, pv: str | None = None) -> list[Notice]:
        return [n for n in self.notices if n.kind is kind and pv in (None, n.pv)]

    def _kind(self, series: Any) -> Kind:
        return self.ids.by_id[int(series)].kind

    def _keep(self, batch: Any, k: int, value: Any) -> None:
        series = int(batch.series[k])
        assert series in self.told, "a series is told before its samples"
        kept = self.samples.setdefault(self.ids.by_id[series].pv, [])
        at = int(batch.time[k])
        assert not kept or at > kept[-1].time, "times of a PV increase"
        kept.append(Sample(series, at, value, int(batch.severity[k]), int(batch.status[k])))


def decoded(kind: Kind, raw: bytes) -> Any:
    if kind is Kind.STRING:
        return raw.decode()
    if kind is Kind.STRING_ARRAY:
        texts: list[str] = []
        while raw:
            length = int.from_bytes(raw[:4], "little")
            texts.append(raw[4 : 4 + length].decode())
            raw = raw[4 + length :]
        return texts
    return raw if kind.item is None else np.frombuffer(raw, kind.item).tolist()


def compiled(sources: list[Path], target: Path, *options: str) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler: apt-get install gcc")
    command = [compiler, "-O2", *options, "-o", str(target), *map(str, sources), "-ldl"]
    subprocess.run(command, check=True)
    return target


@pytest.fixture(scope="session")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """capture.so of this source tree."""
    target = tmp_path_factory.mktemp("capture") / "capture.so"
    names = ("capture.c", "columns.c", "holding.c", "words.c", "client.c")
    sources = [PACKAGE / "archiver/channels" / name for name in names]
    return compiled(sources, target, "-shared", "-fPIC")


@pytest.fixture(scope="session")
def softioc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The softIoc program of this source tree."""
    target = tmp_path_factory.mktemp("softioc") / "softIoc"
    site = f'-DSITE_PACKAGES="{sysconfig.get_path("platlib")}"'
    sources = [PACKAGE / "epics/softioc" / name for name in ("main.c", "first-pause.c")]
    return compiled(sources, target, "-rdynamic", site)


@pytest.fixture
def iocs(softioc: Path, tmp_path: Path) -> Iterator[IocMaker]:
    maker = IocMaker(softioc, tmp_path)
    yield maker
    for ioc in maker.made:
        if ioc.process is not None:
            ioc.signal(signal.SIGCONT)
            ioc.kill()


@pytest.fixture
def make_taker(
    iocs: IocMaker, capture: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Taker]]:
    monkeypatch.setenv("EPICS_CA_ADDR_LIST", iocs.addresses)
    monkeypatch.setenv("EPICS_CA_AUTO_ADDR_LIST", "NO")
    made: list[Taker] = []

    def make(**options: Any) -> Taker:
        ids = Ids()
        source = CaSource(ids, library=lambda: load(capture), **options)
        made.append(Taker(source, ids))
        return made[-1]

    yield make
    for taker in made:
        taker.source.close()


@pytest.fixture
def taker(make_taker: Callable[..., Taker]) -> Taker:
    return make_taker()
