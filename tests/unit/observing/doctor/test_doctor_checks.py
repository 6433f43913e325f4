"""What each check makes of what it is told."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from doctor_support import FILE, GOOD, FakeEngine, facts_of, machine, session_of

from linacre.base.errors import LinacreError
from linacre.engines.base import Cable, Capability, Machine
from linacre.epics.answers import Answers
from linacre.epics.start_errors import StartError, StartErrors
from linacre.kinds.addresses import mac_address
from linacre.kinds.checking.facts import Facts
from linacre.kinds.checking.model import Outcome, Verdict
from linacre.kinds.ioc.pv_checks import pvs_answered
from linacre.kinds.ioc.start_checks import start_scripts_right
from linacre.observing.doctor.ioc_checks import iocs_booted, restart_loop
from linacre.observing.doctor.machine_checks import engine_reachable, machines_up
from linacre.observing.doctor.network_checks import (
    addresses_unique,
    cables_recorded,
    uplinks_there,
)

ADDRESSES = {"mag": "10.9.0.11", "bpm": "10.9.0.12", "desk-controls": "10.9.0.2"}
OURS = {each: (mac_address("test", IPv4Address(each)),) for each in ADDRESSES.values()}


@pytest.fixture
def engine() -> FakeEngine:
    engine = FakeEngine()
    engine.wiring.owned = dict(OURS)
    engine.pvs = {"mag": ("M:A", "M:B", "M:C"), "bpm": ("B:A",)}
    return engine


def three(*, without: tuple[str, ...] = (), stopped: tuple[str, ...] = ()) -> list[Machine]:
    return [
        machine(
            name,
            ioc=None if name.startswith("desk") else name,
            runs=name not in stopped,
            address=address,
        )
        for name, address in ADDRESSES.items()
        if name not in without
    ]


def told(outcome: Outcome) -> list[tuple[str, str, str]]:
    return [(each.what, each.verdict, each.remedy) for each in outcome.findings]


async def test_a_host_that_is_offline(tmp_path: Path) -> None:
    facts = facts_of(session_of(tmp_path, FakeEngine(online=False)))
    outcome = await engine_reachable(facts)
    assert told(outcome) == [("srv1", "problem", "start srv1 or its Incus")]


async def test_machines_that_do_not_run(tmp_path: Path, engine: FakeEngine) -> None:
    machines = three(without=("bpm",), stopped=("mag", "desk-controls"))
    twin = machine("mag-twin", ioc="mag", runs=False)
    facts = facts_of(session_of(tmp_path, engine), *machines, twin, twins={"mag": "mag-twin"})
    assert told(await machines_up(facts)) == [
        ("mag", "problem", "linacre ioc start mag"),
        ("mag-twin", "warning", "linacre ioc start mag --twin"),
        ("bpm", "problem", "linacre up"),
        ("desk-controls", "problem", "linacre up"),
    ]


async def test_addresses_that_are_ours_alone(tmp_path: Path, engine: FakeEngine) -> None:
    outcome = await addresses_unique(facts_of(session_of(tmp_path, engine), *three()))
    assert outcome.verdict is Verdict.OK
    assert engine.wiring.waits == [0.3]


async def test_an_address_of_another_device_too(tmp_path: Path, engine: FakeEngine) -> None:
    other = "aa:bb:cc:00:11:22"
    engine.wiring.owned["10.9.0.11"] = (other, *OURS["10.9.0.11"])
    engine.wiring.owned["10.9.0.12"] = (other,)
    engine.wiring.owned["10.9.0.1"] = (other,)
    outcome = await addresses_unique(facts_of(session_of(tmp_path, engine), *three()))
    assert [(each.what, each.text) for each in outcome.findings] == [
        ("10.9.0.1 (this host)", f"is answered twice on controls: {other} has it too"),
        ("10.9.0.11 (mag)", f"is answered twice on controls: {other} has it too"),
        ("10.9.0.12 (bpm)", f"is answered by another device on controls: {other} has it"),
    ]


async def test_a_machine_that_is_late_is_asked_again(tmp_path: Path, engine: FakeEngine) -> None:
    engine.wiring.owned["10.9.0.11"] = ()
    outcome = await addresses_unique(facts_of(session_of(tmp_path, engine), *three()))
    assert engine.wiring.waits == [0.3, 1.0]
    assert [each.text for each in outcome.findings] == ["runs and does not answer on controls"]


async def test_two_machines_of_ours_on_one_network(tmp_path: Path, engine: FakeEngine) -> None:
    twin = machine("mag-twin", ioc="mag", address="10.9.0.11")
    facts = facts_of(session_of(tmp_path, engine), *three(), twin, twins={"mag": "mag-twin"})
    (finding,) = (await addresses_unique(facts)).findings
    assert finding.what == "10.9.0.11 (mag and mag-twin)"


async def test_cables_where_they_are_not_to_be(tmp_path: Path, engine: FakeEngine) -> None:
    cables = {
        "mag": Cable("mag", "controls", None, True),
        "bpm": Cable("bpm", None, "controls", True),
        "desk-controls": Cable("desk-controls", "controls", None, False),
    }
    facts = facts_of(session_of(tmp_path, engine), *three(), cables=cables)
    assert told(await cables_recorded(facts)) == [
        ("mag", "problem", "linacre ioc plug mag --network controls"),
        ("bpm", "problem", "linacre ioc unplug bpm"),
    ]


async def test_cables_that_lead_nowhere(tmp_path: Path, engine: FakeEngine) -> None:
    cables = {
        "mag": Cable("mag", "controls", None, False, is_cut=True),
        "bpm": Cable("bpm", "controls", "controls", True, is_shut=True),
    }
    facts = facts_of(session_of(tmp_path, engine), *three(), cables=cables)
    outcome = await cables_recorded(facts)
    assert outcome.said == "0 of 2 cables as recorded"
    assert [(each.what, each.text) for each in outcome.findings] == [
        ("mag", "its cable is gone: nothing leads into it or out of it"),
        ("bpm", "its cable is shut: nothing passes"),
    ]
    assert all(each.remedy.startswith("linacre up") for each in outcome.findings)


async def test_an_engine_without_cables(tmp_path: Path) -> None:
    facts = facts_of(session_of(tmp_path, FakeEngine(can=frozenset({Capability.DESK}))), cables={})
    for check in (addresses_unique, cables_recorded, uplinks_there):
        assert (await check(facts)).verdict is Verdict.NOT_APPLICABLE


async def test_an_ioc_in_a_loop_is_not_told_as_not_booted(
    tmp_path: Path, engine: FakeEngine
) -> None:
    looping = replace(GOOD, ioc_up=False, booted=False, restart_loop=True, starts=5)
    gone = replace(GOOD, ioc_up=False, booted=False, started_at=None)
    facts = facts_of(session_of(tmp_path, engine), *three(), reports={"mag": looping, "bpm": gone})
    assert [what for what, *_ in told(await restart_loop(facts))] == ["mag"]
    assert told(await iocs_booted(facts)) == [("bpm", "problem", "linacre ioc restart bpm")]


async def test_an_ioc_that_is_still_booting(tmp_path: Path, engine: FakeEngine) -> None:
    session = session_of(tmp_path, engine)
    now = session.clock.now()
    reports = {
        "mag": replace(GOOD, booted=False, started_at=now - 5),
        "bpm": replace(GOOD, booted=False, started_at=now - 300),
    }
    facts = facts_of(session, *three(), reports=reports)
    verdicts = {what: verdict for what, verdict, _ in told(await iocs_booted(facts))}
    assert verdicts == {"mag": "warning", "bpm": "problem"}


async def pvs(facts: Facts) -> list[tuple[str, str, str]]:
    return [(f.what, f.verdict, f.text) for f in (await pvs_answered(facts)).findings]


ERRORS = StartErrors(2, (StartError("none 1", "st.cmd line 2: no such command"),))


async def test_errors_of_start_scripts(tmp_path: Path, engine: FakeEngine) -> None:
    session = session_of(tmp_path, engine)
    reports = {
        "mag": replace(GOOD, start_errors=ERRORS),
        "bpm": replace(GOOD, start_errors=StartErrors(), pv_count=0),
    }
    outcome = await start_scripts_right(facts_of(session, *three(), reports=reports))
    assert [(each.what, each.verdict, each.text) for each in outcome.findings] == [
        ("mag", "problem", "2 errors in its start script: st.cmd line 2: no such command"),
        ("bpm", "warning", "it has booted and serves no PV"),
    ]
    assert "start_errors: accepted" in outcome.findings[0].remedy


async def test_errors_of_start_scripts_that_are_accepted(
    tmp_path: Path, engine: FakeEngine
) -> None:
    text = FILE.replace("module: some.mag,", "module: some.mag, start_errors: accepted,")
    session = session_of(tmp_path, engine, text)
    reports = {"mag": replace(GOOD, start_errors=ERRORS)}
    outcome = await start_scripts_right(facts_of(session, *three(), reports=reports))
    assert outcome.verdict is Verdict.OK


async def test_iocs_without_a_start_script_are_not_asked(
    tmp_path: Path, engine: FakeEngine
) -> None:
    outcome = await start_scripts_right(facts_of(session_of(tmp_path, engine), *three()))
    assert outcome.verdict is Verdict.NOT_APPLICABLE


async def test_an_ioc_whose_script_has_no_ioc_init(tmp_path: Path, engine: FakeEngine) -> None:
    lost = replace(GOOD, booted=False, pv_count=None, start_errors=StartErrors())
    facts = facts_of(session_of(tmp_path, engine), *three(), reports={"mag": lost})
    assert [(f.what, f.text) for f in (await iocs_booted(facts)).findings] == [
        ("mag", "its start script ended without iocInit: it serves nothing")
    ]


async def test_every_way_in_which_a_pv_can_be_wrong(tmp_path: Path, engine: FakeEngine) -> None:
    engine.pvs["mag"] = tuple(f"M:{letter}" for letter in "ABCDEF")
    engine.answers["mag"] = Answers(
        1,
        unheard=("M:B",),
        silent=("M:C",),
        unread=("M:D",),
        refused={"M:E": "Bad"},
        elsewhere={"M:F": "10.9.0.99"},
    )
    engine.answers["bpm"] = Answers(0, unheard=("B:A",))
    facts = facts_of(session_of(tmp_path, engine), *three())
    assert await pvs(facts) == [
        ("M:C", "problem", "mag: it connects, and gives no value: it hangs"),
        ("mag", "problem", "no time was left to read 1 PV: M:D"),
        ("M:B", "problem", "mag: nobody answers the search for it at desk-controls"),
        ("M:E", "warning", "mag: it answers with an error: Bad"),
        ("M:F", "problem", "mag: another server answers for it: 10.9.0.99"),
        ("bpm", "problem", "nobody answers at desk-controls for any of its 1 PV"),
    ]


async def test_pvs_of_a_machine_that_is_told_elsewhere_are_not_read(
    tmp_path: Path, engine: FakeEngine
) -> None:
    cables = {
        "mag": Cable("mag", "controls", None, True),
        "bpm": Cable("bpm", None, None, True),
    }
    facts = facts_of(session_of(tmp_path, engine), *three(), cables=cables)
    assert await pvs(facts) == [
        ("bpm", "warning", "its PVs are not to be read: its cable is unplugged")
    ]
    assert engine.asked_at == []


async def test_a_twin_is_read_at_the_desk_of_its_sandbox(
    tmp_path: Path, engine: FakeEngine
) -> None:
    engine.pvs["mag-twin"] = ("M:A",)
    cables = {
        "mag": Cable("mag", "controls", "controls", True),
        "mag-twin": Cable("mag-twin", "controls-twins", "controls-twins", True),
        "bpm": Cable("bpm", "controls", "controls", True),
    }
    machines = [*three(), machine("mag-twin", ioc="mag"), machine("desk-controls-twins")]
    session = session_of(tmp_path, engine)
    facts = facts_of(session, *machines, cables=cables, twins={"mag": "mag-twin"})
    outcome = await pvs_answered(facts)
    assert outcome.said == "5 of 5 PVs of 3 IOCs answered"
    assert sorted(engine.asked_at) == ["desk-controls", "desk-controls-twins"]


async def test_a_desk_that_does_not_run(tmp_path: Path, engine: FakeEngine) -> None:
    facts = facts_of(session_of(tmp_path, engine), *three(stopped=("desk-controls",)))
    assert await pvs(facts) == [
        ("desk-controls", "problem", "the PVs of mag, bpm cannot be read without it")
    ]


async def test_a_reader_that_fails_is_told_by_its_last_word(
    tmp_path: Path, engine: FakeEngine
) -> None:
    engine.printed = b""
    facts = facts_of(session_of(tmp_path, engine), *three())
    with pytest.raises(LinacreError, match=r"desk-controls gave no answer \(ImportError: no libca"):
        await pvs_answered(facts)


async def test_an_uplink_that_is_not_there(tmp_path: Path, engine: FakeEngine) -> None:
    uplink = "{subnet: 10.9.0.0/24, uplink: lt-none, desk_address: 10.9.0.2}"
    text = FILE.replace("{subnet: 10.9.0.0/24}", uplink)
    (finding,) = (await uplinks_there(facts_of(session_of(tmp_path, engine, text)))).findings
    assert finding.what == "controls"
    said = "does not reach the site through lt-none: this host has no interface lt-none"
    assert finding.text == said
