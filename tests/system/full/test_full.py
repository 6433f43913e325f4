"""No room: on the host, or in the facility's pool. One clear line, nothing broken, and back."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import Site, until

pytestmark = pytest.mark.timeout(300)


class SmallDisk:
    """A file system of its own, with as little room as a test wants."""

    def __init__(self, folder: Path, size: str) -> None:
        self.folder = folder
        command = ["mount", "-t", "tmpfs", "-o", f"mode=755,size={size}", "tmpfs", str(folder)]
        subprocess.run(command, check=True)

    def resize(self, size: str) -> None:
        command = ["mount", "-o", f"remount,size={size}", str(self.folder)]
        subprocess.run(command, check=True)

    def fill(self) -> None:
        with (self.folder / "filler").open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while file.write(b"x" * size) == size:
                        pass
                except OSError:
                    continue

    def make_room(self) -> None:
        (self.folder / "filler").unlink()

    def remove(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


@pytest.fixture(scope="module")
def disk(containers: None) -> Iterator[SmallDisk]:
    """A file system with too little room for any pool."""
    disk = SmallDisk(Path(tempfile.mkdtemp(prefix="ltd", dir="/tmp")), "64m")
    yield disk
    disk.remove()
    disk.folder.rmdir()


@pytest.fixture(scope="module")
def site(disk: SmallDisk, make_site: Callable[..., Site]) -> Site:
    """A facility whose state is on that file system, declared and not up."""
    site = make_site("full", state=disk.folder / "s")
    site.ioc("a", 11)
    site.ioc("b", 12)
    site.write()
    return site


def test_a_host_too_small_for_the_pool_is_told_in_a_line(site: Site, disk: SmallDisk) -> None:
    done = site.run("up", "--yes")
    assert done.status in (1, 2)
    assert "wants 1024 MiB" in done.problem
    assert "write a smaller engine.pool_size, or set LINACRE_STATE to a larger disk" in done.problem
    status = site.run("status", "--json")
    assert status.out, status


def test_a_host_with_no_room_at_all_is_told_in_a_line(site: Site, disk: SmallDisk) -> None:
    disk.fill()
    done = site.run("up", "--yes")
    assert done.status == 1
    assert "space" in done.problem or "room" in done.problem or "full" in done.problem
    disk.make_room()


def test_up_works_after_room_was_made(site: Site, disk: SmallDisk) -> None:
    disk.resize("3g")
    site.up()


def test_iocs_go_on_when_the_host_is_full(site: Site, disk: SmallDisk) -> None:
    before = [site.identity(name, "softIoc") for name in ("a", "b")]
    disk.fill()
    try:
        site.ok("exec", "--", "caput", "-w", "10", f"{site.prefix('a')}SETI", "2")
        # Blocks of the pool were taken from the start: writing into it needs no room outside.
        write = "dd if=/dev/urandom of=/srv/persist/data bs=1M count=64 conv=fsync\n"
        site.inside("a", write + "rm /srv/persist/data\n")
        status = site.run("status", "--json")
        assert status.status in (0, 1), status
        site.ioc("c", 13)
        site.write()
        done = site.run("up", "--yes")
        if done.status != 0:
            assert done.problem
        assert all(each.is_alive for each in before)
    finally:
        disk.make_room()
    site.up()
    assert all(each.is_alive for each in before)
    del site.iocs["c"]
    site.up("--prune")


def fill(site: Site, machine: str) -> str:
    return site.inside(machine, "dd if=/dev/urandom of=/srv/persist/big bs=1M").err


def test_what_a_full_disk_stops_is_told_and_recovers(site: Site) -> None:
    filled = site.inside("a", "dd if=/dev/urandom of=/big bs=1M").err
    assert "Disk quota exceeded" in filled
    told = "the disk of a is full (512 MiB of 512 MiB): remove files in a, or raise its limits"
    # What starts it writes into memory alone.
    site.ok("ioc", "restart", "a")
    site.iocs["a"]["environment"] = {"NEW": "1"}
    site.write()
    assert told in site.run("up", "--yes").problem
    site.inside("a", "rm /big")
    site.up()


def test_one_ioc_fills_its_part_and_no_more(site: Site) -> None:
    assert "Disk quota exceeded" in fill(site, "a")
    site.ioc("c", 13)
    site.up()
    site.inside("c", "dd if=/dev/urandom of=/srv/persist/data bs=1M count=64 conv=fsync")
    del site.iocs["c"]
    site.up("--prune")


def test_others_go_on_when_all_fill_the_pool(site: Site) -> None:
    other = site.identity("b", "softIoc")
    site.inside("b", "dd if=/dev/urandom of=/srv/persist/big bs=1M count=256")
    assert "No space left on device" in site.inside("a", "dd if=/dev/urandom of=/big bs=1M").err
    assert other.is_alive
    name = site.prefix("b") + "READI"
    assert site.ok("exec", "--", "caget", "-t", "-w", "10", name).out == "2.5\n"
    rows = site.status()
    assert rows["b"]["green"]
    site.ioc("c", 13)
    site.write()
    done = site.run("up", "--yes")
    assert done.status == 0 or done.problem
    site.inside("a", "rm /srv/persist/big /big\n")
    site.inside("b", "rm /srv/persist/big\n")
    site.up()
    assert other.is_alive
    until(lambda: site.status()["a"]["green"])
    del site.iocs["c"]
    site.up("--prune")
