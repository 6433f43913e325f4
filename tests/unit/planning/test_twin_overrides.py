"""What is to be, where an IOC has two machines or keeps the files of a promoted twin."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from linacre.declaration.names import other_name
from linacre.engines.base import (
    Machine,
    MachineSpec,
    MachineState,
    NetworkSpec,
    Payload,
)
from linacre.engines.labels import (
    ACCESS_DIGEST,
    DECLARED_DIGEST,
    IMAGE,
    IOC,
    NETWORK,
    NIC_DIGEST,
    PROGRAM_DIGEST,
    RUNNING_DIGEST,
    SETTINGS_DIGEST,
    network_record,
)
from linacre.kinds.registry import KINDS
from linacre.planning.plan import Found, make_plan
from linacre.planning.specs import Declared
from linacre.planning.twin_overrides import override_twins
from linacre.session.roles import Pair, pairs

SAME = {ACCESS_DIGEST: "x", SETTINGS_DIGEST: "x", NIC_DIGEST: "x", IMAGE: ""}
CONTROLS = NetworkSpec("controls", IPv4Network("10.9.0.0/24"), IPv4Address("10.9.0.1"))


def spec(name: str, number: int, *, kind: str = "ioc") -> MachineSpec:
    own = {IOC: name, PROGRAM_DIGEST: "p1", DECLARED_DIGEST: "p1"}
    return MachineSpec(
        name=name,
        kind=kind,
        network="controls",
        address=IPv4Interface(f"10.9.0.{number}/24"),
        gateway=None,
        mac="02:00:00:00:00:01",
        image=None,
        payload=Payload(),
        traits=KINDS.named(kind).traits,
        labels={NETWORK: "controls", "kind": str(kind), PROGRAM_DIGEST: "p1", **SAME}
        | (own if kind == "ioc" else {}),
    )


A, B = spec("a", 11), spec("b", 12)
DESK = spec("desk-controls", 2, kind="desk")
DECLARED = Declared((CONTROLS,), (A, B, DESK), {"a": (), "b": ("a",)}, {"a": A, "b": B})


def machine(wanted: MachineSpec, name: str | None = None, **labels: str) -> Machine:
    mine = {**wanted.labels, RUNNING_DIGEST: wanted.labels[PROGRAM_DIGEST], **labels}
    return Machine(name or wanted.name, wanted.kind, MachineState.RUNNING, "host", mine)


def found(*machines: Machine, **record: str) -> Found:
    standing = {"prepared": "yes", "digest": "f1", **dict([network_record(CONTROLS)])}
    return Found({each.name: each for each in machines}, standing | record)


_OTHER = {NETWORK: "controls-twins", PROGRAM_DIGEST: "p2", RUNNING_DIGEST: "p2"}
TWIN = machine(A, "a-twin", **_OTHER)
SANDBOX = machine(replace(DESK, name="desk-controls-twins"), **{NETWORK: "controls-twins"})


def steps(have: Found, declared: Declared = DECLARED) -> list[str]:
    overrides = override_twins(declared, have.machines, have.record)
    return [s.key for s in make_plan(overrides.declared, have, digest="f1", prune=True).steps]


def test_the_live_machine_is_what_is_recorded() -> None:
    there = {each.name: each for each in (machine(A), TWIN, machine(B))}
    assert pairs(["a", "b"], there, {}) == {
        "a": Pair("a", "a", "a-twin"),
        "b": Pair("b", "b"),
    }
    swapped = pairs(["a"], there, {"live.a": "a-twin"})
    assert swapped["a"].names == ("a-twin", "a")
    assert pairs(["c"], there, {})["c"] == Pair("c", "c")
    # The record names a machine that is gone: the one that is left serves.
    assert pairs(["a"], {"a": machine(A)}, {"live.a": "a-twin"})["a"] == Pair("a", "a")
    assert (other_name("a", "a"), other_name("a", "a-twin")) == ("a-twin", "a")


def test_twins_and_the_desk_of_their_sandbox_stay_as_they_are() -> None:
    have = found(machine(A), TWIN, machine(B), machine(DESK), SANDBOX)
    assert steps(have) == []
    changed = replace(A, labels={**A.labels, PROGRAM_DIGEST: "p9", DECLARED_DIGEST: "p9"})
    declared = replace(DECLARED, machines=(changed, B, DESK), iocs={"a": changed, "b": B})
    assert steps(have, declared) == []


def test_a_stopped_twin_is_started_as_it_is_and_others_wait_for_the_live_one() -> None:
    stopped = [replace(each, state=MachineState.STOPPED) for each in (TWIN, machine(B))]
    have = found(machine(A), *stopped, machine(DESK), SANDBOX, **{"live.a": "a-twin"})
    overridden = override_twins(DECLARED, have.machines, have.record).declared
    made = make_plan(overridden, have, digest=None)
    assert {step.key: step.after for step in made.steps} == {
        "start a-twin": (),
        "start b": ("start a-twin",),
    }


def test_the_sandbox_goes_when_no_twin_is_left() -> None:
    assert steps(found(machine(A), machine(B), machine(DESK), SANDBOX)) == [
        "remove desk-controls-twins",
        "record declaration",
    ]


def test_a_promoted_twin_keeps_its_files_until_those_declared_change() -> None:
    promoted = replace(TWIN, labels={**TWIN.labels, NETWORK: "controls"})
    have = found(promoted, machine(B), machine(DESK), **{"live.a": "a-twin"})
    assert steps(have) == []
    assert override_twins(DECLARED, have.machines, have.record).held == ("a",)
    changed = replace(A, labels={**A.labels, PROGRAM_DIGEST: "p3", DECLARED_DIGEST: "p3"})
    declared = replace(DECLARED, machines=(changed, B, DESK), iocs={"a": changed, "b": B})
    assert steps(have, declared) == ["update a-twin", "restart a-twin", "record declaration"]
    # Once its own files are the declared ones, nothing restarts, and it is no longer held.
    same = replace(A, labels={**A.labels, PROGRAM_DIGEST: "p2", DECLARED_DIGEST: "p2"})
    declared = replace(DECLARED, machines=(same, B, DESK), iocs={"a": same, "b": B})
    assert steps(have, declared) == ["update a-twin", "record declaration"]
