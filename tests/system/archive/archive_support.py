"""Real IOCs and a real archiver, as processes on loopback addresses that no one else uses."""

from __future__ import annotations

import os
import random
import re
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

import httpx
import pytest

from linacre.archiver.channels._capture import CAPTURE

SOURCES = Path(__file__).parents[3] / "src/linacre/epics/softioc"
LIMIT_S = 30.0


def wait_for(what: str, look: Callable[[], object], limit_s: float = LIMIT_S) -> None:
    end = time.monotonic() + limit_s
    while not look():
        if time.monotonic() > end:
            pytest.fail(f"not within {limit_s} s: {what}")
        time.sleep(0.02)


@dataclass
class SoftIoc:
    """A softIoc on an address of its own."""

    program: Path
    folder: Path
    address: str
    records: str
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "ioc.db").write_text(self.records)
        script = self.folder / "st.cmd"
        script.write_text(f'dbLoadRecords("{self.folder}/ioc.db")\niocInit\n')
        own = {
            "EPICS_CAS_INTF_ADDR_LIST": self.address,
            "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
            "EPICS_CAS_BEACON_ADDR_LIST": self.address,
            "EPICS_PVAS_INTF_ADDR_LIST": self.address,
            "EPICS_PVAS_AUTO_BEACON_ADDR_LIST": "NO",
        }
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [str(self.program), str(script)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env={**os.environ, **own},
        )
        log.close()
        wait_for("the IOC is up", lambda: b"iocRun" in (self.folder / "log").read_bytes())

    def shell(self, command: str) -> None:
        """Type a command."""
        assert self.process is not None and self.process.stdin is not None
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            assert self.process.stdin is not None
            self.process.stdin.close()
            self.process = None
            (self.folder / "log").unlink()


@dataclass
class Archiver:
    """A `linacre-archiver run`."""

    data: Path
    address: str
    iocs: list[str]
    options: list[str] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None
    url: str = ""

    def start(self, *more: str) -> None:
        """Run it until it says that it is ready."""
        argv = [sys.executable, "-m", "linacre.archiver.main", "run", "--data", str(self.data)]
        argv += ["--address", self.address, "--port", "0", *self.options, *more]
        own = {"EPICS_CA_ADDR_LIST": " ".join(self.iocs), "EPICS_CA_AUTO_ADDR_LIST": "NO"}
        servers = " ".join(f"{address}:5075" for address in self.iocs)
        own |= {"EPICS_PVA_NAME_SERVERS": servers, "EPICS_PVA_AUTO_ADDR_LIST": "NO"}
        log = self.data.with_name("archiver.log").open("a")
        self.process = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, **own}
        )
        log.close()
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.fullmatch(r"archiver (\S+): (http://\S+), (\d+) PVs, data in (.*)\n", line)
        if found is None:
            self.kill()
        assert found is not None, f"{line!r}: {self.log()}"
        self.url = found[2]

    def log(self) -> str:
        return self.data.with_name("archiver.log").read_text()

    def get(self, path: str, **query: Any) -> Any:
        """Return what it answers."""
        answer = httpx.get(f"{self.url}/api/v1{path}", params=query, timeout=LIMIT_S)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any) -> Any:
        answer = httpx.post(f"{self.url}/api/v1{path}", json=body, timeout=LIMIT_S)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def kill(self, how: signal.Signals = signal.SIGKILL) -> int:
        """End it; return its exit status."""
        assert self.process is not None and self.process.stdout is not None
        self.process.send_signal(how)
        status = self.process.wait(LIMIT_S)
        self.process.stdout.close()
        self.process = None
        return status


@pytest.fixture(scope="session")
def softioc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The softIoc program, compiled for this test run."""
    compiler = shutil.which("cc") or shutil.which("g++")
    if compiler is None:
        pytest.skip("no C compiler for the softIoc program: apt-get install g++")
    if not CAPTURE.exists():
        pytest.skip(f"{CAPTURE.name} is not compiled: pip install linacre again, with g++")
    program = tmp_path_factory.mktemp("bin") / "softIoc"
    site = f'-DSITE_PACKAGES="{sysconfig.get_path("platlib")}"'
    sources = [str(SOURCES / name) for name in ("main.c", "first-pause.c")]
    command = [compiler, "-O2", "-rdynamic", site, "-o", str(program), *sources, "-ldl"]
    subprocess.run(command, check=True)
    return program


class Bench:
    """Makes IOCs and archivers, and ends them all."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.program, self.folder = program, folder
        chosen = random.SystemRandom()
        self.net = f"127.{chosen.randrange(100, 250)}.{chosen.randrange(250)}"
        self.iocs: list[SoftIoc] = []
        self.archivers: list[Archiver] = []

    def ioc(self, records: str) -> SoftIoc:
        number = len(self.iocs) + 1
        ioc = SoftIoc(self.program, self.folder / f"ioc{number}", f"{self.net}.{number}", records)
        self.iocs.append(ioc)
        ioc.start()
        return ioc

    def archiver(self, *options: str, name: str = "study") -> Archiver:
        number = len(self.archivers) + 101
        where = [ioc.address for ioc in self.iocs]
        archiver = Archiver(self.folder / name, f"{self.net}.{number}", where, list(options))
        self.archivers.append(archiver)
        return archiver

    def close(self) -> None:
        for archiver in self.archivers:
            if archiver.process is not None:
                archiver.kill()
        for ioc in self.iocs:
            ioc.stop()


@pytest.fixture
def bench(softioc: Path, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(softioc, tmp_path)
    yield bench
    bench.close()
