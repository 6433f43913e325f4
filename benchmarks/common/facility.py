"""A facility of small softioc IOCs that a benchmark makes, and removes whatever happens."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from common.conditions import say
from common.ending import ending_in_order, undisturbed
from linacre.base.errors import BusyError, LinacreError, UserError
from linacre.base.paths import FacilityPaths, StatePaths
from linacre.images.build import BuiltImage, build_image
from linacre.images.recipe import Recipe

RECORDS = 10
"""Records of each IOC: a set point, a counter scanned at 1 Hz, and values."""

_FIRST_IOC = 257
_PURGE_TRIES = 4
_POOL_BYTES = 2 << 30
_POOL_BYTES_EACH = 24 << 20
_ST_CMD = 'dbLoadRecords("small.db","P=$(BENCH_P)")\niocInit()\n'


def database(records: int) -> str:
    """Return the database of an IOC with this many records, two or more; `$(P)` is its prefix."""
    values = (
        f'record(ai, "$(P)VALUE{number}") {{ field(VAL, "{number}") }}\n'
        for number in range(records - 2)
    )
    return (
        'record(ao, "$(P)SETI") { field(VAL, "1.5") field(PINI, "YES") }\n'
        'record(calc, "$(P)COUNT") { field(SCAN, "1 second") field(CALC, "VAL+1") }\n'
        + "".join(values)
    )


_DB = database(RECORDS)


@dataclass(frozen=True)
class BenchFacility:
    """A facility file of a benchmark, and the command line on it."""

    name: str
    folder: Path
    subnet: IPv4Network
    engine: str
    database: str = _DB
    """The records of each IOC; `$(P)` is its prefix."""
    most: int = 0
    """How many IOCs it will have at most, where it grows: the storage pool does not."""

    @property
    def file(self) -> Path:
        """The facility file."""
        return self.folder / "facility.yaml"

    @property
    def paths(self) -> FacilityPaths:
        """The facility's folder in the state folder."""
        return StatePaths.from_environment().facility(self.name)

    def write(self, count: int, *, apart: Collection[int] = ()) -> None:
        """Declare this many IOCs; `UserError` where the subnet has too few addresses.

        Those `apart` have a source folder of their own, see `source`.
        """
        if count > (room := self.subnet.num_addresses - _FIRST_IOC - 1):
            raise UserError(f"--subnet {self.subnet} has room for {max(room, 0)} IOCs: widen it")
        for source in {self.folder / "small", *(self.source(number, apart) for number in apart)}:
            # One that is there may have been changed since.
            if not source.is_dir():
                source.mkdir()
                (source / "st.cmd").write_text(_ST_CMD)
                (source / "small.db").write_text(self.database)
        pool = (_POOL_BYTES + max(count, self.most) * _POOL_BYTES_EACH) >> 20
        engine = f"{{kind: incus, pool_size: {pool}MiB}}" if self.engine == "incus" else self.engine
        iocs = [self._ioc(number, apart) for number in range(count)]
        lines = [
            f"facility: {self.name}",
            f"engine: {engine}",
            f"networks: {{controls: {{subnet: {self.subnet}}}}}",
            *(["iocs:", *iocs] if iocs else []),
        ]
        self.file.write_text("\n".join(lines) + "\n")

    def source(self, number: int, apart: Collection[int] = ()) -> Path:
        """Return the source folder of an IOC: one for all, but for those `apart`."""
        return self.folder / (ioc(number) if number in apart else "small")

    def _ioc(self, number: int, apart: Collection[int]) -> str:
        address = self.subnet.network_address + _FIRST_IOC + number
        settings = f"environment: {{BENCH_P: '{prefix(number)}'}}"
        place = f"source: {self.source(number, apart).name}, address: {address}"
        return f"  {ioc(number)}: {{kind: softioc, {place}, {settings}}}"

    def run(self, *arguments: str) -> str:
        """Run `linacre ... -f FILE` and return what it prints; `LinacreError` where it fails."""
        done = subprocess.run(
            self.argv(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False
        )
        if done.returncode != 0:
            raise failed(arguments)
        return done.stdout.decode()

    def argv(self, *arguments: str) -> list[str]:
        """Return the command line of `linacre ... -f FILE`.

        Other facilities may be up: each command is to name this one.
        """
        # What follows `--` is for another program.
        end = arguments.index("--") if "--" in arguments else len(arguments)
        named = (*arguments[:end], "-f", str(self.file), *arguments[end:])
        return [sys.executable, "-m", "linacre.cli.main", *named]

    def last_task(self) -> dict[str, Any]:
        """Return the newest task of the facility with its steps."""
        (newest,) = json.loads(self.run("task", "list", "--limit", "1", "--json"))
        return json.loads(self.run("task", "show", str(newest["id"]), "--json"))

    def client_environment(self) -> dict[str, str]:
        """Return the EPICS variables for a client on this host."""
        found = json.loads(self.run("env", "--json"))
        return {**found, "EPICS_CA_AUTO_ADDR_LIST": "NO"}

    def purge(self) -> None:
        """Remove the facility; none there is no error."""
        if self.paths.root.exists():
            self.run("down", "--purge", "--yes")

    def purge_surely(self) -> None:
        """Remove the facility, in some tries if need be: a benchmark leaves nothing behind."""
        for _ in range(_PURGE_TRIES - 1):
            try:
                return self.purge()
            except LinacreError:
                say("once more")
        return self.purge()


def failed(arguments: Sequence[str]) -> LinacreError:
    """Return the error that says which command failed."""
    return LinacreError(f"linacre {' '.join(arguments)} failed in the benchmark (see above)")


def ioc(number: int) -> str:
    """Return the name of an IOC."""
    return f"ioc{number:04d}"


def prefix(number: int) -> str:
    """Return what an IOC's PV names begin with."""
    return f"BENCH-{number:04d}:"


def first_pv(number: int) -> str:
    """Return the name of an IOC's first PV."""
    return f"{prefix(number)}SETI"


@contextmanager
def bench_facility(
    name: str,
    *,
    subnet: IPv4Network,
    engine: str = "incus",
    database: str = _DB,
    most: int = 0,
) -> Generator[BenchFacility]:
    """Hold a facility, nothing of it up yet, that is purged at the end whatever happens.

    Raises `BusyError` where the same benchmark runs already.
    """
    with (
        ending_in_order(),
        _alone(name),
        tempfile.TemporaryDirectory(prefix="linacre-bench-") as folder,
    ):
        facility = BenchFacility(name, Path(folder), subnet, engine, database, most)
        facility.write(0)
        try:
            facility.purge_surely()  # what a run left that was killed
            yield facility
        finally:
            say("removing the facility")
            with undisturbed():
                facility.write(0)
                facility.purge_surely()


@contextmanager
def _alone(name: str) -> Generator[None]:
    folder = StatePaths.from_environment().root
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.lock"
    with file.open("w") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BusyError(f"{name} runs already: wait for it to end") from None
        yield


def build_first() -> BuiltImage:
    """Build the image, where it is not there yet, so that no figure holds the building of it."""
    state = StatePaths.from_environment()
    return asyncio.run(
        build_image(Recipe.load("ioc"), images=state.images, downloads=state.downloads, report=say)
    )


def require_root(what: str) -> None:
    """Raise `UserError` for who is not root."""
    if os.geteuid() != 0:
        raise UserError(f"{what} needs root (Incus, and dropping the page cache): use sudo")
