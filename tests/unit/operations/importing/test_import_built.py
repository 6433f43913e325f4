"""The place where an IOC was built, in its machine."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from import_support import application

from linacre.base.paths import FacilityPaths
from linacre.declaration.load import LoadError, load
from linacre.engines.base import Engine, MachineSpec
from linacre.engines.incus.connection import IncusSettings
from linacre.engines.incus.engine import IncusEngine
from linacre.engines.labels import PROGRAM_DIGEST
from linacre.engines.process.engine import ProcessEngine
from linacre.planning.specs import declared_facility

FILE = """\
facility: lab
networks: {{controls: {{subnet: 10.77.0.0/24}}}}
iocs:
  lab:
    kind: binary
    source: lab
    start: iocBoot/ioclab/st.cmd
    address: 10.77.0.11
{more}
"""
BUILT = "    built_at: /home/epics/lab\n"


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    top = application(tmp_path / "lab")
    (top / "lib/linux-x86_64").mkdir(parents=True)
    (top / "lib/linux-x86_64/liblab.so").write_text("")
    return tmp_path


async def machine(lab: Path, more: str, *, process: bool = False) -> MachineSpec:
    (lab / "facility.yaml").write_text(FILE.format(more=more))
    paths = FacilityPaths(lab / "state")
    engine: Engine = IncusEngine("lab", paths, IncusSettings())
    if process:
        engine = ProcessEngine("lab", paths)
    declaration = load(lab / "facility.yaml")
    found = await declared_facility(declaration, engine=engine, paths=paths, image="image")
    return found.machine("lab")


def text_of(spec: MachineSpec, name: str) -> str:
    (file,) = [each for each in spec.payload.files if each.path.name == name]
    content = file.source.read_bytes() if file.source else file.data
    assert content is not None
    return content.decode()


async def test_a_link_leads_there(lab: Path) -> None:
    before, spec = await machine(lab, ""), await machine(lab, BUILT)
    links = {each.path: each.link for each in spec.payload.files if each.link}
    assert links == {PurePosixPath("/home/epics/lab"): "/srv/ioc"}
    assert spec.payload.replaces == (*before.payload.replaces, PurePosixPath("/home/epics/lab"))
    assert 'TOP","/home/epics/lab"' in text_of(spec, "envPaths")
    assert before.labels[PROGRAM_DIGEST] != spec.labels[PROGRAM_DIGEST]


async def test_processes_get_their_own_place(lab: Path) -> None:
    more = BUILT + "    environment: {LD_LIBRARY_PATH: '/home/epics/lab/linacre-lib:/opt/x'}\n"
    spec = await machine(lab, more, process=True)
    tree = str(FacilityPaths(lab / "state").machines.absolute() / "lab/tree")
    assert f'epicsEnvSet("TOP","{tree}")' in text_of(spec, "envPaths")
    run = text_of(spec, "run")
    assert f"LD_LIBRARY_PATH={tree}/linacre-lib:/opt/x:{tree}/lib/linux-x86_64\n" in run
    assert not [each for each in spec.payload.files if each.link]
    assert sum(each.path.name == "envPaths" for each in spec.payload.files) == 1


@pytest.mark.parametrize(
    "place",
    ["/usr/lib/lab", "/home", "/srv", "/srv/ioc", "/opt", "/etc/lab", "/usr/local", "/var", "/"],
)
async def test_the_systems_own_places_are_refused(lab: Path, place: str) -> None:
    with pytest.raises(LoadError, match=r"facility.yaml:9: iocs.lab.built_at: "):
        await machine(lab, f"    built_at: {place}\n")


@pytest.mark.parametrize("place", ["/usr/local/epics/lab", "/opt/epics/lab", "/srv/iocs/lab"])
async def test_other_places_are_taken(lab: Path, place: str) -> None:
    spec = await machine(lab, f"    built_at: {place}\n")
    assert [str(each.path) for each in spec.payload.files if each.link] == [place]


async def test_a_mount_may_not_lie_in_it(lab: Path) -> None:
    mount = "    mounts: [{host: /srv/x, path: /home/epics/lab/x}]\n"
    with pytest.raises(LoadError, match="lie in one another"):
        await machine(lab, BUILT + mount)
