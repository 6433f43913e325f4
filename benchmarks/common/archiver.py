"""A `linacre-archiver run` of its own, and what a client asks of it over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pyarrow as pa
from pyarrow import ipc

from common.processes import cpu_of
from linacre.base.errors import LinacreError

HOST = "127.0.0.1"
_START_LIMIT_S = 120.0
_END_LIMIT_S = 60.0


@dataclass(frozen=True)
class Archiver:
    """A running archiver."""

    pid: int
    port: int
    data: Path

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.port}"

    def get(self, path: str, **query: object) -> bytes:
        """Return what it answers; `LinacreError` for anything but success."""
        return self._ask("GET", f"{path}?{urlencode(query)}" if query else path)

    def post(self, path: str, body: object) -> bytes:
        """Send JSON and return what it answers."""
        return self._ask("POST", path, json.dumps(body).encode())

    def info(self) -> Mapping[str, Any]:
        """Return `Info`: samples stored, PVs connected, blocks damaged."""
        return json.loads(self.get("/api/v1"))

    def samples(self) -> int:
        """Return how many samples it has stored since its start."""
        return int(self.info()["samples"])

    def drops(self) -> int:
        """Return how many samples it has refused since its start, for any reason."""
        lines = self.get("/metrics").decode().splitlines()
        prefix = "linacre_archiver_drops_total{"
        return sum(int(float(line.split()[-1])) for line in lines if line.startswith(prefix))

    def newest(self, pv: str) -> int:
        """Return the time of the newest sample of a PV, ns."""
        return int(json.loads(self.get(f"/api/v1/pvs/{quote(pv, safe='')}"))["last_ns"])

    def add(self, pvs: Sequence[str]) -> None:
        """Let it archive PVs."""
        self.post("/api/v1/pvs", list(pvs))

    def read(self, pv: str, start_ns: int, end_ns: int, bins: int = 0) -> pa.Table:
        """Return what it answers as Arrow: bins, or samples where there are none."""
        asked = {"pv": pv, "start": start_ns, "end": end_ns, "format": "arrow"}
        more = {"n": bins} if bins else {}
        answer = self.get(f"/api/v1/{'bins' if bins else 'samples'}", **asked, **more)
        return ipc.open_stream(answer).read_all()

    def cpu(self) -> float:
        """Return its CPU seconds, those of its ended children too."""
        return cpu_of([self.pid])

    def peak_bytes(self) -> int:
        """Return the most memory that it had at any time (VmHWM)."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

    def until(self, true: Callable[[], bool], what: str, *, limit_s: float) -> None:
        """Wait for something; `LinacreError` where it does not come."""
        end = time.monotonic() + limit_s
        while not true():
            if time.monotonic() > end:
                raise LinacreError(f"{what}: not within {limit_s:g} s; {self.info()}")
            time.sleep(0.1)

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=120)
        try:
            headers = {"Content-Type": "application/json"} if body else {}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            raise LinacreError(f"{method} {path}: {answer.status} {data[:300]!r}")
        return data


@contextmanager
def archiver(
    data: Path, *, environment: Mapping[str, str], options: Sequence[str] = ()
) -> Generator[Archiver]:
    """Run an archiver until the block ends; it answers over HTTP when the block begins."""
    port = free_port()
    argv = [sys.executable, "-m", "linacre.archiver.main", "run", "--data", str(data)]
    argv += ["--address", HOST, "--port", str(port), *options]
    log = data.with_name(f"{data.name}.log")
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **environment},
        )
    try:
        running = Archiver(process.pid, port, data)
        _wait_for_answer(running, process, log)
        yield running
    finally:
        process.terminate()
        try:
            process.wait(_END_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_answer(running: Archiver, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_LIMIT_S
    while True:
        try:
            running.info()
            return
        except (OSError, http.client.HTTPException):
            if process.poll() is not None or time.monotonic() > end:
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
                raise LinacreError(f"the archiver does not answer:\n{tail}") from None
            time.sleep(0.01)


def free_port() -> int:
    """Return a TCP port that nobody has at present."""
    with socket.socket() as one:
        one.bind((HOST, 0))
        return one.getsockname()[1]


def nowhere() -> dict[str, str]:
    """Return the environment in which no Channel Access server is found."""
    return {
        "EPICS_CA_ADDR_LIST": f"{HOST}:{free_port()}",
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_PVA_ADDR_LIST": HOST,
        "EPICS_PVA_AUTO_ADDR_LIST": "NO",
    }
