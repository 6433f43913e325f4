"""A rename that is killed at any write to its journal is finished by `up` or the same command."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from create_support import (
    ALL,
    here,
    killed_rename,
    machines,
    quiet,
    rename_here,
    text_of,
    write_by_hand,
)
from harness import Site, steps

from linacre.operations.bring_up import bring_up

_MOST_WRITES = 60


@pytest.fixture
def processes() -> Iterator[Site]:
    """A facility of processes that is up."""
    if shutil.which("procServ") is None:
        pytest.skip("procServ is not installed: apt-get install procserv")
    site = Site("newp")
    write_by_hand(site, engine="process")
    site.ok("up", "--yes")
    yield site
    site.ioc("first", 11)  # what its removal is told of has these files
    site.remove()


@pytest.fixture
def containers_site(make_site: Callable[[str], Site]) -> Iterator[Site]:
    """A facility of containers that is up."""
    site = make_site("newk")
    write_by_hand(site)
    site.machines |= {"one"}
    site.ok("up", "--yes")
    yield site
    site.ioc("first", 11)


def folder(site: Site, name: str) -> Path:
    """Return the folder of an IOC's own files."""
    return site.folder / "iocs" / name


def kept(site: Site, name: str) -> Path:
    """Return the file that stands for what an IOC of a process keeps."""
    return site.state.facility(site.name).machines / name / "persist/data/kept"


async def finish(site: Site, old: str, new: str, *, by_up: bool) -> None:
    """Finish a rename that was killed; `up` first, where it is to bring all back by itself."""
    if by_up:
        assert await bring_up(await here(site), ALL, quiet()) is not None
        assert (await machines(site)).keys() in ({old, "second"}, {new, "second"})
    # Where all is done and only its end was not written down, there is nothing to finish.
    if folder(site, old).exists():
        await rename_here(site, old, new)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("step", steps(7))
def test_processes(processes: Site, step: int) -> None:
    site, names = processes, ("first", "one")
    kept(site, "first").write_text("42\n")
    text = text_of(site)
    for after in range(step, _MOST_WRITES, step):
        old, new = names
        was_killed = killed_rename(site, old, new, after=after)
        if was_killed:
            asyncio.run(finish(site, old, new, by_up=after % 2 == 0))
        assert asyncio.run(machines(site)) == {new: new, "second": "second"}
        assert text_of(site) == text.replace("  first: #", f"  {new}: #").replace(
            "iocs/first", f"iocs/{new}"
        ).replace("[first]", f"[{new}]")
        assert kept(site, new).read_text() == "42\n"
        assert not kept(site, old).exists()
        assert sorted(e.name for e in (site.folder / "iocs").iterdir()) == sorted([new, "second"])
        if not was_killed:
            return
        names = (new, old)
    raise AssertionError(f"the rename did not end in {_MOST_WRITES} writes")


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("by_up", "places"),
    [
        # Stopped; made anew; in the file; brought up; and before the old one is removed.
        pytest.param(True, (5, 7, 9, 16, 22), marks=pytest.mark.thorough),
        pytest.param(False, (5, 7, 9, 16, 22), marks=pytest.mark.thorough),
        (True, (9,)),
        (False, (16,)),
    ],
)
def test_containers(containers_site: Site, by_up: bool, places: tuple[int, ...]) -> None:
    site, names = containers_site, ("first", "one")
    site.inside("first", "echo 42 > /srv/persist/data/kept")
    for after in places:
        old, new = names
        if killed_rename(site, old, new, after=after):
            asyncio.run(finish(site, old, new, by_up=by_up))
        assert asyncio.run(machines(site)) == {new: new, "second": "second"}
        assert site.inside(new, "cat /srv/persist/data/kept").out == "42\n"
        done = site.ok("up")
        assert "no longer declared" not in done.err
        assert "nothing to change" in done.err
        names = (new, old)
