"""What a command imports: no more than it uses, and no engine where the catalogue answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from linacre import __version__
from linacre.base.paths import StatePaths
from linacre.catalogue import Catalogue
from linacre.catalogue.model import IocEntry, RecordEntry
from linacre.session.state import FacilityNote, Standing, write_note

FACILITY = """\
facility: one
engine: incus
networks: {controls: {subnet: 10.61.2.0/24}}
iocs:
  mag: {kind: softioc, source: mag, address: 10.61.2.11}
"""
RUN = """\
import os
import sys
from linacre.cli.main import main
leave = os._exit
def told(status):
    print(*sys.modules, sep="\\n", file=sys.stderr, flush=True)
    leave(status)
os._exit = told
main()
"""
LEAVE = """\
import atexit
import sys
from threading import Thread
from time import sleep
from linacre.cli.main import main
atexit.register(print, "taken apart")
def work():
    sleep(0.2)
    print("worked")
if sys.argv.pop() == "busy":
    Thread(target=work).start()
main()
"""
EPICS = {"aioca", "epicscorelibs", "p4p", "pvxslibs", "softioc"}
DRAWING = {"rich", "markdown_it", "pygments"}
DATABASE = {"sqlalchemy", "alembic"}
NEVER = {
    *EPICS,
    *DRAWING,
    *("aiohttp", "cryptography", "fastapi", "numpy", "ruamel", "uvicorn"),
    *("alembic", "sqlalchemy.dialects.mysql", "sqlalchemy.dialects.postgresql"),
    *("linacre.accelerator", "linacre.archiver", "linacre.physics"),
    "linacre.engines.process.engine",
}
NO_ENGINE = {*NEVER, "linacre.engines", "linacre.kinds", "linacre.planning", "yaml"}


def holds(modules: set[str], forbidden: set[str]) -> list[str]:
    return sorted(
        each for each in modules if any(each == f or each.startswith(f"{f}.") for f in forbidden)
    )


def imported(*argv: str, state: Path) -> tuple[str, set[str]]:
    """Run a command in a fresh interpreter; return what it printed and what it imported."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, *argv],
        env=os.environ | {"LINACRE_STATE": str(state)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    modules = set(done.stderr.splitlines())
    assert "linacre.cli.main" in modules
    return done.stdout, modules


@pytest.fixture
async def known(tmp_path: Path) -> Path:
    """Return the file of a facility with a history, whose daemon is not there any more."""
    (tmp_path / "mag").mkdir()
    (tmp_path / "mag" / "st.cmd").touch()
    file = tmp_path / "facility.yaml"
    file.write_text(FACILITY)
    paths = StatePaths(tmp_path / "state").facility("one")
    write_note(paths, FacilityNote(facility="one", file=file, engine="incus", standing=Standing.UP))
    async with await Catalogue.open(paths.catalogue, logs=paths.logs) as catalogue:
        steps = [("create mag", "make mag")]
        async with await catalogue.begin_task(facility="one", verb="up", steps=steps) as task:
            await task.step_started("create mag")
            await task.step_done("create mag")
        blank = dict.fromkeys(IocEntry.__dataclass_fields__, "")
        inventory = catalogue.inventory("one")
        await inventory.set_iocs([IocEntry(**blank | {"name": "mag"})])
        await inventory.set_records("mag", [RecordEntry("MAG:SETI")])
    return file


def test_a_help_imports_nearly_nothing(tmp_path: Path) -> None:
    shown, modules = imported("--help", state=tmp_path)
    assert "Commands:" in shown
    assert not holds(modules, {*NO_ENGINE, *DATABASE, "pydantic", "asyncio", "linacre.session"})


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (("find", "MAG*"), "MAG:SETI"),
        (("task", "list"), '"verb": "up"'),
        (("task", "show", "1"), "make mag"),
        (("ioc", "history", "mag"), "make mag"),
    ],
)
def test_what_the_catalogue_knows_needs_no_engine(
    command: tuple[str, ...], answer: str, known: Path
) -> None:
    shown, modules = imported(*command, "--json", "-f", str(known), state=known.parent / "state")
    assert answer in shown
    assert not holds(modules, NO_ENGINE)


@pytest.mark.parametrize("command", [("status",), ("ioc", "list"), ("ioc", "show", "mag")])
def test_who_only_looks_imports_no_database_and_draws_nothing(
    command: tuple[str, ...], known: Path
) -> None:
    shown, modules = imported(*command, "--json", "-f", str(known), state=known.parent / "new")
    assert '"mag"' in shown
    assert not holds(modules, {*NEVER, *DATABASE, "linacre.catalogue.catalogue"})


def test_a_plan_needs_no_database_either(known: Path) -> None:
    shown, modules = imported("plan", "-f", str(known), state=known.parent / "new")
    assert "mag" in shown
    assert not holds(modules, {*NEVER, *DATABASE})


@pytest.mark.parametrize(
    ("how", "said"), [("idle", []), ("busy", ["worked", "taken apart"])], ids=str
)
def test_a_command_ends_at_once_unless_something_goes_on(how: str, said: list[str]) -> None:
    argv = [sys.executable, "-c", LEAVE, "--version", how]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"linacre {__version__}", *said]
