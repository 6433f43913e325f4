"""Machines of services: what each is made of, and what a change of its declaration asks for."""

from __future__ import annotations

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
    AFTER,
    IMAGE,
    NIC_DIGEST,
    PORTS,
    PROGRAM_DIGEST,
    SETTINGS_DIGEST,
)
from linacre.engines.process.engine import ProcessEngine
from linacre.images.recipe import Recipe
from linacre.kinds.image import facility_images
from linacre.planning.plan import Action, Found, make_plan
from linacre.planning.specs import Declared, declared_facility
from linacre.planning.twin_overrides import override_twins

FILE = """\
facility: lab
networks: {{controls: {{subnet: 10.77.0.0/24}}}}
iocs:
  power: {{kind: python, module: m, address: 10.77.0.11, after: [db]}}
services:
  db:
    address: 10.77.0.12
    packages: {packages}
    command: {command}
    ports: {ports}
    volumes: [/var/lib/mysql]
    files: {{/etc/db.conf: {{content: "{content}", mode: "0600"}}}}
{more}
  tool: {{address: 10.77.0.13, command: sleep infinity, after: [power, db]{tool}}}
"""
PLAIN = {
    "packages": "[mariadb-server]",
    "command": "mariadbd",
    "ports": "[3306/tcp]",
    "content": "x",
    "more": "",
    "tool": "",
}
ALL = (PROGRAM_DIGEST, ACCESS_DIGEST, SETTINGS_DIGEST, NIC_DIGEST)


def paths(lab: Path) -> FacilityPaths:
    return FacilityPaths(lab / "state")


async def declared(lab: Path, *, process: bool = False, **given: str) -> Declared:
    (lab / "facility.yaml").write_text(FILE.format(**PLAIN | given))
    engine: Engine = IncusEngine("lab", paths(lab), IncusSettings())
    if process:
        engine = ProcessEngine("lab", paths(lab))
    return await declared_facility(
        load(lab / "facility.yaml"),
        engine=engine,
        paths=paths(lab),
        image=None if process else Recipe.load().digest(),
    )


async def db(lab: Path, **given: str) -> MachineSpec:
    return (await declared(lab, **given)).machine("db")


def differing(one: MachineSpec, other: MachineSpec) -> set[str]:
    return {name for name in ALL if one.labels[name] != other.labels[name]}


async def test_a_service_is_a_machine_with_its_files_and_scripts(tmp_path: Path) -> None:
    spec = await db(tmp_path)
    laid = {str(file.path): file for file in spec.payload.files}
    assert spec.kind == "service"
    assert laid["/etc/db.conf"].data == b"x"
    assert laid["/etc/db.conf"].mode == 0o600
    assert laid["/etc/db.conf"].part is Part.PROGRAM
    assert {"/srv/service", "/etc/linacre/start", "/etc/linacre/run"} <= laid.keys()
    assert spec.payload.replaces == (PurePosixPath("/srv/service"), PurePosixPath("/etc/linacre"))
    assert (spec.labels[PORTS], spec.labels[AFTER]) == ("3306/tcp", "")


async def test_what_a_change_asks_for(tmp_path: Path) -> None:
    before = await db(tmp_path)
    assert differing(before, await db(tmp_path)) == set()
    assert differing(before, await db(tmp_path, content="y")) == {PROGRAM_DIGEST}
    assert differing(before, await db(tmp_path, command="[mariadbd, -v]")) == {PROGRAM_DIGEST}
    assert differing(before, await db(tmp_path, ports="[3307/tcp]")) == {SETTINGS_DIGEST}
    assert differing(before, await db(tmp_path, more="    owner: somebody")) == set()
    packages = await db(tmp_path, packages="[mariadb-server, less]")
    assert differing(before, packages) == set()
    assert packages.image == before.image
    assert (await db(tmp_path, packages="[dnsmasq]")).labels[IMAGE] != before.labels[IMAGE]


async def test_one_image_for_one_set_of_packages(tmp_path: Path) -> None:
    found = await declared(tmp_path, tool=", packages: [mariadb-server]")
    base = Recipe.load()
    assert found.machine("tool").image == found.machine("db").image
    assert found.machine("power").image == base.digest()
    digests = [recipe.digest() for recipe in facility_images(load(tmp_path / "facility.yaml"))]
    assert digests == [base.digest(), found.machine("db").image]
    plain = await declared(tmp_path)
    assert plain.machine("tool").image == base.digest()


async def test_each_image_is_made_ready_and_services_start_in_order(tmp_path: Path) -> None:
    found = await declared(tmp_path)
    plan = make_plan(override_twins(found, {}, {}).declared, Found(), digest="x")
    images = [step.title for step in plan.steps if step.action is Action.IMAGE]
    assert images == ["have the image ready", "have the image of db ready"]
    after = {step.key: set(step.after) for step in plan.steps}
    assert "start db" in after["start power"]
    assert {"start power", "start db"} <= after["start tool"]
    assert f"image {found.machine('db').image}" in after["create db"]


async def test_the_process_engine_refuses_a_service_and_says_what_would_serve(
    tmp_path: Path,
) -> None:
    with pytest.raises(UnsupportedError) as caught:
        await declared(tmp_path, process=True)
    assert str(caught.value) == (
        "the process engine cannot do this: services: any program, with Debian packages and "
        f"files of its own; services.db ({tmp_path}/facility.yaml:6) needs the incus engine; "
        "with `optional: true` it is left out where there is none"
    )


async def test_optional_services_are_left_out_and_nothing_waits_for_them(tmp_path: Path) -> None:
    optional = {"more": "    optional: true", "tool": ", optional: true"}
    found = await declared(tmp_path, process=True, **optional)
    assert found.left_out == ("db", "tool")
    assert {spec.name for spec in found.machines} == {"power", "desk-controls"}
    assert found.after == {"power": ()}
    everything = await declared(tmp_path, **optional)
    assert everything.left_out == ()
