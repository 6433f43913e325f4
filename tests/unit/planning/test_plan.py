from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest

from linacre.engines.base import (
    Machine,
    MachineSpec,
    MachineState,
    NetworkSpec,
    Payload,
)
from linacre.engines.labels import (
    ACCESS_DIGEST,
    IMAGE,
    NIC_DIGEST,
    PROGRAM_DIGEST,
    RUNNING_DIGEST,
    SETTINGS_DIGEST,
    network_record,
)
from linacre.kinds.registry import KINDS
from linacre.planning.plan import Action, Found, Plan, make_plan, narrowed
from linacre.planning.specs import Declared

NETWORK = NetworkSpec("controls", IPv4Network("10.9.0.0/24"), IPv4Address("10.9.0.1"))
DIGESTS = {
    PROGRAM_DIGEST: "program-1",
    ACCESS_DIGEST: "access-1",
    SETTINGS_DIGEST: "settings-1",
    NIC_DIGEST: "nic-1",
}


def spec(name: str, number: int, *, kind: str = "ioc", **labels: str):
    return MachineSpec(
        name=name,
        kind=kind,
        network="controls",
        address=IPv4Interface(f"10.9.0.{number}/24"),
        gateway=IPv4Address("10.9.0.1"),
        mac="02:00:00:00:00:01",
        image="image-1",
        payload=Payload(),
        traits=KINDS.named(kind).traits,
        labels={**DIGESTS, IMAGE: "image-1", "kind": str(kind), **labels},
    )


def declared(*specs: MachineSpec, **after: tuple[str, ...]) -> Declared:
    waits = {s.name: after.get(s.name, ()) for s in specs}
    return Declared((NETWORK,), specs, waits, {s.name: s for s in specs})


def machine(wanted: MachineSpec, state: MachineState = MachineState.RUNNING, **labels: str):
    mine = {**wanted.labels, RUNNING_DIGEST: wanted.labels[PROGRAM_DIGEST], **labels}
    return Machine(wanted.name, wanted.kind, state, "host", mine)


def found(*machines: Machine, **record: str) -> Found:
    standing = {"prepared": "yes", "digest": "file-1", **dict([network_record(NETWORK)])}
    return Found({m.name: m for m in machines}, standing | record)


def plan(want: Declared, have: Found, **options) -> Plan:
    return make_plan(want, have, digest="file-1", **options)


def actions(made: Plan) -> list[str]:
    return [step.key for step in made.steps]


A, B = spec("a", 11), spec("b", 12)
DESK = spec("desk-controls", 2, kind="desk")


def test_first_time_makes_everything_and_starts_in_order():
    made = plan(declared(B, A, DESK, b=("a",)), Found())
    assert actions(made) == [
        "prepare facility",
        "network controls",
        "image image-1",
        "create desk-controls",
        "start desk-controls",
        "create a",
        "start a",
        "create b",
        "start b",
        "record declaration",
    ]
    start_b = next(step for step in made.steps if step.key == "start b")
    assert set(start_b.after) == {"create b", "start a"}
    assert made.restarts == ()


def test_a_second_time_there_is_nothing_to_do():
    assert plan(declared(A, B), found(machine(A), machine(B))).is_empty


def test_a_changed_file_touches_that_ioc_alone_and_says_it_restarts():
    changed = replace(A, labels={**A.labels, PROGRAM_DIGEST: "program-2"})
    made = plan(declared(changed, B), found(machine(A), machine(B)))
    assert actions(made) == ["update a", "restart a", "record declaration"]
    assert made.restarts == ("a",)


@pytest.mark.parametrize("digest", [ACCESS_DIGEST, SETTINGS_DIGEST])
def test_log_in_and_limits_change_without_a_restart(digest: str):
    changed = replace(A, labels={**A.labels, digest: "2"})
    made = plan(declared(changed), found(machine(A)))
    assert actions(made) == ["update a", "record declaration"]
    assert made.restarts == ()


def test_an_address_changes_while_the_machine_is_stopped():
    changed = replace(A, labels={**A.labels, NIC_DIGEST: "2"})
    made = plan(declared(changed), found(machine(A)))
    assert actions(made) == ["stop a", "update a", "start a", "record declaration"]
    assert made.restarts == ("a",)


def test_an_update_that_was_interrupted_before_the_restart_is_finished():
    made = plan(declared(A), found(machine(A, **{RUNNING_DIGEST: "program-0"})))
    assert actions(made) == ["restart a", "record declaration"]


def test_an_ioc_that_runs_and_does_not_serve_is_looked_at_and_holds_back_what_waits_for_it():
    have = Found(
        {"a": machine(A), "b": machine(B, MachineState.STOPPED)},
        found().record,
        frozenset({"a"}),
    )
    made = plan(declared(A, B, b=("a",)), have)
    assert actions(made) == ["check a", "start b", "record declaration"]
    assert made.steps[1].after == ("check a",)


def test_a_machine_without_labels_was_half_made_and_is_made_anew():
    half = Machine("a", "ioc", MachineState.STOPPED, "host", {"kind": "ioc"})
    assert actions(plan(declared(A), found(half)))[:3] == ["image image-1", "create a", "start a"]


def test_a_stopped_machine_is_started_and_one_in_error_stopped_first():
    stopped = machine(A, MachineState.STOPPED)
    broken = machine(B, MachineState.ERROR)
    made = plan(declared(A, B), found(stopped, broken))
    assert actions(made)[:3] == ["start a", "stop b", "start b"]
    assert made.restarts == ()


def test_a_newer_image_is_told_and_left_unless_a_rebuild_is_asked_for():
    old = machine(A, **{IMAGE: "image-0"})
    told = plan(declared(A), found(old))
    assert told.is_empty
    assert told.outdated == ("a",)
    made = plan(declared(A), found(old), rebuild=["a"])
    assert actions(made)[:3] == ["image image-1", "rebuild a", "start a"]
    assert made.restarts == ("a",)


def test_rebuilds_go_one_at_a_time():
    made = plan(declared(A, B), found(machine(A), machine(B)), rebuild=["a", "b"])
    second = next(step for step in made.steps if step.key == "rebuild b")
    assert "start a" in second.after


def test_what_is_no_longer_declared_stays_until_prune():
    have = found(machine(A), machine(B))
    told = plan(declared(A), have)
    assert told.is_empty
    assert told.undeclared == ("b",)
    made = plan(declared(A), have, prune=True)
    assert actions(made) == ["remove b", "record declaration"]
    assert made.undeclared == ()


def test_a_changed_network_is_made_again():
    made = plan(declared(A), found(machine(A), **{"network.controls": "10.8.0.0/24 10.8.0.1"}))
    assert Action.NETWORK in [step.action for step in made.steps]


def test_a_changed_comment_in_the_file_is_recorded_and_nothing_else():
    made = make_plan(declared(A), found(machine(A)), digest="file-2")
    assert actions(made) == ["record declaration"]


def test_a_cable_that_was_moved_by_hand_is_plugged_where_it_is_recorded():
    have = replace(found(machine(A), machine(DESK)), moved={"desk-controls": "controls", "a": None})
    made = plan(declared(A, DESK), have)
    assert {s.key: s.title for s in made.steps} == {
        "plug desk-controls": "plug desk-controls into controls: its cable was moved or shut",
        "plug a": "plug a out: its cable was moved or shut",
        "record declaration": "record the declaration",
    }
    assert not made.restarts


def test_a_machine_whose_cable_is_gone_is_restarted_and_that_is_said():
    have = replace(found(machine(A), machine(DESK)), cut=frozenset({"a", "desk-controls"}))
    made = plan(declared(A, DESK), have)
    assert {s.key: s.title for s in made.steps} == {
        "stop desk-controls": "stop desk-controls: its cable is gone",
        "start desk-controls": "start desk-controls",
        "stop a": "stop a: its cable is gone",
        "start a": "start a",
        "record declaration": "record the declaration",
    }
    assert next(s for s in made.steps if s.key == "start a").after == ("stop a",)
    assert made.restarts == ("a",)


def test_a_narrowed_plan_has_one_machine_and_what_it_stands_on():
    whole = plan(declared(A, B, DESK, b=("a",)), Found())
    assert actions(narrowed(whole, {"b"})) == [
        "prepare facility",
        "network controls",
        "image image-1",
        "create b",
        "start b",
    ]


def test_a_narrowed_plan_records_the_declaration_only_if_it_leaves_nothing_out():
    have = found(machine(A))
    whole = make_plan(declared(A, B), have, digest="file-2")
    assert actions(narrowed(whole, {"b"})) == actions(whole)
    whole = make_plan(declared(A, B), found(), digest="file-2")
    assert "record declaration" not in actions(narrowed(whole, {"b"}))
    assert actions(narrowed(make_plan(declared(A), have, digest="file-2"), {"a"})) == [
        "record declaration"
    ]
