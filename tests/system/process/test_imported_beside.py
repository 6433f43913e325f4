"""IOCs whose files are not all where their scripts look are taken over, and serve what they did."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Site

pytestmark = pytest.mark.timeout(180)

FACILITY = """\
facility: {name}
engine: process
networks: {{controls: {{subnet: {subnet}.0/24}}}}
"""


@pytest.fixture(scope="module")
def site(make_site: Callable[..., Site]) -> Site:
    if shutil.which("procServ") is None:
        pytest.skip("procServ is not installed: apt-get install procserv")
    site = make_site("impbes")
    text = FACILITY.format(name=site.name, subnet=site.subnet)
    (site.folder / "facility.yaml").write_text(text)
    # The file is written by what is tested, and `down` at the end needs it as it is.
    site.write = lambda: None
    return site


def test_what_the_import_said_is_what_is_served(site: Site, tmp_path: Path) -> None:
    (tmp_path / "site/ioc").mkdir(parents=True)
    (tmp_path / "site/db").mkdir()
    prefix = site.prefix("c1")
    (tmp_path / "site/db/a.db").write_text('record(ao, "$(P)A") {}\n')
    (tmp_path / "site/ioc/st.cmd").write_text(
        f'dbLoadRecords("../db/a.db", "P={prefix}")\nnoSuchCommand 1\niocInit()\n'
    )
    folder = str(tmp_path / "site/ioc")
    seen = json.loads(site.ok("ioc", "import", folder, "--dry-run", "--json").out)
    assert [*seen["records"]] == [f"{prefix}A"]
    done = site.ok("ioc", "import", folder, "--name", "c1", "--yes", "--up")
    assert "c1: it serves all that the import found, 1 record" in done.err.splitlines()
    text = (site.folder / "facility.yaml").read_text()
    assert "# Not understood: ioc/st.cmd:2: noSuchCommand 1" in text
    row = site.status()["c1"]
    assert (row["pvs"], row["start_messages"]) == (
        1,
        ["st.cmd line 2: Command 'noSuchCommand' not registered."],
    )


def test_a_build_for_windows_serves_its_plain_records(site: Site, tmp_path: Path) -> None:
    prefix = site.prefix("win")
    files = {
        "iocBoot/iocwin/st.cmd": (
            "#!../../bin/windows-x64/win\n< envPaths\ncd ${TOP}\ndbLoadDatabase dbd/win.dbd\n"
            f'win_registerRecordDeviceDriver pdbbase\ndbLoadRecords("db/win.db", "P={prefix}")\n'
            "cd ${TOP}/iocBoot/${IOC}\niocInit\n"
        ),
        "iocBoot/iocwin/envPaths": (
            'epicsEnvSet("IOC","iocwin")\nepicsEnvSet("TOP","C:/EPICS/win")\n'
        ),
        "db/win.db": 'record(ao, "$(P)A") {}\nrecord(ai, "$(P)B") {}\n',
    }
    for name, text in files.items():
        path = tmp_path / "win" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, newline="\r\n")
    folder = str(tmp_path / "win")
    done = site.ok("ioc", "import", folder, "--name", "win", "--yes", "--up")
    assert "win: it serves all that the import found, 2 records" in done.err.splitlines()
    row = site.status()["win"]
    assert (row["green"], row["pvs"], row["start_errors"]) == (True, 2, 0)
