"""Errors of start scripts are told a moment after an IOC has booted, or never."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import PurePosixPath
from typing import cast

from linacre.base.clock import Clock
from linacre.engines.base import Engine
from linacre.epics.layout import Layout
from linacre.epics.start_errors import StartError, StartErrors
from linacre.kinds.ioc.start_errors import errors_of_started


@dataclass
class FakeClock:
    at: float = 0.0

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


@dataclass
class FakeEngine:
    """Gives of each machine what its file holds from a time on."""

    clock: FakeClock
    files: dict[str, list[tuple[float, bytes]]]
    read_from: list[str] = field(default_factory=list[str])

    def layout(self, machine: str, address: IPv4Address) -> Layout:
        run = PurePosixPath("/run", machine)
        return Layout(run, run, run, run, run, None, None, "softIoc", "python")

    async def read(self, name: str, path: PurePosixPath) -> bytes | None:
        assert path == PurePosixPath("/run", name, "start-errors")
        self.read_from.append(name)
        there = [data for at, data in self.files.get(name, []) if at <= self.clock.at]
        return there[-1] if there else None


async def told(files: dict[str, list[tuple[float, bytes]]]) -> tuple[dict[str, StartErrors], float]:
    clock = FakeClock()
    engine = cast(Engine, FakeEngine(clock, files))
    addresses = {name: IPv4Address("10.0.0.9") for name in ("mag", "bpm")}
    return await errors_of_started(engine, addresses, clock=cast(Clock, clock)), clock.at


ONE = b"1\nnone 1\tno such command\n"
ERRORS = StartErrors(1, (StartError("none 1", "no such command"),))


async def test_what_is_there_is_told_at_once() -> None:
    assert await told({"mag": [(0, ONE)], "bpm": [(0, b"0\n")]}) == (
        {"mag": ERRORS, "bpm": StartErrors()},
        0.0,
    )


async def test_a_script_that_has_just_ended_is_waited_for() -> None:
    found, took = await told({"mag": [(0, b"\n"), (0.3, ONE)]})
    assert found == {"mag": ERRORS}
    assert 0.3 <= took < 0.5


async def test_a_machine_that_never_tells_holds_nobody_up_for_long() -> None:
    found, took = await told({"mag": [(0, b"\n")], "bpm": [(0, ONE)]})
    assert found == {"bpm": ERRORS}
    assert took < 1.5
