"""An application built by makeBaseApp is taken over and runs in its machine with no edit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from epics_build import TOP, build_application, epics_root
from harness import Site, until

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(900)]

UNIT = """\
[Unit]
Description=IOC lab

[Service]
User=epics
Environment=EPICS_CA_MAX_ARRAY_BYTES=1000000 EPICS_CAS_INTF_ADDR_LIST=10.1.2.3
WorkingDirectory={top}/iocBoot/ioclab
ExecStart=/usr/bin/procServ --foreground --holdoff 5 --name lab -P 20001 ./st.cmd
LimitCORE=infinity
"""
FACILITY = """\
# the laboratory
facility: {name}
engine: {{kind: incus, pool_size: 1GiB}}
networks: {{controls: {{subnet: {subnet}.0/24}}}}

iocs: # one below the other
"""


@pytest.fixture(scope="module")
def application(containers: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The application, copied from the server where it was built; its path there was `TOP`."""
    return build_application(tmp_path_factory.mktemp("server") / "lab")


@pytest.fixture(scope="module")
def site(make_site: Callable[..., Site]) -> Site:
    site = make_site("import")
    text = FACILITY.format(name=site.name, subnet=site.subnet)
    (site.folder / "facility.yaml").write_text(text)
    # The file is written by what is tested, and `down` at the end needs it as it is.
    site.write = lambda: None
    return site


def files_of(folder: Path) -> dict[str, tuple[int, int]]:
    found = [path.lstat() for path in sorted(folder.rglob("*"))]
    return {str(n): (each.st_mtime_ns, each.st_size) for n, each in enumerate(found)}


def caget(site: Site, *names: str) -> list[str]:
    return site.ok("exec", "--", "caget", "-t", *names).out.split()


def test_taken_over_with_no_edit(site: Site, application: Path, tmp_path: Path) -> None:
    before = files_of(application)
    unit = tmp_path / "lab.service"
    unit.write_text(UNIT.format(top=TOP))
    words = ["ioc", "import", str(application), "--unit", str(unit)]

    seen = json.loads(site.ok(*words, "--dry-run", "--json").out)
    assert seen["kind"] == "binary"
    assert seen["built_at"] == TOP
    assert seen["epics"].startswith("7.0.8")
    assert sorted(seen["records"]) == ["H3APP:DOUBLE", "H3APP:SETI", "H3APP:TWICE"]
    assert seen["libraries"] == {"own": [], "copied": [], "missing": []}
    assert any("EPICS_CAS_INTF_ADDR_LIST" in note for note in seen["see_to"])
    assert not (site.folder / "iocs").exists()

    refused = site.run(*words)
    assert refused.status == 1
    assert "Copy 7 files" in refused.err

    done = site.ok(*words, "--yes")
    assert "next: linacre up" in done.err
    text = (site.folder / "facility.yaml").read_text()
    assert text.startswith(FACILITY.format(name=site.name, subnet=site.subnet))
    assert files_of(application) == before

    site.iocs["lab"] = {}
    site.machines.add("lab")
    site.ok("up", "--yes")
    site.assert_green()
    assert caget(site, "H3APP:TWICE") == ["42"]
    site.ok("exec", "--", "caput", "H3APP:SETI", "8")
    until(lambda: caget(site, "H3APP:TWICE") == ["16"])


def test_its_place_is_where_it_was_built(site: Site) -> None:
    said = site.inside("lab", f"readlink {TOP}; tr '\\0' '\\n' < /proc/$(pgrep -x lab)/environ")
    assert said.out.splitlines()[0] == "/srv/ioc"
    assert "EPICS_CA_MAX_ARRAY_BYTES=1000000" in said.out
    assert "EPICS_CAS_INTF_ADDR_LIST" not in said.out


def test_up_again_changes_nothing(site: Site) -> None:
    assert "nothing to change" in site.ok("up", "--yes").err
    assert site.run("ioc", "diff", "lab").status == 0


def test_a_second_one_has_another_name(site: Site, application: Path) -> None:
    taken = site.run("ioc", "import", str(application), "--name", "lab", "--yes")
    assert taken.status == 2
    assert "there is an IOC lab already" in taken.problem


def test_library_from_elsewhere_is_brought_along(
    site: Site, application: Path, tmp_path: Path
) -> None:
    """A library of a support module, which neither the image nor the application has."""
    top = tmp_path / "lab"
    shutil.copytree(application, top, symlinks=True)
    support = tmp_path / "support/lib/linux-x86_64"
    support.mkdir(parents=True)
    program = top / "bin/linux-x86_64/lab"
    # What was libdbRecStd is now a module's library of another name.
    data = program.read_bytes()
    assert b"libdbRecStd.so.3.23.1\0" in data
    program.write_bytes(
        data.replace(b"libdbRecStd.so.3.23.1\0", b"libotherRec.so.3.23.1"[:21] + b"\0")
    )

    library = epics_root() / "usr/lib/x86_64-linux-gnu/libdbRecStd.so.3.23.1"
    shutil.copy(library, support / "libotherRec.so.3.23.1")
    (tmp_path / "env").write_text(f"LD_LIBRARY_PATH={support}\n")
    st_cmd = top / "iocBoot/ioclab/st.cmd"
    st_cmd.write_text(st_cmd.read_text().replace("H3APP:", "H3LIB:"))
    words = ["ioc", "import", str(top), "--name", "lib", "--environment", str(tmp_path / "env")]
    site.ok(*words, "--yes", "--up")
    site.iocs["lib"] = {}
    site.machines.add("lib")
    site.assert_green()
    assert (site.folder / "iocs/lib/linacre-lib/libotherRec.so.3.23.1").is_file()
    assert caget(site, "H3LIB:TWICE") == ["42"]
