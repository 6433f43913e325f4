"""A facility that a test's doctor looks at, on an engine that says what the test wants."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path, PurePosixPath
from typing import Any, cast

from linacre.base.clock import SystemClock
from linacre.base.paths import StatePaths
from linacre.declaration.load import load
from linacre.engines.base import (
    Cable,
    Capability,
    Completed,
    Engine,
    Host,
    Machine,
    MachineState,
    Space,
)
from linacre.epics.answers import Answers, answer, read_question
from linacre.epics.layout import Layout
from linacre.epics.report import IocReport
from linacre.kinds.checking.facts import Facts
from linacre.session.roles import Pair
from linacre.session.session import Session

GOOD = IocReport(
    procserv_up=True,
    ioc_up=True,
    started_at=0.0,
    starts=1,
    restart_loop=False,
    pv_count=3,
    booted=True,
)
FILE = """\
facility: test
engine: incus
networks: {controls: {subnet: 10.9.0.0/24}}
iocs:
  mag: {kind: python, module: some.mag, address: 10.9.0.11}
  bpm: {kind: python, module: some.bpm, address: 10.9.0.12}
"""


@dataclass
class FakeWiring:
    owned: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    waits: list[float] = field(default_factory=list[float])

    def uplink_fault(self, network: str, uplink: str) -> str | None:
        return None if uplink == "there" else f"this host has no interface {uplink}"

    async def owners(
        self, network: str, addresses: Sequence[IPv4Address], *, wait_s: float = 0.3
    ) -> dict[IPv4Address, tuple[str, ...]]:
        self.waits.append(wait_s)
        return {address: self.owned.get(str(address), ()) for address in addresses}


@dataclass
class FakeEngine:
    name: str = "incus"
    can: frozenset[Capability] = frozenset(Capability)
    wiring: FakeWiring = field(default_factory=FakeWiring)
    online: bool = True
    pvs: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    answers: dict[str, Answers] = field(default_factory=dict[str, Answers])
    printed: bytes | None = None
    banner: bytes = b"@@@ Welcome to procServ"
    asked_at: list[str] = field(default_factory=list[str])

    def capabilities(self) -> frozenset[Capability]:
        return self.can

    async def exists(self) -> bool:
        return True

    async def hosts(self) -> list[Host]:
        return [Host("srv1", self.online, "Incus 6.0.4")]

    async def networks(self) -> list[str]:
        return ["controls"]

    async def space(self) -> list[Space]:
        return []

    def layout(self, machine: str, address: IPv4Address) -> Layout:
        run = PurePosixPath("/run", machine)
        return Layout(run, run, run, run, run, None, None, "softIoc", "python")

    async def read(self, name: str, path: PurePosixPath, *, limit: int) -> bytes | None:
        names = self.pvs.get(name)
        return None if names is None else "".join(f"{pv}\n" for pv in names).encode()

    async def exec(self, name: str, argv: Sequence[str], *, stdin: bytes) -> Completed:
        self.asked_at.append(name)
        asked, _ = read_question(stdin)
        told = {ioc: self.answers.get(ioc, Answers(len(a.pvs))) for ioc, a in asked.items()}
        printed = answer(told) if self.printed is None else self.printed
        return Completed(0, printed, b"Traceback\nImportError: no libca\n")


def session_of(tmp_path: Path, engine: FakeEngine, text: str = FILE) -> Session:
    """Return a session of a facility file on a fake engine."""
    file = tmp_path / "facility.yaml"
    file.write_text(text)
    state = StatePaths(tmp_path / "state")
    return Session(
        declaration=load(file),
        paths=state.facility("test"),
        state=state,
        engine=cast(Engine, engine),
        engine_line=None,
        note=None,
        clock=SystemClock(),
    )


def machine(name: str, *, ioc: str | None = None, runs: bool = True, **labels: str) -> Machine:
    """Return a machine of an IOC, or a desk."""
    state = MachineState.RUNNING if runs else MachineState.STOPPED
    kind = "ioc" if ioc else "desk"
    return Machine(name, kind, state, "srv1", ({"ioc": ioc} if ioc else {}) | labels)


def facts_of(
    session: Session,
    *machines: Machine,
    cables: Mapping[str, Cable] | None = None,
    reports: Mapping[str, IocReport] | None = None,
    twins: Mapping[str, str] | None = None,
) -> Facts:
    """Return facts; every IOC reports that it is well unless something else is given."""
    there = {each.name: each for each in machines}
    live = {name: name for name in session.declaration.facility.iocs}
    told = {m.name: GOOD for m in machines if m.kind == "ioc" and m.state == "running"}

    async def known() -> Mapping[str, IocReport]:
        return told | dict(reports or {})

    return Facts(
        session=session,
        silence=None,
        machines=there,
        pairs={ioc: Pair(ioc, name, (twins or {}).get(ioc)) for ioc, name in live.items()},
        cables=cables
        if cables is not None
        else {name: Cable(name, "controls", "controls", True) for name in there},
        reports=cast(Any, asyncio.ensure_future(known())),
    )
