"""A pcaspy server tells what it serves, and when, without a change of its script."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pcaspy", reason="pcaspy is not installed: pip install pcaspy")

SCRIPT = """\
from pcaspy import Driver, SimpleServer
server = SimpleServer()
server.createPV("LAB:", {"A": {}, "B": {"type": "int"}})
server.createPV("MORE:", {"C": {}})
driver = Driver()
for _ in range(3):
    server.process(0.01)
    print(open(f"{run}/booted").read().strip())
"""


def test_it_tells_its_pvs_and_that_it_serves(tmp_path: Path) -> None:
    script = tmp_path / "ioc.py"
    script.write_text(f"run = {str(tmp_path)!r}\n{SCRIPT}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    # It cannot be bound to an address of the loopback interface, which has no broadcasts.
    here = {"EPICS_CAS_SERVER_PORT": port, "EPICS_CAS_BEACON_ADDR_LIST": "127.0.0.1"}
    here |= {"EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO", "LINACRE_RUN_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "linacre.epics.runner", str(script)],
        env={**here, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.split()) == (0, ["booted"] * 3), done.stderr
    assert (tmp_path / "pvs").read_text().splitlines() == ["LAB:A", "LAB:B", "MORE:C"]
