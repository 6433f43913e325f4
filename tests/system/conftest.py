"""Facilities of real containers, made for the tests and removed after them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

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
_TIMINGS = pytest.StashKey[dict[str, float]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TIMINGS] = {}


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


@pytest.fixture(scope="session")
def three(
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
