"""Archivers of a facility that is not up: what is written, changed, refused and removed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from linacre.base.errors import UserError
from linacre.base.paths import StatePaths
from linacre.operations.changes.change_archiver import add_pvs, extend, remove_pvs
from linacre.operations.changes.delete_archiver import delete_archiver
from linacre.operations.changes.new_archiver import NewArchiver, create_archiver, end_of
from linacre.operations.interaction import Interaction
from linacre.session.session import Session, open_session

TEXT = """\
facility: trial
engine: process
networks:
    controls:
        subnet: 10.61.2.0/24
iocs:
    mag: {kind: python, module: m, address: 10.61.2.11}
# The end.
"""
DRIFT = """\
archivers:
    drift:
        address: 10.61.2.12
        owner: physics
        description: "Why it drifts: S02"
        until: 2026-12-24T08:00:00Z
        disk: 5GiB
        retention: {max_age: 90d}
        limits: {memory: 512MiB, cpu: 1}
        pvs:
            - "CLA-S02-*:READI"
            - CLA-S02-MAG:SETI
            - CLA-S02-VAC:P scan 10
"""
WANTED = NewArchiver(
    name="drift",
    pvs=("CLA-S02-*:READI", "CLA-S02-MAG:SETI", "CLA-S02-VAC:P scan 10"),
    owner="physics",
    description="Why it drifts: S02",
    until="2026-12-24T08:00:00Z",
    disk="5GiB",
    max_age="90d",
    memory="512MiB",
    cpu="1",
    start=False,
)

Opened = Callable[[], Any]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "facility.yaml"
    file.write_text(TEXT)
    return file


@pytest.fixture
def session(file: Path, tmp_path: Path) -> Opened:
    async def opened() -> Session:
        return await open_session(file, state=StatePaths(tmp_path / "state"), folder=tmp_path)

    return opened


def interaction(*, yes: bool = True, heard: list[str] | None = None) -> Interaction:
    said = [] if heard is None else heard

    def confirm(question: str) -> bool:
        said.append(question)
        return yes

    return Interaction(confirm=confirm, say=said.append, show_plan=lambda _: None, asks=True)


async def test_a_new_archiver_is_written_down_and_can_be_taken_out(
    session: Opened, file: Path
) -> None:
    written = await create_archiver(await session(), WANTED, interaction())
    assert file.read_text() == TEXT + DRIFT
    assert written.url == "http://127.61.2.12:17665/"
    assert written.declared == f"{file}:10"
    assert not written.is_running
    deleted = await delete_archiver(
        await session(), "drift", purge=False, interaction=interaction()
    )
    assert deleted is not None
    assert not deleted.has_kept_data
    assert file.read_text() == TEXT + "archivers:\n"


async def test_a_pattern_that_means_nothing_is_refused_before_anything_is_written(
    session: Opened, file: Path
) -> None:
    wanted = NewArchiver(name="drift", pvs=("CLA-S02-*:READI",))
    with pytest.raises(UserError, match=r"^CLA-S02-\*:READI means no PV of trial, by its catal"):
        await create_archiver(await session(), wanted, interaction())
    named = NewArchiver(name="named", pvs=("ANY:NAME",))
    assert (await create_archiver(await session(), named, interaction())).pvs == 1
    assert "drift" not in file.read_text()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"name": "mag"}, "^there is an IOC mag already, at .*facility.yaml:7; choose another"),
        ({"name": "My"}, "My is no host name; write my"),
        ({"address": "10.61.2.11"}, "^drift: address: 10.61.2.11 is also the address of mag; wri"),
        ({"disk": "5GB"}, "^drift: disk: 5GB is not a size; write 5GiB"),
        ({"memory": "1MiB"}, "^drift: limits.memory: 1MiB is too little for a machine to start"),
        ({"until": "tomorrow"}, "^drift: until: tomorrow is not a time; write one like 2026-12-2"),
        ({"lasting": "3 months"}, "^--for '3 months' is not a length of time; write one like 12h"),
        ({"lasting": "7d", "until": "2026-12-24T08:00:00Z"}, "^--for and --until: give one of t"),
        ({"max_age": "9y"}, "^drift: retention.max_age: 9y is not a length of time; write one"),
        ({"pvs": ("A B",)}, "^'A B' is not a PV; write a name or a pattern"),
        ({"pvs_file": Path("none.txt")}, "^--pvs-file none.txt: no such file or directory"),
        ({"protocol": "http"}, "^drift: protocol: http is not what goes here"),
    ],
)
async def test_what_is_asked_wrongly_is_told_in_one_line(
    session: Opened, file: Path, asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        await create_archiver(
            await session(), NewArchiver(**{"name": "drift", **asked}), interaction()
        )
    assert "\n" not in str(caught.value)
    assert file.read_text() == TEXT


async def test_its_end_moves_and_comments_stay(session: Opened, file: Path) -> None:
    await create_archiver(await session(), WANTED, interaction())
    file.write_text(file.read_text().replace("owner: physics", "owner: physics # Jo"))
    moved = await extend(await session(), "drift", "2027-01-01T00:00:00Z", interaction())
    assert (moved.until, moved.is_running) == ("2027-01-01T00:00:00Z", False)
    assert "        until: 2027-01-01T00:00:00Z\n" in file.read_text()
    assert (await extend(await session(), "drift", None, interaction())).until is None
    expected = DRIFT.replace("2026-12-24T08:00:00Z", "none").replace("physics", "physics # Jo")
    assert file.read_text() == TEXT + expected
    with pytest.raises(UserError, match=r"^trial has no archiver mag; it is an IOC: linacre ioc"):
        await extend(await session(), "mag", None, interaction())


async def test_pvs_are_added_and_taken_out_line_by_line(session: Opened, file: Path) -> None:
    await create_archiver(await session(), WANTED, interaction())
    await add_pvs(await session(), "drift", ("A:B", "pva://C D"[:7]), interaction())
    assert file.read_text() == TEXT + DRIFT + "            - A:B\n            - pva://C\n"
    gone = ("CLA-S02-MAG:SETI", "pva://C")
    left = await remove_pvs(await session(), "drift", gone, interaction())
    assert left.pvs == ("CLA-S02-*:READI", "CLA-S02-VAC:P scan 10", "A:B")
    with pytest.raises(UserError, match=r"^drift has A:B already"):
        await add_pvs(await session(), "drift", ("A:B",), interaction())
    with pytest.raises(UserError, match=r"^CLA-S02-X:READI is not among the PVs that the facili"):
        await remove_pvs(await session(), "drift", ("CLA-S02-X:READI",), interaction())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("pvs: [A, 'B'] # some", "pvs: [A, 'B', C] # some"),
        ("pvs: []", "pvs: [C]"),
        ("owner: me", "pvs: [C], owner: me"),
    ],
)
async def test_pvs_in_brackets_too(session: Opened, file: Path, before: str, after: str) -> None:
    def text(inside: str) -> str:
        if "owner" in inside:
            return f"{TEXT}archivers:\n    a: {{{inside}, address: 10.61.2.71}}\n"
        return f"{TEXT}archivers:\n    a:\n        address: 10.61.2.71\n        {inside}\n"

    file.write_text(text(before))
    await add_pvs(await session(), "a", ("C",), interaction())
    assert file.read_text() == text(after)


async def test_deleting_asks_and_names_what_is_lost(session: Opened, file: Path) -> None:
    await create_archiver(await session(), WANTED, interaction())
    heard: list[str] = []
    assert (
        await delete_archiver(
            await session(), "drift", purge=True, interaction=interaction(yes=False, heard=heard)
        )
        is None
    )
    assert heard == [
        "This removes, of the archiver drift:",
        f"  - its entry of 12 lines at {file}:10",
        "  - its data, for good",
        "Delete drift?",
    ]
    assert file.read_text() == TEXT + DRIFT
    with pytest.raises(UserError, match=r"^trial has no archiver nothing; it has: drift"):
        await delete_archiver(await session(), "nothing", purge=True, interaction=interaction())


def test_an_end_is_a_time_or_a_length_from_now_on() -> None:
    now = 1_766_000_000.0
    assert end_of("7d", None, now=now) == "2025-12-24T19:33:20Z"
    assert end_of(None, "2026-12-24T08:00:00Z", now=now) == "2026-12-24T08:00:00Z"
    assert end_of(None, None, now=now) is None
