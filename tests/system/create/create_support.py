"""Facilities whose file a person wrote, and commands on them in this process or killed in one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

from harness import Done, Site

from linacre.kinds.registry import IOC
from linacre.observing.status import facility_status
from linacre.operations.changes.rename import rename
from linacre.operations.interaction import Interaction
from linacre.planning.preview import UpOptions
from linacre.session.session import Session, open_session

KILLED = -9
_RENAME = """
import asyncio, os, signal, sys
from pathlib import Path
from linacre.base.paths import StatePaths
from linacre.operations.changes.rename import rename
from linacre.session.session import open_session
from linacre.kinds.registry import IOC
from linacre.observing.status import facility_status
from linacre.operations.interaction import Interaction

left = int(sys.argv[3])

def hook(_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

async def work():
    session = await open_session(
        Path.cwd(), state=StatePaths.from_environment(), folder=Path.cwd(), journal_hook=hook
    )
    talk = Interaction(confirm=lambda _: True, say=print, show_plan=lambda _: None)
    await rename(session, sys.argv[1], sys.argv[2], talk)

asyncio.run(work())
"""


def write_by_hand(site: Site, *, engine: str = "{kind: incus, pool_size: 1GiB}") -> str:
    """Write the facility file of two IOCs as a person would; return its text."""
    for number, name in enumerate(("first", "second"), 11):
        site.ioc(name, number)
        site.source(
            name,
            {"st.cmd": f'dbLoadRecords("ioc.db", "P={site.prefix("old")}{name}:")\niocInit\n'},
        )
    text = f"""\
    # A facility that people keep.
    facility: {site.name}
    engine: {engine}

    networks:
      controls:
        subnet: {site.subnet}.0/24 # ours

    defaults:
      ioc: {{hold_off: 1s}}

    # The IOCs.
    iocs:
      # The first.
      first: # its line
        kind: softioc
        source: iocs/first # a folder
        address: {site.subnet}.11
        persistent: [data]

      second:
        kind: softioc
        source: iocs/second
        address: {site.subnet}.12
        after: [first] # waits
    # The end.
    """
    text = textwrap.dedent(text)
    (site.folder / "facility.yaml").write_text(text)
    site.settings = {"engine": "process"} if engine == "process" else {}
    return text


def text_of(site: Site) -> str:
    """Return the facility file."""
    return (site.folder / "facility.yaml").read_text()


def green(site: Site) -> dict[str, str]:
    """Fail unless every IOC is as it should be; return their machines."""
    done = site.run("status", "--json")
    assert done.status == 0, done
    return {row["name"]: row["live"] for row in json.loads(done.out)["iocs"]}


def get(site: Site, pv: str) -> str:
    """Return what a client at the desk gets for a PV."""
    return site.ok("exec", "--", "caget", "-t", "-w", "10", pv).out.strip()


def killed_rename(site: Site, old: str, new: str, *, after: int) -> bool:
    """Rename an IOC, killed after so many writes to the journal; False where it came to its end."""
    done = subprocess.run(
        [sys.executable, "-c", _RENAME, old, new, str(after)],
        cwd=site.folder,
        env=site.environment | {"PYTHONPATH": os.environ.get("PYTHONPATH", "")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode in (0, KILLED), done
    return done.returncode == KILLED


async def here(site: Site) -> Session:
    """Return the session of a facility in this process: a command's start costs more."""
    return await open_session(site.folder, state=site.state, folder=site.folder)


def quiet() -> Interaction:
    """Return a talk that says yes."""
    return Interaction(confirm=lambda _: True, say=print, show_plan=lambda _: None)


async def machines(site: Site) -> dict[str, str]:
    """Fail unless every IOC is as it should be; return their machines."""
    found = await facility_status(await here(site))
    assert all(each.green for each in found.of(IOC)), found
    return {each.name: each.live for each in found.of(IOC)}


async def rename_here(site: Site, old: str, new: str) -> None:
    """Rename an IOC in this process."""
    assert await rename(await here(site), old, new, quiet()) is not None


ALL = UpOptions()


def refused(site: Site, *args: str) -> str:
    """Run a command that must be refused as typed wrongly, with nothing written."""
    before = text_of(site)
    done: Done = site.run(*args)
    assert done.status == 2, done
    assert text_of(site) == before
    return done.problem
