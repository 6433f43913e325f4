"""Commands forked from a preloaded process are as those that a user's shell starts."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import Command
from harness import Done, Site, until
from preloaded import PROGRAM


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A facility of processes that is up."""
    if shutil.which("procServ") is None:
        pytest.skip("procServ is not installed: apt-get install procserv")
    site = Site("fork")
    site.settings = {"engine": "process"}
    site.ioc("a", 11, description="à la carte")
    site.up()
    yield site
    site.remove()


def told(done: Done) -> tuple[int, str, str]:
    return done.status, done.out, done.err


@pytest.mark.parametrize(
    "argv",
    [
        ["--help"],
        ["--version"],
        ["ioc", "--help"],
        ["nonsense"],
        ["up", "--nonsense"],
        ["up"],
        ["plan"],
        ["ioc", "templates"],
        ["ioc", "show", "b"],
        ["find", "*"],
        ["exec", "--", "env"],
        ["exec", "--", "sh", "-c", "umask; pwd; ulimit -a; cat; exit 7"],
    ],
    ids=" ".join,
)
def test_it_says_the_same(site: Site, argv: list[str]) -> None:
    assert told(site.run(*argv)) == told(site.run_fresh(*argv))


def test_a_defect_is_shown_in_whole(site: Site) -> None:
    forked, fresh = (way("--debug", "ioc", "show", "b") for way in (site.run, site.run_fresh))
    assert forked.status == fresh.status == 2
    assert "Traceback" in forked.err
    assert forked.err.splitlines()[-1] == fresh.err.splitlines()[-1]


SLEEP = ("exec", "--", "sleep", "622.5")


@pytest.fixture
def sleeping(site: Site) -> Iterator[Command]:
    """A command that waits for what sleeps at the desk."""
    command = site.spawn(*SLEEP)
    until(lambda: sleeper(command.pid), 60)
    yield command
    command.kill()
    command.communicate()


def sleeper(pid: int) -> bool:
    """Tell whether a process's child sleeps."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return any(b"622.5" in Path(f"/proc/{each}/cmdline").read_bytes() for each in children)


def of_process(pid: int) -> tuple[list[str], list[str], int]:
    """Return a process's open files, the masks of its signals, and its threads."""
    folder = Path(f"/proc/{pid}")
    files = [re.sub(r"\d+", "", str(each.readlink())) for each in (folder / "fd").iterdir()]
    status = (folder / "status").read_text()
    return (
        sorted(files),
        re.findall(r"^Sig(?:Blk|Ign|Cgt):.*", status, re.MULTILINE),
        len(list((folder / "task").iterdir())),
    )


def test_it_has_nothing_of_what_it_was_forked_from(site: Site, sleeping: Command) -> None:
    with subprocess.Popen(
        # A shell may have started these tests with the signal of Ctrl-C ignored.
        ["env", "--default-signal=INT", PROGRAM, *SLEEP],
        cwd=site.folder,
        env=site.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as fresh:
        until(lambda: sleeper(fresh.pid), 60)
        try:
            # The pipes and threads of its start go when the desk's command runs.
            with contextlib.suppress(AssertionError):
                until(lambda: of_process(sleeping.pid) == of_process(fresh.pid), 10)
            assert of_process(sleeping.pid) == of_process(fresh.pid)
            assert os.getsid(sleeping.pid) == os.getsid(fresh.pid)
            assert os.getpgid(sleeping.pid) == os.getpgid(fresh.pid)
        finally:
            fresh.kill()


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGKILL, -9), (signal.SIGTERM, -15), (signal.SIGINT, 130)]
)
def test_it_ends_by_a_signal(sleeping: Command, number: signal.Signals, status: int) -> None:
    assert sleeping.poll() is None
    os.kill(sleeping.pid, number)
    assert sleeping.wait(timeout=60) == status
    assert sleeping.poll() == status


def test_what_is_read_when_an_interpreter_starts_holds(site: Site) -> None:
    asked = ("ioc", "list", "--json")
    assert r"\xe0 la carte" in site.run(*asked, PYTHONIOENCODING="ascii:backslashreplace").out
    assert "à la carte" in site.run(*asked, PYTHONIOENCODING="utf-8").out
