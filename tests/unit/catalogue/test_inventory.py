"""Machines, IOCs, records and the history of IOCs, in both databases."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from linacre.base.errors import LinacreError, UserError
from linacre.catalogue import Catalogue, Inventory
from linacre.catalogue.model import (
    Duplicate,
    FileEntry,
    IocEntry,
    MachineEntry,
    NewState,
    RecordEntry,
    ToldErrors,
)

MAGNETS = IocEntry(
    name="S02-MAG",
    kind="softioc",
    owner="magnets group",
    area="S02",
    device_type="magnet",
    description="Quadrupoles of S02",
    network="controls",
    address="10.64.0.5",
    host="host1",
    machine="S02-MAG",
    source="iocs/S02-MAG",
    revision="",
    digest="abc",
)
BPMS = replace(MAGNETS, name="S02-BPM", device_type="bpm", owner="diagnostics")
SETI = RecordEntry("CLA-S02-MAG-QUAD-01:SETI", "ao", "Current, A")
GETI = RecordEntry("CLA-S02-MAG-QUAD-01:GETI", "ai", "Current read back, A")
STATE = NewState(
    ioc="S02-MAG",
    verb="up",
    task_id=None,
    user="operator",
    at=100.0,
    source="iocs/S02-MAG",
    revision="",
    digest="abc",
    settings="kind: softioc\n",
    files={"st.cmd": FileEntry(0o755, digest="d" * 64), "db": FileEntry(0o777, link="../db")},
    diff="--- a\n+++ b\n",
    note="",
)


@pytest.fixture
def inventory(catalogue: Catalogue) -> Inventory:
    return catalogue.inventory("clara")


async def test_machines_are_replaced(inventory: Inventory) -> None:
    one = MachineEntry("A", "ioc", "A", "controls", "10.64.0.5", "host1", "f00")
    two = MachineEntry("desk-controls", "desk", "", "controls", "10.64.0.2", "host1", "f00")
    await inventory.set_machines([two, one])
    assert await inventory.machines() == [one, two]
    await inventory.set_machines([replace(two, host="host2")])
    assert await inventory.machines() == [replace(two, host="host2")]
    await inventory.set_machines([])
    assert await inventory.machines() == []


async def test_iocs_are_told_by_name_and_changed(inventory: Inventory) -> None:
    await inventory.set_iocs([MAGNETS, BPMS])
    assert await inventory.iocs() == [BPMS, MAGNETS]
    await inventory.set_iocs([replace(MAGNETS, host="host2"), BPMS])
    assert (await inventory.iocs())[1].host == "host2"


async def test_facilities_that_share_a_database_do_not_meet(catalogue: Catalogue) -> None:
    clara, other = catalogue.inventory("clara"), catalogue.inventory("other")
    for inventory in (clara, other):
        await inventory.set_iocs([MAGNETS])
        await inventory.set_records("S02-MAG", [SETI])
        await inventory.add_state(STATE)
    await clara.set_iocs([])
    await clara.set_machines([])

    assert await other.iocs() == [MAGNETS] and await other.records("S02-MAG") == [SETI]
    assert len(await other.states("S02-MAG")) == 1
    assert [m.facility for m in (await other.find("*")).matches] == ["other", "other"]
    assert (await clara.find("*")).matches == ()
    assert await other.duplicates() == []


async def test_it_is_known_of_which_iocs_no_record_was_ever_told(inventory: Inventory) -> None:
    await inventory.set_iocs([MAGNETS, BPMS])
    assert await inventory.unread() == {MAGNETS.name, BPMS.name}
    await inventory.set_records(MAGNETS.name, [SETI])
    # One that serves none has told so.
    await inventory.set_records(BPMS.name, [])
    assert await inventory.unread() == set()
    await inventory.set_iocs([BPMS])
    await inventory.set_iocs([MAGNETS, BPMS])
    assert await inventory.unread() == {MAGNETS.name}


async def test_records_are_replaced(inventory: Inventory) -> None:
    await inventory.set_iocs([MAGNETS])
    await inventory.set_records("S02-MAG", [SETI, GETI])
    assert await inventory.records("S02-MAG") == [GETI, SETI]
    await inventory.set_records("S02-MAG", [replace(SETI, description="Current"), SETI])
    assert await inventory.records("S02-MAG") == [replace(SETI, description="Current")]
    assert [m.pv for m in (await inventory.find("*:?ETI")).matches] == [SETI.name]
    await inventory.set_records("S02-MAG", [])
    assert await inventory.records("S02-MAG") == []


async def test_the_same_records_and_iocs_write_nothing(where: Path | str, tmp_path: Path) -> None:
    writes: list[int] = []
    logs = tmp_path / "log"
    async with await Catalogue.open(where, logs=logs, after_write=writes.append) as catalogue:
        inventory = catalogue.inventory("clara")
        machine = MachineEntry("A", "ioc", "A", "controls", "10.64.0.5", "host1", "f00")
        for given in ([SETI, GETI], [GETI, SETI]):
            await inventory.set_iocs([MAGNETS, BPMS])
            await inventory.set_machines([machine])
            await inventory.set_records("S02-MAG", given)
    assert writes == [1, 2, 3]


async def test_text_that_no_database_takes_as_it_is(inventory: Inventory) -> None:
    await inventory.set_iocs([MAGNETS])
    await inventory.set_records("S02-MAG", [RecordEntry("A:B", "ai", "\0caf\udce9 10 °C")])
    assert await inventory.records("S02-MAG") == [RecordEntry("A:B", "ai", "caf? 10 °C")]


async def test_records_of_an_ioc_that_is_not_there_are_refused(inventory: Inventory) -> None:
    with pytest.raises(LinacreError, match="there is no IOC S02-MAG in the catalogue"):
        await inventory.set_records("S02-MAG", [SETI])
    assert await inventory.records("S02-MAG") == []


async def test_an_ioc_that_is_gone_keeps_its_history_and_goes_on_with_it(
    inventory: Inventory,
) -> None:
    await inventory.set_iocs([MAGNETS])
    await inventory.set_records("S02-MAG", [SETI])
    await inventory.add_state(STATE)

    await inventory.set_iocs([])

    assert await inventory.iocs() == [] and await inventory.records("S02-MAG") == []
    assert (await inventory.find("*")).matches == ()
    assert [s.number for s in await inventory.states("S02-MAG")] == [1]
    await inventory.set_iocs([MAGNETS])
    assert await inventory.records("S02-MAG") == []
    await inventory.set_records("S02-MAG", [SETI])
    assert await inventory.records("S02-MAG") == [SETI]
    assert await inventory.last_state("S02-MAG") == (await inventory.states("S02-MAG"))[-1]
    assert (await inventory.add_state(STATE)).number == 2
    assert await inventory.last_state("S02-MAG") == (await inventory.states("S02-MAG"))[-1]
    assert await inventory.last_state("NOSUCH") is None


async def test_a_renamed_ioc_keeps_records_and_history(inventory: Inventory) -> None:
    machine = MachineEntry("S02-MAG", "ioc", "S02-MAG", "controls", "", "host1", "")
    await inventory.set_machines([machine])
    await inventory.set_iocs([MAGNETS])
    await inventory.set_records("S02-MAG", [SETI])
    await inventory.add_state(STATE)

    await inventory.rename_ioc("S02-MAG", "S02-QUADS")

    assert [ioc.name for ioc in await inventory.iocs()] == ["S02-QUADS"]
    assert await inventory.records("S02-QUADS") == [SETI]
    assert [m.ioc for m in await inventory.machines()] == ["S02-QUADS"]
    (state,) = await inventory.states("S02-QUADS")
    assert (state.ioc, state.number) == ("S02-QUADS", 1)
    assert await inventory.states("S02-MAG") == []
    # The name is free for another IOC, which begins a history of its own.
    await inventory.set_iocs([MAGNETS, replace(MAGNETS, name="S02-QUADS")])
    assert (await inventory.add_state(STATE)).number == 1


async def test_a_name_that_one_gone_had_keeps_the_histories_apart(inventory: Inventory) -> None:
    await inventory.set_iocs([MAGNETS, BPMS])
    await inventory.add_state(replace(STATE, ioc="S02-BPM", digest="of the BPMs"))
    await inventory.add_state(replace(STATE, digest="of the magnets"))
    await inventory.set_iocs([MAGNETS])

    await inventory.rename_ioc("S02-MAG", "S02-BPM")

    assert [s.digest for s in await inventory.states("S02-BPM")] == ["of the magnets"]


async def test_a_rename_that_cannot_be(inventory: Inventory) -> None:
    await inventory.set_iocs([MAGNETS, BPMS])
    with pytest.raises(UserError, match="there is no IOC NOSUCH in the catalogue"):
        await inventory.rename_ioc("NOSUCH", "OTHER")
    with pytest.raises(UserError, match="there is an IOC S02-BPM already"):
        await inventory.rename_ioc("S02-MAG", "S02-BPM")


async def test_a_state_is_kept_with_how_its_task_ended(
    catalogue: Catalogue, inventory: Inventory
) -> None:
    with pytest.raises(LinacreError):
        async with await catalogue.begin_task(facility="clara", verb="up") as task:
            added = await inventory.add_state(replace(STATE, task_id=task.id))
            assert (added.number, added.outcome) == (1, "running")
            raise LinacreError("no space")
    await inventory.add_state(replace(STATE, task_id=999, note="was S02-QUADS"))

    first, second = await inventory.states("S02-MAG")

    assert (first.outcome, first.error, first.task_id) == ("failed", "no space", task.id)
    assert first.files == STATE.files and first.diff == STATE.diff
    assert (first.settings, first.user, first.at) == ("kind: softioc\n", "operator", 100.0)
    assert (second.number, second.outcome, second.error) == (2, "", "")
    assert second.note == "was S02-QUADS"


async def test_a_task_of_another_facility_is_not_taken_for_the_states(
    catalogue: Catalogue, inventory: Inventory
) -> None:
    async with await catalogue.begin_task(facility="other", verb="up") as task:
        pass
    assert (await inventory.add_state(replace(STATE, task_id=task.id))).outcome == ""


async def test_history_of_an_ioc_that_is_not_known_yet(inventory: Inventory) -> None:
    await inventory.add_state(STATE)
    assert await inventory.iocs() == []
    await inventory.set_iocs([MAGNETS])
    assert (await inventory.add_state(STATE)).number == 2
    assert await inventory.states("NOSUCH") == []


async def test_pvs_that_two_iocs_serve(inventory: Inventory) -> None:
    third = replace(MAGNETS, name="OLD")
    await inventory.set_iocs([MAGNETS, BPMS, third])
    await inventory.set_records("S02-MAG", [SETI, GETI])
    await inventory.set_records("S02-BPM", [SETI])
    await inventory.set_records("OLD", [GETI])
    await inventory.set_iocs([MAGNETS, BPMS])
    assert await inventory.duplicates() == [Duplicate(SETI.name, ("S02-BPM", "S02-MAG"))]


async def test_what_was_done_with_an_ioc_is_found_without_all_else_that_was(tmp_path: Path) -> None:
    file = tmp_path / "catalogue.sqlite"
    asked: list[str] = []
    async with await Catalogue.open(file, logs=tmp_path / "log") as catalogue:

        def keep(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            asked.append(statement)

        event.listen(Engine, "before_cursor_execute", keep)
        try:
            assert await catalogue.inventory("clara").actions("mag", "mag-twin") == []
            await catalogue.tasks(20)
            await catalogue.mark_interrupted()
        finally:
            event.remove(Engine, "before_cursor_execute", keep)
    with closing(sqlite3.connect(file)) as database:
        selects = [each for each in asked if each.startswith("SELECT")]
        plans = {
            each: [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {each}", marks(each))]
            for each in selects
        }
    assert len(plans) == 4
    for statement, plan in plans.items():
        # The newest tasks are read from the end, as many as are asked for.
        scanned = [line for line in plan if line.startswith("SCAN") and "LIMIT" not in statement]
        assert not [line for line in scanned if "task" in line or "step" in line], plan


def marks(statement: str) -> list[str]:
    return ["1"] * statement.count("?")


async def test_a_mass_removal_gives_its_room_back(tmp_path: Path) -> None:
    """Of an IOC with very many records, when it goes; the room of a few is kept for others."""
    path, logs = tmp_path / "catalogue.sqlite", tmp_path / "logs"
    many = [RecordEntry(f"CLA-{n:06}:SETI", "ao", f"Current {n}") for n in range(60_000)]

    def size() -> int:
        return sum(each.stat().st_size for each in tmp_path.glob("catalogue*"))

    async with await Catalogue.open(path, logs=logs) as catalogue:
        inventory = catalogue.inventory("clara")
        await inventory.set_iocs([MAGNETS, BPMS])
        await inventory.set_records("S02-MAG", many)
        await inventory.set_records("S02-BPM", [SETI])
    before = size()
    async with await Catalogue.open(path, logs=logs) as catalogue:
        await catalogue.inventory("clara").set_iocs([BPMS])
    assert size() < before / 5
    async with await Catalogue.open(path, logs=logs) as catalogue:
        assert await catalogue.inventory("clara").records("S02-BPM") == [SETI]


async def test_errors_of_a_start_script_are_of_the_newest_state(inventory: Inventory) -> None:
    await inventory.set_iocs([MAGNETS, BPMS])
    await inventory.add_state(STATE)
    await inventory.set_start_errors({"S02-MAG": ToldErrors(2, ("one", "two"))})
    await inventory.add_state(replace(STATE, diff="other"))
    for errors in (ToldErrors(9, ("x",)), ToldErrors(0)):
        await inventory.set_start_errors({"S02-MAG": errors, "S02-BPM": ToldErrors(1, ("b",))})
    told = [(each.start_errors, each.start_messages) for each in await inventory.states("S02-MAG")]
    assert told == [(2, ("one", "two")), (0, ())]
    # What is not looked at stays.
    await inventory.set_iocs([replace(MAGNETS, digest="new"), BPMS])
    found = {one.ioc: one.start_errors for one in (await inventory.find("S02-*")).matches}
    assert found == {"S02-MAG": 0, "S02-BPM": 1}


async def test_errors_that_are_kept_are_not_written_again(
    inventory: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    await inventory.set_iocs([MAGNETS, BPMS])
    await inventory.add_state(STATE)
    errors = {"S02-MAG": ToldErrors(1, ("one",)), "S02-BPM": ToldErrors(0)}
    await inventory.set_start_errors(errors)
    monkeypatch.delattr(Inventory, "_write")
    await inventory.set_start_errors(errors)
