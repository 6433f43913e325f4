"""What the doctor says of services."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from doctor_support import FILE, GOOD, FakeEngine, facts_of, session_of

from linacre.engines.base import Capability, Machine, MachineState
from linacre.epics.report import IocReport
from linacre.kinds.checking.facts import Facts
from linacre.observing.doctor.ioc_checks import iocs_booted, restart_loop
from linacre.observing.doctor.machine_checks import machines_up

SERVICES = (
    FILE
    + """\
services:
  db: {address: 10.9.0.21, command: mariadbd, ports: [3306/tcp]}
  wiki: {address: 10.9.0.22, command: serve, optional: true}
"""
)


@dataclass
class ClosedEngine(FakeEngine):
    """An engine in whose machines no port is open."""

    async def read(self, name: str, path: PurePosixPath, *, limit: int) -> bytes | None:
        return b""


def facts(
    tmp_path: Path, *, engine: FakeEngine | None = None, runs: bool = True, db: IocReport = GOOD
) -> Facts:
    state = MachineState.RUNNING if runs else MachineState.STOPPED
    machines = [Machine(name, "service", state, "srv1", {}) for name in ("db", "wiki")]
    session = session_of(tmp_path, engine or ClosedEngine(), SERVICES)
    return facts_of(session, *machines, reports={"db": db, "wiki": GOOD})


async def test_a_stopped_service_is_told_with_its_own_command(tmp_path: Path) -> None:
    found = (await machines_up(facts(tmp_path, runs=False))).findings
    told = {each.what: each.remedy for each in found}
    assert told["db"] == "linacre service start db"


async def test_a_closed_port_is_told(tmp_path: Path) -> None:
    closed = replace(GOOD, booted=False, started_at=0.0)
    outcome = await iocs_booted(facts(tmp_path, db=closed))
    (finding,) = outcome.findings
    assert finding.what == "db"
    assert finding.text.endswith("s ago, and 3306/tcp is not open")
    assert outcome.said == "1 of 2 services have booted"


async def test_kinds_are_counted_together(tmp_path: Path) -> None:
    checked = facts(tmp_path)
    there = [*checked.machines.values(), Machine("mag", "ioc", MachineState.RUNNING, "srv1", {})]
    reports = dict.fromkeys(("db", "wiki", "mag"), GOOD)
    outcome = await iocs_booted(facts_of(checked.session, *there, reports=reports))
    assert outcome.said == "3 of 3 (1 IOC and 2 services) have booted"


async def test_a_restart_loop_of_a_service_is_told(tmp_path: Path) -> None:
    looping = replace(GOOD, restart_loop=True, starts=5)
    (finding,) = (await restart_loop(facts(tmp_path, db=looping))).findings
    assert finding.remedy == "linacre service log db shows why it ends"


async def test_optional_services_are_not_missed_where_there_can_be_none(tmp_path: Path) -> None:
    engine = ClosedEngine(can=frozenset(Capability) - {Capability.SERVICES})
    names = {each.name for each in facts(tmp_path, engine=engine).program_machines}
    assert names == {"mag", "bpm", "db"}
