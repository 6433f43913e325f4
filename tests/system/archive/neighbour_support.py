"""What a neighbour of an archiver notices, and what eats an archiver's machine up."""

from __future__ import annotations

import re
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

CA_PORT = 5064
_VERSION, _READ, _CREATE = 0, 15, 18
_MINOR, _DOUBLE = 13, 6

# Each runs in the archiver's machine, in a loop: what is killed begins anew.
EATERS = {
    # Beyond the machine's memory, all of it touched; then what is there is kept in use.
    "memory": "b = []\nwhile True: b.append(bytearray(8 << 20))",
    "cpu": "while True: pass",
    # Each block is on the disk before the next is written; full, it starts again.
    "disk": (
        "import os, pathlib\n"
        "full = pathlib.Path('/run/eaten-up')\n"
        "f = os.open('/srv/persist/archive/eaten', os.O_WRONLY | os.O_CREAT, 0o644)\n"
        "try:\n"
        "    while True:\n"
        "        os.write(f, os.urandom(1 << 20)); os.fdatasync(f)\n"
        "except OSError as error:\n"
        "    full.write_text(os.strerror(error.errno))\n"
        "    while True:\n"
        "        try:\n"
        "            os.write(f, os.urandom(1 << 12)); os.fdatasync(f)\n"
        "        except OSError: pass\n"
    ),
}
CPU_EATERS = 4


def eat(*what: str) -> str:
    """Return the script that begins to eat, and is done at once."""
    lines = ["mkdir -p /run/eat"]
    for name in what:
        for number in range(CPU_EATERS if name == "cpu" else 1):
            file = f"/run/eat/{name}{number}"
            lines.append(f"cat >{file}.py <<'EOF'\n{EATERS[name]}\nEOF")
            # A group of its own: its end is one kill.
            loop = f"while :; do /opt/linacre/bin/python -S -E {file}.py; done"
            lines.append(f"setsid sh -c '{loop}' >/dev/null 2>&1 </dev/null & echo $! >{file}.pid")
    return "\n".join(lines)


def stop_eating(*, make_room: bool = False) -> str:
    """Return the script that ends all of it."""
    lines = [
        "for f in /run/eat/*.pid; do [ ! -e $f ] || kill -s KILL -- -$(cat $f); done",
        "rm -rf /run/eat",
    ]
    if make_room:
        lines.append("rm -f /srv/persist/archive/eaten /run/eaten-up && sync -f /srv/persist")
    return "\n".join(lines)


class Reader:
    """A Channel Access client that is connected to one PV and reads it again and again."""

    def __init__(self, server: str, pv: str) -> None:
        self._socket = socket.create_connection((server, CA_PORT), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        hello = _message(_VERSION, count=_MINOR)
        hello += _message(_CREATE, payload=pv.encode() + b"\0", p1=1, p2=_MINOR)
        self._socket.sendall(hello)
        self._sid = self._await(_CREATE)

    def read_s(self) -> float:
        """Return how long one read takes."""
        begun = time.perf_counter()
        self._socket.sendall(_message(_READ, kind=_DOUBLE, count=1, p1=self._sid, p2=1))
        self._await(_READ)
        return time.perf_counter() - begun

    def _await(self, wanted: int) -> int:
        while True:
            command, size, _, _, _, p2 = struct.unpack("!HHHHII", self._exactly(16))
            self._exactly(size)
            if command == wanted:
                return p2

    def _exactly(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            more = self._socket.recv(size - len(found))
            assert more, "the IOC closed the connection"
            found += more
        return found

    def close(self) -> None:
        self._socket.close()


def _message(
    command: int, *, payload: bytes = b"", kind: int = 0, count: int = 0, p1: int = 0, p2: int = 0
) -> bytes:
    padded = payload.ljust(-(-len(payload) // 8) * 8, b"\0")
    return struct.pack("!HHHHII", command, len(padded), kind, count, p1, p2) + padded


@dataclass(frozen=True)
class RoundTrips:
    """Times of reads in some windows, in seconds."""

    p50: tuple[float, ...]
    p99: tuple[float, ...]

    @property
    def typical_p99(self) -> float:
        """The median over the windows: one that another program of this host disturbed is out."""
        return median(self.p99)

    def __add__(self, other: RoundTrips) -> RoundTrips:
        return RoundTrips(self.p50 + other.p50, self.p99 + other.p99)

    def __str__(self) -> str:
        p50, p99 = median(self.p50) * 1e3, [f"{each * 1e3:.2f}" for each in sorted(self.p99)]
        return f"p50 {p50:.3f} ms, p99 {self.typical_p99 * 1e3:.2f} ms ({' '.join(p99)})"


def round_trips(reader: Reader, *, windows: int, each: int = 300) -> RoundTrips:
    """Read as a client does that asks each 3 ms: what is asked back to back keeps the CPU warm."""
    p50: list[float] = []
    p99: list[float] = []
    for _ in range(windows):
        taken: list[float] = []
        for _ in range(each):
            taken.append(reader.read_s())
            time.sleep(0.003)
        found = quantiles(taken, n=100)
        p50.append(found[49])
        p99.append(found[98])
    return RoundTrips(tuple(p50), tuple(p99))


class Group:
    """The control group of a machine as the kernel of this host has it, of either version."""

    def __init__(self, pid: int) -> None:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        self._paths: dict[str, str] = {}
        for line in lines:
            _, controllers, path = line.split(":", 2)
            # A program may stand in a group below; the limits are the machine's.
            found = re.match(r".*?/lxc\.payload\.[^/]+", path)
            for controller in controllers.split(","):
                self._paths[controller] = found[0] if found else path

    def _read(self, controller: str, file: str) -> str:
        root = Path("/sys/fs/cgroup")
        folder = root / controller if controller in self._paths else root
        path = self._paths.get(controller, self._paths.get("", ""))
        return (folder / path.lstrip("/") / file).read_text()

    @property
    def memory_limit(self) -> int:
        v1 = "memory" in self._paths
        return int(self._read("memory", "memory.limit_in_bytes" if v1 else "memory.max"))

    @property
    def memory_most(self) -> int:
        """The most that there was at once."""
        v1 = "memory" in self._paths
        return int(self._read("memory", "memory.max_usage_in_bytes" if v1 else "memory.peak"))

    @property
    def cores(self) -> float:
        """The share of time, in cores."""
        if "cpu" in self._paths:
            files = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            quota, period = (int(self._read("cpu", file)) for file in files)
        else:
            quota, period = map(int, self._read("cpu", "cpu.max").split())
        return quota / period

    @property
    def weight(self) -> int:
        """Its share where all want more than there is; to be compared on one host only."""
        return int(self._read("cpu", "cpu.shares" if "cpu" in self._paths else "cpu.weight"))

    @property
    def throttled(self) -> int:
        """How many periods have ended for it before their time."""
        words = self._read("cpu", "cpu.stat").split()
        return int(words[words.index("nr_throttled") + 1])
