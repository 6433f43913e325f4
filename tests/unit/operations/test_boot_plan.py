"""What `linacre boot` would do with machines as they can be found after a power cut."""

from __future__ import annotations

from linacre.engines.base import Machine, MachineState
from linacre.engines.labels import (
    ACCESS_DIGEST,
    ADDRESS,
    AFTER,
    IOC,
    NIC_DIGEST,
    PROGRAM_DIGEST,
    RUNNING_DIGEST,
    SETTINGS_DIGEST,
)
from linacre.operations import boot

STOPPED, RUNNING, ERROR = MachineState.STOPPED, MachineState.RUNNING, MachineState.ERROR


def machine(
    name: str, state: MachineState, *, after: str = "", runs: str = "new", ioc: str | None = None
) -> Machine:
    labels = {
        IOC: ioc or name,
        AFTER: after,
        ADDRESS: "10.9.0.11",
        PROGRAM_DIGEST: "new",
        RUNNING_DIGEST: runs,
        **dict.fromkeys((ACCESS_DIGEST, SETTINGS_DIGEST, NIC_DIGEST), "x"),
    }
    return Machine(name, "ioc", state, "here", labels)


def planned(*machines: Machine, silent: set[str] | None = None, **record: str) -> dict[str, tuple]:
    look = boot._Look({m.name: m for m in machines}, (), record, frozenset(silent or ()))
    return {step.key: step.after for step in boot._plan(look).steps}


def test_what_runs_is_left_alone_also_with_older_files() -> None:
    assert planned(machine("a", RUNNING), machine("b", RUNNING, runs="old")) == {}


def service(name: str, state: MachineState, *, after: str = "") -> Machine:
    made = machine(name, state, after=after)
    labels = {key: value for key, value in made.labels.items() if key != IOC}
    return Machine(name, "service", state, "here", labels)


def test_services_and_iocs_start_after_one_another() -> None:
    steps = planned(
        machine("b", STOPPED, after="db"),
        service("db", STOPPED, after="a"),
        machine("a", STOPPED),
    )
    assert steps == {"start a": (), "start db": ("start a",), "start b": ("start db",)}


def test_a_service_that_does_not_serve_is_told_as_down() -> None:
    machines = {m.name: m for m in (machine("a", RUNNING), service("db", RUNNING))}
    assert boot._Look(machines, (), {}, frozenset({"db"})).down == ["db"]
    assert boot._Look(machines, (), {}, frozenset()).down == []


def test_what_is_stopped_is_started_in_order() -> None:
    steps = planned(machine("b", STOPPED, after="a"), machine("a", STOPPED, runs="old"))
    assert steps == {"start a": (), "start b": ("start a",)}


def test_one_that_runs_and_does_not_serve_is_waited_for() -> None:
    steps = planned(machine("a", RUNNING), machine("b", STOPPED, after="a"), silent={"a"})
    assert steps == {"check a": (), "start b": ("check a",)}


def test_one_in_error_is_stopped_first() -> None:
    assert planned(machine("a", ERROR)) == {"stop a": (), "start a": ("stop a",)}


def test_both_machines_of_an_ioc_wait_for_the_live_one_of_another() -> None:
    steps = planned(
        machine("a", STOPPED),
        machine("a-twin", STOPPED, ioc="a"),
        machine("b", STOPPED, after="a"),
        machine("b-twin", STOPPED, after="a", ioc="b"),
        **{"live.a": "a-twin"},
    )
    assert steps["start b"] == steps["start b-twin"] == ("start a-twin",)


def test_what_an_ioc_waits_for_and_is_not_there_holds_nothing_back() -> None:
    assert planned(machine("b", STOPPED, after="gone")) == {"start b": ()}


def test_labels_of_two_files_that_make_a_cycle_hold_nothing_back() -> None:
    steps = planned(machine("a", STOPPED, after="b"), machine("b", STOPPED, after="a"))
    assert steps.keys() == {"start a", "start b"}
