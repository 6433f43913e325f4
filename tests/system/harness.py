"""A facility of a test's own on real containers: its file, the command line, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from commands import Command, run_fresh
from leftovers import force_away, leftovers, pids

from linacre.base.paths import StatePaths
from linacre.base.processes import ProcessId
from linacre.engines.base import Completed
from linacre.engines.incus.cable import bridge_name, veth_name
from linacre.engines.incus.connection import SYSTEM_SOCKET, IncusSettings
from linacre.engines.incus.daemon import why_not_here
from linacre.engines.incus.engine import IncusEngine

CACHE = Path(os.environ.get("LINACRE_TEST_IMAGES", "/var/lib/linacre"))
"""Where images and downloads are kept from one run of the tests to the next."""

DATABASE = """\
record(ao, "$(P)SETI") { field(VAL, "1.5") field(PINI, "YES") field(PREC, "3") }
record(ai, "$(P)READI") { field(VAL, "2.5") }
record(calc, "$(P)COUNT") { field(SCAN, "1 second") field(CALC, "VAL+1") }
"""


def why_no_containers() -> str | None:
    """Say why this machine cannot run these tests, or None where it can."""
    if SYSTEM_SOCKET.exists():
        return "a system's Incus runs here: these tests are for the embedded one"
    return why_not_here()


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    argv: tuple[str, ...]
    status: int
    out: str
    err: str
    took_s: float

    @property
    def problem(self) -> str:
        """The lines by which an operator is told what went wrong."""
        said = [line for line in self.err.splitlines() if line.startswith("linacre: ")]
        assert len(said) == 1, f"not one clear line: {self}"
        return said[0]


_PATIENCE = 4


def until(what: Callable[[], Any], limit_s: float = 30.0, why: str = "") -> Any:
    """Wait for a condition and return what it returned; fail when it does not come at all.

    `limit_s` is ample on a quiet host; on one whose cores are all busy what is late is no failure.
    """
    end = time.monotonic() + _PATIENCE * limit_s
    while not (found := what()):
        assert time.monotonic() < end, why or "the condition did not come"
        time.sleep(0.05)
    return found


def steps(few: int) -> list[Any]:
    """Return how far a loop over places to kill at goes: in large steps, or to all of them."""
    return [few, pytest.param(1, marks=pytest.mark.thorough)]


class Subnet:
    """A subnet of this host that no interface has, and no other test until it is given back.

    Tests run side by side, and a facility that is not up yet, or is one of processes, shows on no
    interface. The name of an abstract socket has one owner, and is free when its process is gone.
    """

    def __init__(self) -> None:
        shown = ["ip", "-4", "addr"]
        there = subprocess.run(shown, capture_output=True, text=True, check=True).stdout
        free = [n for n in range(2, 250) if f" 10.62.{n}." not in there]
        random.SystemRandom().shuffle(free)
        self._owned = socket.socket(socket.AF_UNIX)
        for number in free:
            with contextlib.suppress(OSError):
                self._owned.bind(f"\0linacre-test-subnet-{number}")
                self.numbers = f"10.62.{number}"
                """Its first three numbers."""
                return
        self.give_back()
        raise AssertionError("no subnet is free: 10.62.2.0/24 to 10.62.249.0/24 are all taken")

    def give_back(self) -> None:
        """Let another have it."""
        self._owned.close()


class Site:
    """One facility under test, with a state folder of its own."""

    def __init__(self, label: str, *, state: Path | None = None) -> None:
        # Short: the daemon's sockets are below it, and sockaddr_un(7) allows 107 bytes.
        self.root = Path(tempfile.mkdtemp(prefix="lt", dir="/tmp"))
        # The users of containers must be able to come to their file systems.
        self.root.chmod(0o755)
        self.state = StatePaths(state or self.root / "state")
        self.name = f"t-{label}-{self.root.name[-4:].lower().replace('_', 'x')}"
        self.folder = self.root / "facility"
        self.folder.mkdir()
        self._subnet = Subnet()
        self.subnet = self._subnet.numbers
        self.iocs: dict[str, dict[str, Any]] = {}
        self.access: dict[str, Any] = {}
        self.settings: dict[str, Any] = {}
        """What the file says on its top level beside this; it wins."""
        self.network: dict[str, Any] = {}
        """What the network `controls` says beside its subnet."""
        self.machines: set[str] = {"desk-controls"}
        self.networks: set[str] = {"controls"}
        self.share_images()

    def share_images(self) -> None:
        """Let this state folder use the images and packages that other runs have made."""
        self.state.root.mkdir(parents=True, exist_ok=True)
        for name in ("images", "downloads"):
            (CACHE / name).mkdir(parents=True, exist_ok=True)
            (self.state.root / name).symlink_to(CACHE / name)

    # -- the declaration

    def address(self, name: str) -> str:
        """Return the address of an IOC."""
        return str(self.iocs[name]["address"])

    def prefix(self, name: str) -> str:
        """Return the prefix of an IOC's PVs, unlike any other's on this host."""
        return f"{self.name}-{name}:".upper()

    def source(self, name: str, files: dict[str, str]) -> None:
        """Write the own files of an IOC."""
        folder = self.folder / "iocs" / name
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            (folder / path).write_text(text)

    def ioc(self, name: str, number: int, **settings: Any) -> None:
        """Declare an IOC, a small softIoc unless the settings say otherwise."""
        declared: dict[str, Any] = {"kind": "softioc", "address": f"{self.subnet}.{number}"}
        if "module" not in settings:
            declared["source"] = f"iocs/{name}"
        self.iocs[name] = declared | settings
        self.machines.add(name)
        if self.iocs[name]["kind"] == "softioc":
            start = f'dbLoadRecords("ioc.db", "P={self.prefix(name)}")\niocInit\n'
            self.source(name, {"st.cmd": start, "ioc.db": DATABASE})

    def write(self) -> None:
        """Write the facility file. JSON is YAML."""
        facility: dict[str, Any] = {
            "facility": self.name,
            "engine": {"kind": "incus", "pool_size": "1GiB"},
            "networks": {"controls": {"subnet": f"{self.subnet}.0/24"} | self.network},
            "access": self.access,
            "defaults": {"ioc": {"hold_off": "1s"}},
            "iocs": self.iocs,
        }
        facility |= self.settings
        (self.folder / "facility.yaml").write_text(json.dumps(facility, indent=2) + "\n")

    # -- the command line

    def spawn(self, *args: str, **environment: str) -> Command:
        """Start a command and return at once."""
        environment = self.environment | environment
        return Command.with_pipes(args, folder=self.folder, environment=environment)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of commands: nothing of EPICS, and our state folder."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("EPICS_")}
        # As a user has it: a command that keeps no byte code takes a third longer, each time.
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        return kept | {"LINACRE_STATE": str(self.state.root)}

    def run(self, *args: str, stdin: str = "", limit_s: float = 240, **environment: str) -> Done:
        """Run a command to its end; it is killed when time is up."""
        environment = self.environment | environment
        begun = time.monotonic()
        command = Command.with_pipes(args, folder=self.folder, environment=environment, stdin=stdin)
        try:
            out, err = command.communicate(limit_s)
        except BaseException:
            command.kill()
            command.communicate()
            raise
        return Done(args, command.wait(), out, err, time.monotonic() - begun)

    def run_fresh(self, *args: str, before: Sequence[str] = (), limit_s: float = 60) -> Done:
        """Run a command in an interpreter of its own, as a user does; `before` starts it."""
        begun = time.monotonic()
        done = run_fresh(
            args, folder=self.folder, environment=self.environment, before=before, limit_s=limit_s
        )
        took = time.monotonic() - begun
        return Done(args, done.returncode, done.stdout, done.stderr, took)

    def ok(self, *args: str, stdin: str = "", limit_s: float = 240) -> Done:
        """Run a command that must succeed."""
        done = self.run(*args, stdin=stdin, limit_s=limit_s)
        assert done.status == 0, done
        return done

    def up(self, *args: str, limit_s: float = 240) -> Done:
        """Bring the facility up; all of it must be green."""
        self.write()
        done = self.ok("up", "--yes", *args, limit_s=limit_s)
        self.assert_green()
        return done

    def status(self) -> dict[str, dict[str, Any]]:
        """Return the rows of `status --json` by the IOC's name."""
        return {row["name"]: row for row in self.whole_status()["iocs"]}

    def whole_status(self) -> dict[str, Any]:
        """Return `status --json`."""
        done = self.run("status", "--json")
        assert done.out, done
        return json.loads(done.out)

    def assert_green(self) -> dict[str, dict[str, Any]]:
        """Fail unless every declared IOC is as it should be; return the rows."""
        done = self.run("status", "--json")
        assert done.status == 0, done
        rows = {row["name"]: row for row in json.loads(done.out)["iocs"]}
        assert rows.keys() == self.iocs.keys()
        for row in rows.values():
            assert row["green"], row
            assert (row["machine"], row["procserv"], row["ioc"]) == ("running", "up", "up"), row
        return rows

    def tasks(self) -> list[dict[str, Any]]:
        """Return `task list --json`, the newest first."""
        return json.loads(self.ok("task", "list", "--json", "-n", "500").out)

    # -- the host's side

    @contextlib.asynccontextmanager
    async def engine(self) -> AsyncIterator[IncusEngine]:
        """The engine of a facility that is up, without the commands over it."""
        engine = IncusEngine(self.name, self.state.facility(self.name), IncusSettings())
        await engine.open()
        try:
            yield engine
        finally:
            await engine.close()

    def inside(self, machine: str, script: str) -> Done:
        """Run a script inside a machine as root, whatever its network is like."""

        async def work() -> Completed:
            async with self.engine() as engine:
                return await engine.exec(machine, ["sh", "-c", script])

        done = asyncio.run(work())
        out, err = done.stdout.decode(), done.stderr.decode()
        return Done((machine, script), done.status, out, err, 0)

    def processes(self, machine: str) -> dict[int, str]:
        """Return the command lines of the processes inside a machine by their ids on this host."""
        group = f"lxc.payload.linacre-{self.name}_{machine}"
        found: dict[int, str] = {}
        for pid in pids():
            try:
                groups = Path(f"/proc/{pid}/cgroup").read_text()
                if re.search(rf"/{re.escape(group)}(-\d+)?(/|$)", groups, re.MULTILINE):
                    line = Path(f"/proc/{pid}/cmdline").read_bytes()
                    found[pid] = line.replace(b"\0", b" ").decode().strip()
            except OSError:
                continue
        return found

    def pid(self, machine: str, program: str) -> int:
        """Return the id on this host of the one process of a machine that runs a program."""
        found = [pid for pid, line in self.processes(machine).items() if program in line]
        assert len(found) == 1, (program, self.processes(machine))
        return found[0]

    def identity(self, machine: str, program: str) -> ProcessId:
        """Return the process of a program in a machine, never to be taken for a later one."""
        found = ProcessId.of(self.pid(machine, program))
        assert found is not None
        return found

    @staticmethod
    def kill(pid: int) -> None:
        """Kill a process, unless it is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def twin(self, name: str, *args: str) -> Done:
        """Make a twin of an IOC."""
        self.machines |= {f"{name}-twin", "desk-controls-twins"}
        self.networks.add("controls-twins")
        return self.ok("ioc", "twin", name, "--yes", *args)

    def on(self, network: str) -> set[str]:
        """Return the machines whose cables are in a network's bridge, as the kernel has it."""
        folder = Path(f"/sys/class/net/{bridge_name(self.name, network)}/brif")
        ports = {each.name for each in folder.iterdir()} if folder.exists() else set[str]()
        return {machine for machine in self.machines if veth_name(self.name, machine) in ports}

    def daemon(self) -> ProcessId | None:
        """Return the embedded daemon, or None where it does not run."""
        try:
            text = (self.state.facility(self.name).incus / "daemon.pid").read_text()
        except FileNotFoundError:
            return None
        found = ProcessId.parse(text)
        return found if found is not None and found.is_alive else None

    def leftovers(self) -> list[str]:
        """Return all that this host still has of the facility outside its own files."""
        return leftovers(self.name, self.state.root, self.machines, self.networks)

    # -- the end

    def remove(self) -> None:
        """Remove the facility as its user would, then check that nothing of it is left."""
        said: Done | None = None
        try:
            self.write()
            said = self.run("down", "--purge", "--yes", limit_s=120)
            left = self.leftovers()
        finally:
            self._force_away()
        assert said.status == 0, said
        assert not left, (said, left)
        assert not self.state.facility(self.name).root.exists()

    def _force_away(self) -> None:
        """Take away what a defect left: the next test must find this host as it was."""
        force_away(self.leftovers, self.state.root)
        shutil.rmtree(self.root, ignore_errors=True)
        self._subnet.give_back()
