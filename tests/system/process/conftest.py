"""Real procServs and IOCs on loopback addresses that no one else uses."""

from __future__ import annotations

import random
import shutil
import subprocess
import sysconfig
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path, PurePosixPath

import pytest
import pytest_asyncio
from process_support import marked

from linacre.base.paths import FacilityPaths
from linacre.engines.base import MachineSpec, Payload, PayloadFile, Traits
from linacre.engines.process.engine import ProcessEngine
from linacre.epics.launch import Program, ProgramKind, make_scripts

FOLDER = Path(__file__).parents[3] / "src/linacre/epics/softioc"
SOURCES = [str(FOLDER / name) for name in ("main.c", "first-pause.c")]
DATABASE = b"""
record(ao, "$(P)SETI") { field(VAL, "1.5") field(PINI, "YES") }
record(ai, "$(P)READI") { field(VAL, "2.5") }
"""


@pytest.fixture(scope="session")
def softioc(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The softIoc program, compiled for this test run."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler for the softIoc program: apt-get install gcc")
    program = tmp_path_factory.mktemp("softioc") / "softIoc"
    site = f'-DSITE_PACKAGES="{sysconfig.get_path("platlib")}"'
    command = [compiler, "-O2", "-rdynamic", site, "-o", str(program), *SOURCES, "-ldl"]
    subprocess.run(command, check=True)
    return str(program)


@pytest.fixture(autouse=True)
def _procserv() -> None:
    if shutil.which("procServ") is None:
        pytest.skip("procServ is not installed: apt-get install procserv")


@pytest.fixture
def paths(tmp_path: Path) -> FacilityPaths:
    return FacilityPaths(tmp_path / "facilities" / "trial")


@pytest_asyncio.fixture
async def engine(paths: FacilityPaths) -> AsyncIterator[ProcessEngine]:
    engine = ProcessEngine("trial", paths)
    await engine.open()
    await engine.prepare()
    yield engine
    await engine.purge()
    await engine.close()
    assert marked(paths) == []
    assert not paths.machines.exists()


@pytest.fixture(scope="session")
def _subnet() -> str:
    # Test runs side by side on one host must not meet on an address.
    chosen = random.SystemRandom()
    return f"10.{chosen.randrange(100, 250)}.{chosen.randrange(1, 250)}"


@pytest.fixture
def make_ioc(engine: ProcessEngine, softioc: str, _subnet: str) -> Callable[..., MachineSpec]:
    """Return a maker of specs of small softIoc machines, the n-th address for the n-th."""

    def make(
        name: str,
        number: int = 11,
        *,
        hold_off_s: int = 1,
        text: bytes = b"",
        other: ProcessEngine | None = None,
    ) -> MachineSpec:
        address = IPv4Address(f"{_subnet}.{number}")
        layout = replace((other or engine).layout(name, address), softioc=softioc)
        program = Program(
            name=name,
            kind=ProgramKind.SOFTIOC,
            start="st.cmd",
            persistent=("autosave",),
            hold_off_s=hold_off_s,
        )
        boot = f'dbLoadRecords("ioc.db", "P={name.upper()}:")\niocInit\n'.encode()
        files = [
            PayloadFile(layout.tree / "st.cmd", data=boot + text),
            PayloadFile(layout.tree / "ioc.db", data=DATABASE),
        ]
        files += [
            PayloadFile(PurePosixPath(s.path), data=s.text.encode(), mode=s.mode)
            for s in make_scripts(program, layout)
        ]
        return MachineSpec(
            name=name,
            kind="ioc",
            network="controls",
            address=IPv4Interface(f"{address}/24"),
            gateway=IPv4Address(f"{_subnet}.1"),
            mac="02:00:00:00:00:01",
            image=None,
            payload=Payload(tuple(files), (layout.tree,)),
            traits=Traits(serves_pvs=True),
            labels={"digest": "one"},
        )

    return make


@pytest.fixture
def desk_spec(_subnet: str) -> MachineSpec:
    return MachineSpec(
        name="desk-controls",
        kind="desk",
        network="controls",
        address=IPv4Interface(f"{_subnet}.2/24"),
        gateway=IPv4Address(f"{_subnet}.1"),
        mac="02:00:00:00:00:02",
        image=None,
        payload=Payload(),
        traits=Traits(runs_program=False),
    )
