"""Machines of archivers: what each is made of, and what a change of its declaration asks for."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from linacre.base.errors import UserError
from linacre.base.paths import FacilityPaths
from linacre.declaration.load import load
from linacre.engines.base import Engine, Machine, MachineSpec, MachineState, Part
from linacre.engines.incus.connection import IncusSettings
from linacre.engines.incus.engine import IncusEngine
from linacre.engines.labels import (
    ACCESS_DIGEST,
    IMAGE,
    LOADED_DIGEST,
    NIC_DIGEST,
    PORTS,
    PROGRAM_DIGEST,
    RELOADABLE_DIGEST,
    RUNNING_DIGEST,
    SETTINGS_DIGEST,
)
from linacre.engines.process.engine import ProcessEngine
from linacre.kinds.archiver import files as archiver_files
from linacre.kinds.archiver.patterns import archived_pvs, patterns_of
from linacre.kinds.image import archiver_recipe, base_recipe, facility_images, possible_images
from linacre.planning.plan import Action, Found, make_plan
from linacre.planning.specs import Declared, declared_facility
from linacre.planning.twin_overrides import override_twins

FILE = """\
facility: lab
networks: {{controls: {{subnet: 10.77.0.0/24}}}}
iocs:
  power: {{kind: python, module: m, address: 10.77.0.11}}
{more}
archivers:
  drift:
    address: 10.77.0.71
    owner: {owner}
    pvs: {pvs}
    until: {until}
    disk: {disk}
    limits: {limits}
"""
PLAIN = {
    "owner": "physics",
    "pvs": "['CLA-*:READI', 'pva://X', Y scan 10]",
    "until": "2026-12-24T08:00:00Z",
    "disk": "10GiB",
    "limits": "{memory: 400MiB, cpu: 1}",
    "more": "",
}
NAMES = {"CLA-*:READI": ("CLA-A:READI", "CLA-B:READI")}
ALL = (PROGRAM_DIGEST, ACCESS_DIGEST, SETTINGS_DIGEST, NIC_DIGEST, RELOADABLE_DIGEST)


async def declared(lab: Path, *, process: bool = False, **given: str) -> Declared:
    (lab / "facility.yaml").write_text(FILE.format(**PLAIN | given))
    paths = FacilityPaths(lab / "state")
    engine: Engine = IncusEngine("lab", paths, IncusSettings())
    if process:
        engine = ProcessEngine("lab", paths)
    return await declared_facility(
        load(lab / "facility.yaml"),
        engine=engine,
        paths=paths,
        image=None if process else base_recipe().digest(),
        names=NAMES,
    )


async def drift(lab: Path, *, process: bool = False, **given: str) -> MachineSpec:
    return (await declared(lab, process=process, **given)).machine("drift")


def laid(spec: MachineSpec, name: str) -> str:
    found = next(each for each in spec.payload.files if each.path.name == name)
    return (found.data or b"").decode()


def differing(one: MachineSpec, other: MachineSpec) -> set[str]:
    return {name for name in ALL if one.labels[name] != other.labels[name]}


async def test_an_archiver_is_a_machine_that_is_told_its_pvs_and_its_end(tmp_path: Path) -> None:
    spec = await drift(tmp_path)
    assert (spec.kind, spec.labels[PORTS]) == ("archiver", "17665/tcp")
    assert spec.volume_bytes == 10 << 30
    assert tomllib.loads(laid(spec, "archiver.toml")) == {
        "until": "2026-12-24T08:00:00Z",
        "pvs": ["CLA-A:READI", "CLA-B:READI", "pva://X", "Y scan 10"],
    }
    assert (
        "linacre.archiver.main run --data /srv/persist/archive --name drift --address 0.0.0.0 "
        "--port 17665 --owner physics --memory 314572800 --max-bytes 9663676416 "
        "--settings /etc/linacre/archiver.toml"
    ) in laid(spec, "run")
    assert "--reuid=ioc" in laid(spec, "run")


async def test_what_a_change_asks_for(tmp_path: Path) -> None:
    before = await drift(tmp_path)
    assert differing(before, await drift(tmp_path)) == set()
    assert differing(before, await drift(tmp_path, until="none")) == {RELOADABLE_DIGEST}
    assert differing(before, await drift(tmp_path, pvs="[X]")) == {RELOADABLE_DIGEST}
    assert differing(before, await drift(tmp_path, owner="me")) == {PROGRAM_DIGEST}
    disk = await drift(tmp_path, disk="20GiB")
    assert differing(before, disk) == {PROGRAM_DIGEST, SETTINGS_DIGEST}
    cpu = await drift(tmp_path, limits="{memory: 400MiB, cpu: 2}")
    assert differing(before, cpu) == {SETTINGS_DIGEST}


async def test_its_image_stands_on_that_of_iocs(tmp_path: Path) -> None:
    found = await declared(tmp_path)
    assert found.machine("drift").image == archiver_recipe().digest()
    assert found.machine("power").labels[IMAGE] == base_recipe().digest()
    declaration = load(tmp_path / "facility.yaml")
    assert facility_images(declaration) == [base_recipe(), archiver_recipe()]
    (tmp_path / "facility.yaml").write_text(FILE.format(**PLAIN).partition("archivers:")[0])
    without = load(tmp_path / "facility.yaml")
    assert facility_images(without) == [base_recipe()]
    assert possible_images(without) == [base_recipe(), archiver_recipe()]


def as_found(spec: MachineSpec, **labels: str) -> Machine:
    running = {
        RUNNING_DIGEST: spec.labels[PROGRAM_DIGEST],
        LOADED_DIGEST: spec.labels[RELOADABLE_DIGEST],
    }
    return Machine(
        spec.name, spec.kind, MachineState.RUNNING, "here", {**spec.labels, **running, **labels}
    )


async def steps(lab: Path, found: Machine, **given: str) -> list[str]:
    known = await declared(lab, **given)
    overridden = override_twins(known, {"drift": found}, {}).declared
    plan = make_plan(overridden, Found({"drift": found}), digest=None)
    return [step.title for step in plan.steps if step.target == "drift"]


async def test_one_that_runs_is_told_and_not_restarted(tmp_path: Path) -> None:
    found = as_found(await drift(tmp_path))
    assert await steps(tmp_path, found) == []
    assert await steps(tmp_path, found, until="none") == [
        "update drift: PVs and end",
        "tell the archiver drift its PVs and its end",
    ]
    assert await steps(tmp_path, found, owner="me", until="none") == [
        "update drift: PVs and end, files",
        "restart the archiver drift",
    ]
    # Cut short between the two.
    half = replace(found, labels={**found.labels, LOADED_DIGEST: "old"})
    assert await steps(tmp_path, half) == ["tell the archiver drift its PVs and its end"]
    stopped = replace(found, state=MachineState.STOPPED)
    assert await steps(tmp_path, stopped, until="none") == [
        "update drift: PVs and end",
        "start drift",
    ]


async def test_pruning_keeps_its_data_and_says_so(tmp_path: Path) -> None:
    found = as_found(await drift(tmp_path))
    (tmp_path / "facility.yaml").write_text(FILE.format(**PLAIN).partition("archivers:")[0])
    left = replace(await declared(tmp_path), machines=())
    plan = make_plan(left, Found({"drift": found}), digest=None, prune=True)
    removed = [step.title for step in plan.steps if step.action is Action.REMOVE]
    assert removed == ["remove drift; its data are kept"]


async def test_as_a_process_it_finds_iocs_by_their_addresses(tmp_path: Path) -> None:
    spec = await drift(tmp_path, process=True)
    assert "export EPICS_CA_ADDR_LIST=127.77.0.11\n" in laid(spec, "clients.sh")
    assert "EPICS_PVA_NAME_SERVERS=127.77.0.11:5075" in laid(spec, "clients.sh")
    assert "--address 127.77.0.71" in laid(spec, "run")
    more = await drift(
        tmp_path, process=True, more="  vac: {kind: python, module: m, address: 10.77.0.12}"
    )
    assert differing(spec, more) == {PROGRAM_DIGEST}
    assert "127.77.0.11 127.77.0.12" in laid(more, "clients.sh")
    contained = await drift(tmp_path)
    assert not [f for f in contained.payload.files if f.path.name == "clients.sh"]


async def test_as_a_process_it_needs_its_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiver_files, "find_spec", lambda name: None if name == "pyarrow" else 1)
    with pytest.raises(UserError) as caught:
        await drift(tmp_path, process=True)
    assert str(caught.value) == (
        "an archiver needs pyarrow, which this Python has not; install them with pip install "
        "'linacre[archiver]', or use the incus engine"
    )
    assert (await drift(tmp_path)).kind == "archiver"


def test_what_patterns_and_names_come_to() -> None:
    said = ("CLA-*:READI", "CLA-A:READI scan 5", "pva://CLA-*:X", "Z")
    assert patterns_of(said) == ("CLA-*:READI", "CLA-*:X")
    names = {**NAMES, "CLA-*:X": ("CLA-C:X",)}
    assert archived_pvs(said, names, protocol="ca") == (
        *("CLA-A:READI", "CLA-B:READI", "pva://CLA-C:X", "Z"),
    )
    assert archived_pvs(("A", "ca://B", "C*"), {}, protocol="pva") == ("pva://A", "ca://B")


async def test_scripts_of_a_newer_linacre_restart_nothing(tmp_path: Path) -> None:
    spec = await drift(tmp_path)
    assert {f.part for f in spec.payload.files if f.path.name in ("run", "start")} == {Part.SCRIPTS}
