"""Creating, cloning, renaming and deleting IOCs of a facility that is not up: files and texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from linacre.base.errors import LinacreError, UserError
from linacre.base.paths import StatePaths
from linacre.documents.document import parse
from linacre.operations.changes.clone import NewClone, clone
from linacre.operations.changes.create import NewIoc, create
from linacre.operations.changes.delete import delete
from linacre.operations.changes.rename import rename
from linacre.operations.interaction import Interaction
from linacre.session.session import Session, open_session

TEXT = """\
# Ours.
facility: trial
engine: process
networks:
    controls:
        subnet: 10.61.2.0/24
    site: {subnet: 10.61.3.0/24, uplink: eth1, desk_address: 10.61.3.2} # the site's
defaults:
    ioc: {network: controls}
iocs:
    # The first.
    mag: # magnets
        kind: softioc
        # What it runs.
        source: iocs/mag
        address: 10.61.2.11
        environment: {PREFIX: 'MAG:', GAIN: 2}

    bpm:
        kind: softioc
        source: iocs/bpm
        address: 10.61.2.13
        after: [mag] # waits
# The end.
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    for name in ("mag", "bpm"):
        folder = tmp_path / "iocs" / name
        folder.mkdir(parents=True)
        (folder / "st.cmd").write_text(f"# {name}\niocInit\n")
    # The process engine takes no uplink, and nothing here asks it to make the network.
    file = tmp_path / "facility.yaml"
    file.write_text(TEXT)
    return file


@pytest.fixture
def session(file: Path, tmp_path: Path) -> Callable[[], Any]:
    async def opened() -> Session:
        return await open_session(file, state=StatePaths(tmp_path / "state"), folder=tmp_path)

    return opened


def interaction(*, yes: bool = True, heard: list[str] | None = None) -> Interaction:
    said = [] if heard is None else heard

    def confirm(question: str) -> bool:
        said.append(question)
        return yes

    return Interaction(confirm=confirm, say=said.append, show_plan=lambda _: None, asks=True)


Opened = Callable[[], Any]


async def test_a_new_ioc_is_written_with_its_files(session: Opened, file: Path) -> None:
    wanted = NewIoc(name="vac", template="softioc", owner="us", description="Gauges: all")
    written = await create(await session(), wanted, interaction())
    assert not written.is_running
    assert written.address == "10.61.2.12"
    assert written.endpoint == "127.61.2.12"
    assert written.declared == f"{file}:25"
    added = (
        "\n    vac:\n"
        "        kind: softioc\n"
        "        owner: us\n"
        '        description: "Gauges: all"\n'
        "        source: iocs/vac\n"
        "        start: st.cmd\n"
        "        address: 10.61.2.12\n"
        "        environment:\n"
        '            PREFIX: "VAC:"\n'
    )
    assert file.read_text() == TEXT.replace("# waits\n", "# waits\n" + added)
    assert "The start script of vac" in (file.parent / "iocs/vac/st.cmd").read_text()
    deleted = await delete(await session(), "vac", purge=True, interaction=interaction())
    assert deleted is not None
    assert deleted.entry.startswith("vac:\n    kind: softioc\n")
    assert file.read_text() == TEXT
    assert not (file.parent / "iocs/vac").exists()


async def test_addresses(session: Opened) -> None:
    def said(**asked: Any) -> NewIoc:
        return NewIoc(name="vac", template="python", **asked)

    for asked, message in (
        ({"address": "10.61.2.11"}, "^vac: address: 10.61.2.11 is also the address of mag; write"),
        ({"address": "10.61.2.1"}, "is also the address of the host on network controls"),
        ({"address": "10.61.9.1"}, "vac: address: 10.61.9.1 is outside 10.61.2.0/24; write one of"),
        ({"address": "next"}, "--address next is not an IPv4 address; write one like"),
        ({"network": "contrls"}, "there is no network contrls; write controls"),
        ({"network": "site"}, "site is the site's network, where no address can be taken for"),
    ):
        with pytest.raises(UserError, match=message):
            await create(await session(), said(**asked), interaction())
    written = await create(
        await session(), said(network="site", address="10.61.3.77", start=False), interaction()
    )
    assert written.network == "site"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"name": "mag"}, "there is an IOC mag already, at .*facility.yaml:12; choose another"),
        ({"name": "Mag 1"}, "'Mag 1' is no host name; write mag-1"),
        ({"name": "mag-twin"}, "mag-twin: this is the name of the twin of mag"),
        ({"name": "desk-controls"}, "desk-controls: this is the name of the desk of"),
        ({"template": "softiok"}, "there is no template softiok; write softioc"),
        ({"template": "binary"}, r"the template binary needs --set TREE=... \(.*START=..."),
        ({"settings": {"PREFX": "x"}}, "the template softioc has no setting PREFX; write PREFIX"),
    ],
)
async def test_what_is_asked_wrongly_changes_nothing(
    session: Opened, file: Path, asked: dict[str, Any], message: str
) -> None:
    wanted: dict[str, Any] = {"name": "vac", "template": "softioc"} | asked
    with pytest.raises(UserError, match=message) as caught:
        await create(await session(), NewIoc(**wanted), interaction())
    assert "\n" not in str(caught.value)
    assert file.read_text() == TEXT
    assert sorted(each.name for each in (file.parent / "iocs").iterdir()) == ["bpm", "mag"]


async def test_a_tree_without_its_start_script_is_told(session: Opened, file: Path) -> None:
    (file.parent / "tree").mkdir()
    settings = {"TREE": "tree", "START": "st.cmd"}
    wanted = NewIoc(name="scr", template="binary", settings=settings)
    with pytest.raises(UserError, match=r"^scr: start: st\.cmd is not in tree; write"):
        await create(await session(), wanted, interaction())
    assert file.read_text() == TEXT


async def test_a_clone_has_comments_files_and_another_prefix(session: Opened, file: Path) -> None:
    written = await clone(
        await session(), NewClone(source="mag", name="mag2", settings={"GAIN": "3"}), interaction()
    )
    assert written is not None
    added = (
        "\n    mag2: # magnets\n"
        "        kind: softioc\n"
        "        # What it runs.\n"
        "        source: iocs/mag2\n"
        "        address: 10.61.2.12\n"
        "        environment: {PREFIX: 'MAG2:', GAIN: 3}\n"
    )
    assert file.read_text() == TEXT.replace("# waits\n", "# waits\n" + added)
    assert (file.parent / "iocs/mag2/st.cmd").read_text() == "# mag\niocInit\n"


async def test_a_clone_that_would_serve_the_same_is_asked_about(
    session: Opened, file: Path
) -> None:
    heard: list[str] = []
    wanted = NewClone(source="bpm", name="bpm2")
    assert await clone(await session(), wanted, interaction(yes=False, heard=heard)) is None
    assert "bpm2 would serve the PVs of bpm beside it" in heard[0]
    assert file.read_text() == TEXT
    wanted = NewClone(source="bpm", name="bpm2", settings={"P": "x"})
    with pytest.raises(UserError, match="bpm has no environment variable P of its own"):
        await clone(await session(), wanted, interaction())
    with pytest.raises(UserError, match="trial has no IOC bpn; it has: mag, bpm"):
        await clone(await session(), NewClone(source="bpn", name="x"), interaction())


async def test_a_rename_takes_references_and_the_folder_along(session: Opened, file: Path) -> None:
    renamed = await rename(await session(), "mag", "magnets", interaction())
    assert renamed is not None
    assert file.read_text() == TEXT.replace("    mag:", "    magnets:").replace(
        "iocs/mag", "iocs/magnets"
    ).replace("[mag]", "[magnets]")
    assert sorted(each.name for each in (file.parent / "iocs").iterdir()) == ["bpm", "magnets"]
    assert await rename(await session(), "magnets", "mag", interaction()) is not None
    assert file.read_text() == TEXT
    with pytest.raises(UserError, match="there is an IOC bpm already"):
        await rename(await session(), "mag", "bpm", interaction())


async def test_a_folder_that_others_use_keeps_its_name(session: Opened, file: Path) -> None:
    shared = TEXT.replace("iocs/bpm", "iocs/mag")
    file.write_text(shared)
    assert await rename(await session(), "mag", "magnets", interaction()) is not None
    assert file.read_text() == shared.replace("    mag:", "    magnets:").replace(
        "[mag]", "[magnets]"
    )
    assert (file.parent / "iocs/mag").is_dir()
    with pytest.raises(UserError, match="has the files of bpm too; leave --purge out"):
        file.write_text(shared.replace("[mag]", "[]"))
        await delete(await session(), "mag", purge=True, interaction=interaction())


async def test_what_others_wait_for_is_not_deleted(session: Opened, file: Path) -> None:
    with pytest.raises(UserError, match=r"^bpm starts after mag; take it out of their after first"):
        await delete(await session(), "mag", purge=False, interaction=interaction())
    with pytest.raises(UserError, match="trial has no IOC mog; it has: mag, bpm"):
        await delete(await session(), "mog", purge=False, interaction=interaction())
    assert file.read_text() == TEXT


async def test_deleting_names_what_is_lost_and_asks(session: Opened, file: Path) -> None:
    heard: list[str] = []
    answer = await delete(
        await session(), "bpm", purge=True, interaction=interaction(yes=False, heard=heard)
    )
    assert answer is None
    assert heard == [
        "This removes for good, of bpm:",
        f"  - its entry of 5 lines with the comments in it at {file}:19",
        f"  - its own 1 file in {file.parent}/iocs/bpm",
        "Delete bpm?",
    ]
    assert file.read_text() == TEXT
    kept = await delete(await session(), "bpm", purge=False, interaction=interaction())
    assert kept is not None
    assert kept.files == f"{file.parent}/iocs/bpm"
    assert (file.parent / "iocs/bpm/st.cmd").exists()
    assert [*parse(file.read_text()).data["iocs"]] == ["mag"]


async def test_iocs_in_braces_are_refused(session: Opened, file: Path) -> None:
    file.write_text(
        '{"facility": "trial", "engine": "process", "networks": {"c": {"subnet": "10.61.2.0/24"}}}'
    )
    with pytest.raises(LinacreError, match=r"facility.yaml:1: the file is written in braces"):
        await create(await session(), NewIoc(name="a", template="softioc"), interaction())
    assert not (file.parent / "iocs/a").exists()
