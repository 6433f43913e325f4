"""The reader of PVs against a server of which some PVs never give a value. It needs no root."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness import until

from linacre.epics.answers import SEARCHES, Answers, Asked, question, read_answer

ADDRESS = "127.62.251.7"
ORDINARY = [f"R:N{number}" for number in range(40)]
SERVER = """\
import asyncio

from caproto import ChannelDouble
from caproto.server import PVGroup, pvproperty, run


class Group(PVGroup):
    hangs = pvproperty(value=1.0)
    stuck = pvproperty(value=1.0)
    fails = pvproperty(value=1.0)

    @hangs.getter
    async def hangs(self, instance):
        await asyncio.Event().wait()

    @stuck.getter
    async def stuck(self, instance):
        await asyncio.Event().wait()

    @fails.getter
    async def fails(self, instance):
        raise RuntimeError("no value today")


pvs = {f"R:N{number}": ChannelDouble(value=0.0) for number in range(40)}
run({**Group(prefix="R:").pvdb, **pvs}, interfaces=["ADDRESS"])
"""
PVA_SERVER = """\
from p4p.nt import NTScalar
from p4p.server import Server
from p4p.server.thread import SharedPV

unopened = SharedPV(nt=NTScalar("d"))
Server.forever(
    providers=[{"R:PVA": SharedPV(nt=NTScalar("d"), initial=1.0), "R:UNOPENED": unopened}],
    conf={
        "EPICS_PVAS_INTF_ADDR_LIST": "ADDRESS",
        "EPICS_PVAS_AUTO_BEACON_ADDR_LIST": "NO",
        "EPICS_PVAS_BEACON_ADDR_LIST": "127.255.255.255",
    },
)
"""
ENVIRONMENT = {
    "EPICS_CA_ADDR_LIST": ADDRESS,
    "EPICS_CA_AUTO_ADDR_LIST": "NO",
    "EPICS_PVA_ADDR_LIST": "",
    "EPICS_PVA_AUTO_ADDR_LIST": "NO",
    "EPICS_PVA_NAME_SERVERS": f"{ADDRESS}:5075",
    "EPICS_CAS_BEACON_ADDR_LIST": "127.255.255.255",
    "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
}


@contextmanager
def serving(folder: Path, script: str, name: str) -> Iterator[None]:
    """Run a server for the block, from when it answers for a PV on."""
    file = folder / "server.py"
    file.write_text(script.replace("ADDRESS", ADDRESS))
    environment = os.environ | ENVIRONMENT
    with subprocess.Popen([sys.executable, str(file)], env=environment) as process:
        try:
            until(lambda: read(name).answered, 30, "the server did not come up")
            yield
        finally:
            process.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with serving(tmp_path_factory.mktemp("ca"), SERVER, "R:N0"):
        yield


@pytest.fixture
def pva_server(tmp_path: Path) -> Iterator[None]:
    with serving(tmp_path, PVA_SERVER, "R:PVA"):
        yield


def read(*pvs: str, address: str = ADDRESS, searches: int = SEARCHES) -> Answers:
    done = subprocess.run(
        [sys.executable, "-m", "linacre.epics.reader"],
        input=question({"ioc": Asked(address, pvs)}, limit_s=20, searches=searches),
        env=os.environ | ENVIRONMENT,
        capture_output=True,
        check=True,
        timeout=60,
    )
    return read_answer(done.stdout)["ioc"]


FEW_AND_ALL = pytest.mark.parametrize("searches", [2, SEARCHES])


@FEW_AND_ALL
def test_all_that_answer(server: None, searches: int) -> None:
    assert read(*ORDINARY, searches=searches) == Answers(len(ORDINARY))


@FEW_AND_ALL
def test_exactly_those_that_hang_are_named(server: None, searches: int) -> None:
    pvs = [*ORDINARY[:10], "R:hangs", *ORDINARY[10:20], "R:stuck", *ORDINARY[20:], "R:nobody"]
    told = read(*pvs, searches=searches)
    assert set(told.silent) == {"R:hangs", "R:stuck"}
    assert told.unheard == ("R:nobody",)
    assert (told.answered, told.unread) == (len(ORDINARY), ())


@FEW_AND_ALL
def test_a_pv_that_answers_with_an_error(server: None, searches: int) -> None:
    told = read("R:N0", "R:N2", "R:fails", "R:N1", searches=searches)
    assert list(told.refused) == ["R:fails"]
    assert told.answered == 3


def test_a_pv_that_another_server_answers_for(server: None) -> None:
    assert read("R:N1", address="127.62.251.8").elsewhere == {"R:N1": ADDRESS}


def test_a_server_that_is_not_there(server: None) -> None:
    told = read("R:nobody", "R:nothing")
    assert set(told.unheard) == {"R:nobody", "R:nothing"}
    told = read("R:nobody", "R:nothing", searches=1)
    assert set(told.unheard) == {"R:nobody", "R:nothing"}


@pytest.mark.parametrize(
    ("searches", "pvs"),
    [
        (SEARCHES, ("R:N1", "R:PVA", "R:UNOPENED")),
        (1, ("R:N1", "R:PVA", "R:UNOPENED")),
        (1, ("R:PVA", "R:N1", "R:UNOPENED")),
    ],
)
def test_what_is_served_by_pvaccess_alone(
    server: None, pva_server: None, searches: int, pvs: tuple[str, ...]
) -> None:
    told = read(*pvs, searches=searches)
    assert told.answered == 2
    # A PV that its server has not opened yet connects, and that is all.
    assert told.unheard == ("R:UNOPENED",)
