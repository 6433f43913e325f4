"""Facilities of real containers, made for the tests and removed after them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from harness import Site, why_no_containers

SOFTIOC_SCRIPT = """\
from softioc import asyncio_dispatcher, builder, softioc

dispatcher = asyncio_dispatcher.AsyncioDispatcher()
builder.SetDeviceName("{prefix}".rstrip(":"))
builder.aIn("READI", initial_value=2.5)
builder.aOut("SETI", initial_value=1.5)
builder.LoadDatabase()
softioc.iocInit(dispatcher)
softioc.interactive_ioc(globals())
"""
LONG_FIRST = (
    # It builds images.
    "services/test_services.py",
    "bundle/test_without_the_internet.py",
    "crash/test_interrupted_up.py",
    "boot/test_boot_after_power_cut.py",
    "twins/test_swap_faults.py",
)
TOGETHER = {
    # They share a facility.
    "bring_up/test_busy_host.py": "three",
    "bring_up/test_one_facility.py": "three",
    "clients/test_incus_clients.py": "three",
    "who/test_who.py": "three",
}
_TIMINGS = pytest.StashKey[dict[str, float]]()
_FAILED = pytest.StashKey[bool]()


def _module(nodeid: str) -> str:
    """Return the module of a test as the tables above have it."""
    return nodeid.partition("::")[0].rpartition("tests/system/")[2]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TIMINGS] = {}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give a module as a whole to a worker: its facility costs more than most of its tests."""
    from xdist.scheduler import LoadScopeScheduling

    class ByModule(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            module = _module(nodeid)
            return TOGETHER.get(module, module)

    # In the order of the hook below, not by the number of tests.
    config.option.loadscopereorder = False
    return ByModule(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let workers begin with what takes longest, so that none is left with it at the end."""
    if hasattr(config, "workerinput"):
        last = len(LONG_FIRST)
        turns = {module: turn for turn, module in enumerate(LONG_FIRST)}
        items.sort(key=lambda item: turns.get(_module(item.nodeid), last))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["timings"] = session.config.stash[_TIMINGS]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker of pytest-xdist measured; one that died tells nothing."""
    output = getattr(node, "workeroutput", None) or {}
    node.config.stash[_TIMINGS].update(output.get("timings", {}))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if timings := config.stash[_TIMINGS]:
        terminalreporter.section("seconds that commands took")
        terminalreporter.write_line(json.dumps(timings, indent=2))


@pytest.fixture(scope="session")
def timings(pytestconfig: pytest.Config) -> dict[str, float]:
    """Seconds by what took them; printed at the end, and never a reason to fail."""
    return pytestconfig.stash[_TIMINGS]


@pytest.fixture(scope="session")
def containers() -> None:
    """Skip, with the reason, where there can be no containers."""
    if (reason := why_no_containers()) is not None:
        pytest.skip(reason)


@contextmanager
def _sites() -> Iterator[Callable[..., Site]]:
    made: list[Site] = []

    def make(label: str, *, state: Path | None = None) -> Site:
        made.append(Site(label, state=state))
        return made[-1]

    errors: list[Exception] = []
    try:
        yield make
    finally:
        for site in made:
            try:
                site.remove()
            except Exception as error:
                errors.append(error)
    if errors:
        raise errors[0]


@pytest.fixture(scope="module")
def make_site(containers: None) -> Iterator[Callable[..., Site]]:
    """Return a maker of facilities, all removed at the end of the module."""
    with _sites() as make:
        yield make


@pytest.fixture(scope="session")
def ssh_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private key for SSH; its public part is beside it."""
    key = tmp_path_factory.mktemp("ssh") / "key"
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed: apt-get install openssh-client")
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return key


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, Any]:
    """Note whether a test failed, for the facility that it shares with others."""
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


@pytest.fixture
def three(shared_three: Site, request: pytest.FixtureRequest) -> Iterator[Site]:
    """The facility of three IOCs; one that a failed test left is brought up for the next test."""
    yield shared_three
    if request.node.stash.get(_FAILED, False):
        shared_three.write()
        shared_three.run("up", "--yes")


@pytest.fixture(scope="session")
def shared_three(
    containers: None,
    ssh_key: Path,
    tmp_path_factory: pytest.TempPathFactory,
    timings: dict[str, float],
) -> Iterator[Site]:
    """A facility of three IOCs that is up: a softIoc, a softioc script, and one from PyPI."""
    waves = tmp_path_factory.mktemp("waves")
    waves.chmod(0o755)
    (waves / "ramp.txt").write_text("0 1 2\n")
    with _sites() as make:
        site = make("three")
        site.access = {"ssh_keys": [ssh_key.with_suffix(".pub").read_text().strip()]}
        site.ioc(
            "mag",
            11,
            description="magnets",
            owner="somebody",
            persistent=["autosave"],
            mounts=[{"host": str(waves), "path": "/data/waves"}],
            limits={"cpu": 0.5, "memory": "256MiB", "processes": 120},
            environment={"MAG_MODE": "test"},
        )
        site.ioc("bpm", 12, kind="python", script="ioc.py", after=["mag"])
        site.source("bpm", {"ioc.py": SOFTIOC_SCRIPT.format(prefix=site.prefix("bpm"))})
        site.ioc(
            "sim",
            13,
            kind="python",
            module="caproto.ioc_examples.simple",
            args=["--prefix", site.prefix("sim")],
        )
        timings["three IOCs: first up"] = site.up().took_s
        yield site
