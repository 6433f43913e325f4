from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from linacre.base.errors import UnsupportedError
from linacre.base.paths import FacilityPaths
from linacre.declaration.load import load
from linacre.engines.base import Engine, MachineSpec, Part
from linacre.engines.incus.connection import IncusSettings
from linacre.engines.incus.engine import IncusEngine
from linacre.engines.labels import (
    ACCESS_DIGEST,
    NIC_DIGEST,
    PROGRAM_DIGEST,
    SETTINGS_DIGEST,
)
from linacre.engines.process.engine import ProcessEngine
from linacre.planning.specs import declared_facility

FILE = """\
facility: lab
networks: {{controls: {{subnet: 10.77.0.0/24}}}}
{top}
iocs:
  power:
    kind: softioc
    source: power
    address: {address}
{more}
"""
ALL = (PROGRAM_DIGEST, ACCESS_DIGEST, SETTINGS_DIGEST, NIC_DIGEST)
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f name"


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    (tmp_path / "power").mkdir()
    (tmp_path / "power/st.cmd").write_text("iocInit()\n")
    return tmp_path


def incus(lab: Path) -> Engine:
    return IncusEngine("lab", FacilityPaths(lab / "state"), IncusSettings())


async def power(
    lab: Path, *, more: str = "", top: str = "", address: str = "10.77.0.11"
) -> MachineSpec:
    (lab / "facility.yaml").write_text(FILE.format(more=more, top=top, address=address))
    declared = await declared_facility(
        load(lab / "facility.yaml"),
        engine=incus(lab),
        paths=FacilityPaths(lab / "state"),
        image="image",
    )
    return declared.machine("power")


def differing(one: MachineSpec, other: MachineSpec) -> set[str]:
    return {name for name in ALL if one.labels[name] != other.labels[name]}


async def test_the_same_declaration_has_the_same_digests(lab: Path):
    assert differing(await power(lab), await power(lab)) == set()


async def test_a_changed_file_and_a_changed_setting_ask_for_a_restart(lab: Path):
    before = await power(lab)
    setting = await power(lab, more="    environment: {MODE: test}")
    assert differing(before, setting) == {PROGRAM_DIGEST}
    (lab / "power/st.cmd").write_text("# changed\niocInit()\n")
    assert differing(before, await power(lab)) == {PROGRAM_DIGEST}


async def test_a_description_asks_for_nothing(lab: Path):
    before = await power(lab)
    assert differing(before, await power(lab, more="    description: Bench supply")) == set()


async def test_a_key_limits_and_an_address_differ_each_in_their_own_way(lab: Path):
    before = await power(lab)
    key = await power(lab, top=f"access: {{ssh_keys: ['{KEY}']}}")
    assert differing(before, key) == {ACCESS_DIGEST}
    limits = await power(lab, more="    limits: {memory: 256MiB}")
    assert differing(before, limits) == {SETTINGS_DIGEST}
    moved = await power(lab, address="10.77.0.12")
    assert differing(before, moved) == {ACCESS_DIGEST, NIC_DIGEST}


async def test_scripts_of_another_linacre_ask_for_nothing(lab: Path):
    spec = await power(lab)
    scripts = [file for file in spec.payload.files if file.part is Part.SCRIPTS]
    assert {file.path.name for file in scripts} >= {"start", "run"}
    newer = [
        replace(file, data=b"newer") if file.part is Part.SCRIPTS else file
        for file in spec.payload.files
    ]
    for part in (Part.PROGRAM, Part.ACCESS):
        assert replace(spec.payload, files=tuple(newer)).digest(part) == spec.payload.digest(part)


async def test_an_access_file_beside_the_facility_file_is_laid_into_the_tree(lab: Path):
    (lab / "site.acf").write_text("ASG(DEFAULT) { RULE(1, READ) }\n")
    spec = await power(lab, more="    access_security: site.acf")
    laid = [
        f for f in spec.payload.files if f.path == PurePosixPath("/srv/ioc/.linacre/access.acf")
    ]
    assert [file.source for file in laid] == [lab / "site.acf"]


async def test_the_process_engine_refuses_what_needs_a_machine(lab: Path):
    more = "    mounts: [{host: /srv, path: /data}]"
    (lab / "facility.yaml").write_text(FILE.format(more=more, top="", address="10.77.0.11"))
    paths = FacilityPaths(lab / "state")
    with pytest.raises(UnsupportedError, match="process engine cannot do this: read-only host"):
        await declared_facility(
            load(lab / "facility.yaml"),
            engine=ProcessEngine("lab", paths),
            paths=paths,
            image=None,
        )
