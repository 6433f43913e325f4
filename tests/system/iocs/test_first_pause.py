"""EPICS's half second before records are first processed: left out where nothing uses it."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from epics_support import LIMIT_S, Ioc

from linacre.epics.launch import Program, ProgramKind

PAUSE_S = 0.5
TRIES = 20
CLOSED = """
record(ao, "T:A") { field(VAL, "7") field(PINI, "YES") }
record(calc, "T:B") { field(INPA, "T:A PP") field(CALC, "A*2") field(PINI, "YES") }
record(calc, "T:C") { field(INPA, "T:B CP") field(CALC, "A+1") }
"""
ELSEWHERE = """
record(ai, "T:FIRST") { field(INP, "T:A CA") field(PINI, "YES") }
record(ai, "T:FOLLOWS") { field(INP, "T:A CP") }
"""
DEVICE = 'record(ai, "T:D") { field(DTYP, "General Time") field(INP, "@BESTTIME") }\n'
PV_ACCESS = 'record(ai, "T:P") { field(INP, {pva: "T:NOWHERE"}) }\n'


class SoftIoc:
    """Starts IOCs that end as soon as they run, and tells how long that took."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._program = programs / "softIoc"
        self._folder = folder

    def run(self, database: str, *, first: str = "", servers: str = "127.0.0.1") -> float:
        (self._folder / "a.db").write_text(database)
        script = self._folder / "st.cmd"
        script.write_text(f'{first}\ndbLoadRecords("{self._folder}/a.db")\niocInit\n')
        local = {"EPICS_CAS_INTF_ADDR_LIST": "127.0.0.1", "EPICS_PVAS_INTF_ADDR_LIST": "127.0.0.1"}
        begun = time.monotonic()
        subprocess.run(
            [str(self._program), str(script)],
            input="exit\n",
            env={**os.environ, **local, "EPICS_CA_ADDR_LIST": servers},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=True,
        )
        return time.monotonic() - begun

    def quickest(self, database: str) -> float:
        """Return the first time that is shorter than the pause, else the shortest of many."""
        times: list[float] = []
        while len(times) < TRIES and (not times or times[-1] >= PAUSE_S):
            times.append(self.run(database))
        return min(times)


@pytest.fixture
def softioc(programs: Path, tmp_path: Path) -> SoftIoc:
    return SoftIoc(programs, tmp_path)


@pytest.mark.parametrize("database", [CLOSED, CLOSED + ELSEWHERE], ids=["closed", "ca"])
def test_links_to_pvs_need_no_pause(softioc: SoftIoc, database: str) -> None:
    assert softioc.quickest(database) < PAUSE_S


@pytest.mark.parametrize("more", [DEVICE, PV_ACCESS], ids=["device", "pva"])
def test_links_of_other_kinds_keep_the_pause(softioc: SoftIoc, more: str) -> None:
    assert softioc.run(CLOSED + more) >= PAUSE_S


def test_access_security_keeps_the_pause(softioc: SoftIoc, tmp_path: Path) -> None:
    (tmp_path / "a.acf").write_text("ASG(DEFAULT) { RULE(1, WRITE) }\n")
    assert softioc.run(CLOSED, first=f'asSetFilename("{tmp_path}/a.acf")') >= PAUSE_S


def program(name: str, **environment: str) -> Program:
    return Program(
        name=name,
        kind=ProgramKind.SOFTIOC,
        start="st.cmd",
        hold_off_s=1,
        environment=environment,
    )


def tree(folder: Path, database: str) -> Path:
    folder.mkdir()
    (folder / "a.db").write_text(database)
    (folder / "st.cmd").write_text('dbLoadRecords("a.db")\niocInit\n')
    return folder


@pytest.mark.parametrize("pause", [False, True], ids=["without", "with the pause"])
def test_links_connect_after_the_first_processing_either_way(
    start, tmp_path: Path, pause: bool
) -> None:
    """What stands in the decision: the pause never brought a link's value to a PINI record."""
    server: Ioc = start(program("server"), tree(tmp_path / "a", CLOSED))
    server.wait_booted()
    assert server.tool("caget", "-t", "T:A", "T:B").stdout.split() == ["7", "14"]
    found = {"EPICS_CA_ADDR_LIST": server.address, "EPICS_CA_AUTO_ADDR_LIST": "NO"}
    client: Ioc = start(
        program("client", **found), tree(tmp_path / "b", ELSEWHERE + (DEVICE if pause else ""))
    )
    client.wait_booted()
    until = time.monotonic() + LIMIT_S
    while client.tool("caget", "-t", "T:FOLLOWS").stdout.split() != ["7"]:
        assert time.monotonic() < until
    first = client.tool("caget", "-t", "T:FIRST", "T:FIRST.SEVR").stdout.split()
    assert first == ["0", "INVALID"]
