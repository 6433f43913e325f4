"""Real IOCs under real procServs, on loopback addresses that no one else uses."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path, PurePosixPath

import pytest

from linacre.epics.launch import LOG_NAME, Program, make_scripts
from linacre.epics.layout import Layout
from linacre.epics.report import IocReport, report

with warnings.catch_warnings():
    # Its build helper warns of an old setuptools beside it.
    warnings.simplefilter("ignore", FutureWarning)
    from p4p.client.thread import Context

SOURCES = Path(__file__).parents[3] / "src/linacre/epics/softioc"
LIMIT_S = 30.0


def wait_for(what: str, look: Callable[[], object], limit_s: float = LIMIT_S) -> None:
    end = time.monotonic() + limit_s
    while not look():
        if time.monotonic() > end:
            pytest.fail(f"not within {limit_s} s: {what}")
        time.sleep(0.05)


def read(path: PurePosixPath) -> bytes | None:
    try:
        return Path(path).read_bytes()
    except OSError:
        return None


def exists(pid: int) -> bool:
    stat = read(PurePosixPath(f"/proc/{pid}/stat"))
    return stat is not None and stat.rpartition(b")")[2].split()[0] != b"Z"


@dataclass
class Client:
    context: Context

    def number(self, name: str) -> float:
        value = self.context.get(name, timeout=LIMIT_S).value
        return float(value.index if hasattr(value, "index") else value)

    def text(self, name: str) -> str:
        value = self.context.get(name, timeout=LIMIT_S).value
        return value.choices[value.index]

    def put(self, name: str, value: float | str) -> None:
        if isinstance(value, str):
            choices = list(self.context.get(name, timeout=LIMIT_S).value.choices)
            self.context.put(name, {"value.index": choices.index(value)}, timeout=LIMIT_S)
        else:
            value_now = self.context.get(name, timeout=LIMIT_S).value
            field = "value.index" if hasattr(value_now, "index") else "value"
            self.context.put(name, {field: value}, timeout=LIMIT_S)


@dataclass
class Ioc:
    layout: Layout
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        return str(self.layout.bind)

    def report(self) -> IocReport:
        return report(read, self.layout, now=time.time, hold_off_s=1)

    def pid(self) -> int:
        return int((Path(self.layout.run) / "ioc.pid").read_text().split()[0])

    def log(self) -> str:
        return (read(self.layout.log / LOG_NAME) or b"").decode(errors="replace")

    def wait_booted(self) -> None:
        wait_for(f"{self.layout.run} booted", lambda: self.report().booted)

    def shell(self, command: str, *, until: str) -> str:
        """Type a command at port 7001 and return what came until then."""
        heard = b""
        with socket.create_connection((self.address, 7001), timeout=LIMIT_S) as connection:
            connection.sendall(command.encode() + b"\n")
            while until.encode() not in heard:
                data = connection.recv(4096)
                if not data:
                    pytest.fail(f"the shell closed after {heard!r}")
                heard += data
        return heard.decode(errors="replace")

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Give a pvAccess client of this IOC: quick enough to see what moves."""
        conf = {
            "EPICS_PVA_NAME_SERVERS": f"{self.address}:5075",
            "EPICS_PVA_ADDR_LIST": "",
            "EPICS_PVA_AUTO_ADDR_LIST": "NO",
        }
        with Context("pva", conf=conf, useenv=False, nt=False) as context:
            yield Client(context)

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "EPICS_CA_ADDR_LIST": self.address,
            "EPICS_CA_AUTO_ADDR_LIST": "NO",
            "EPICS_PVA_NAME_SERVERS": f"{self.address}:5075",
            "EPICS_PVA_AUTO_ADDR_LIST": "NO",
        }

    def tool(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "linacre.epics.tools", *arguments],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of softIoc and console-keeper, compiled for this test run."""
    compiler = shutil.which("cc") or shutil.which("g++")
    if compiler is None:
        pytest.skip("no C compiler for the softIoc program: apt-get install g++")
    folder = tmp_path_factory.mktemp("bin")
    site = f'-DSITE_PACKAGES="{sysconfig.get_path("platlib")}"'
    for program, names in (
        ("softIoc", ("main.c", "first-pause.c")),
        ("console-keeper", ("console-keeper.c", "procserv-watch.c", "start-errors.c")),
    ):
        sources = [str(SOURCES / name) for name in names]
        command = [compiler, "-O2", "-rdynamic", site, "-o", str(folder / program), *sources]
        subprocess.run([*command, "-ldl"], check=True)
    return folder


Starter = Callable[..., Ioc]


@pytest.fixture
def start(tmp_path: Path, programs: Path) -> Iterator[Starter]:
    """Return what starts an IOC from a `Program` and the files of its tree."""
    if shutil.which("procServ") is None:
        pytest.skip("procServ is not installed: apt-get install procserv")
    started: list[Ioc] = []
    chosen = random.SystemRandom()

    def start_one(program: Program, tree: Path, *, first_line: str | None = None) -> Ioc:
        home = tmp_path / program.name
        address = f"127.{chosen.randrange(100, 250)}.{chosen.randrange(250)}.{len(started) + 1}"
        places = {p: PurePosixPath(home / p) for p in ("tree", "persist", "run", "log", "etc")}
        layout = Layout(
            **places,
            bind=IPv4Address(address),
            user=None,
            softioc=str(programs / "softIoc"),
            python=sys.executable,
        )
        shutil.copytree(tree, home / "tree", symlinks=True)
        (home / "etc").mkdir()
        for script in make_scripts(program, layout, first_line=first_line):
            Path(script.path).write_text(script.text)
            Path(script.path).chmod(script.mode)
        process = subprocess.Popen([str(layout.etc / "start")], stdin=subprocess.DEVNULL)
        started.append(Ioc(layout, process))
        return started[-1]

    yield start_one
    for ioc in started:
        if ioc.process.poll() is None:
            ioc.process.send_signal(signal.SIGTERM)
            ioc.process.wait(LIMIT_S)
