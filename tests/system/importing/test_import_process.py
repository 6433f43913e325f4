"""An application is taken over by a facility of processes, where no link can lead to its place."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from epics_build import TOP, build_application, build_for_host
from harness import Site

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(900)]

FACILITY = """\
facility: {name}
engine: process
networks: {{controls: {{subnet: {subnet}.0/24}}}}
"""


@pytest.fixture(scope="module")
def site(make_site: Callable[..., Site]) -> Site:
    if shutil.which("procServ") is None:
        pytest.skip("procServ is not installed: apt-get install procserv")
    site = make_site("importp")
    text = FACILITY.format(name=site.name, subnet=site.subnet)
    (site.folder / "facility.yaml").write_text(text)
    # The file is written by what is tested, and `down` at the end needs it as it is.
    site.write = lambda: None
    return site


@pytest.fixture(scope="module")
def application(containers: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_application(tmp_path_factory.mktemp("server") / "lab")


def test_program_of_a_newer_system_is_told(site: Site, application: Path) -> None:
    """Debian 13's EPICS libraries are not on this host, nor in the application."""
    seen = json.loads(site.ok("ioc", "import", str(application), "--dry-run", "--json").out)
    if seen["libraries"]["missing"]:
        assert "libdbCore.so.3.23.1" in seen["libraries"]["missing"]
        assert any("libraries that are not on this host" in note for note in seen["see_to"])
    else:
        assert Path("/usr/lib/x86_64-linux-gnu/libdbCore.so.3.23.1").exists()


def test_taken_over_as_a_process(site: Site, application: Path) -> None:
    build_for_host(application)
    site.ok("ioc", "import", str(application), "--name", "lab", "--yes", "--up")
    site.iocs["lab"] = {}
    site.assert_green()
    (source,) = (site.folder / "iocs").glob("*/iocBoot/ioclab/envPaths")
    assert f'epicsEnvSet("TOP","{TOP}")' in source.read_text()
    assert site.ok("exec", "--", "caget", "-t", "H3APP:TWICE").out.split() == ["42"]
    log = site.ok("ioc", "log", "lab").out
    assert f'epicsEnvSet("TOP","{site.state.root}' in log
    assert TOP not in log
