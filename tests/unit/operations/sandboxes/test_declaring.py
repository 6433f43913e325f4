"""The facility file of a sandbox: what it keeps of its facility's, and what it leaves out."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from linacre.base.errors import LinacreError, UserError
from linacre.catalogue.model import State
from linacre.declaration.load import Declaration, load
from linacre.declaration.models import ARCHIVERS, IOCS, SERVICES
from linacre.engines.base import Machine, MachineState
from linacre.kinds.ioc.file_tree import TreeFile
from linacre.operations.history.kept_files import KeptFiles
from linacre.operations.history.states import found_draft, keep_tree
from linacre.operations.sandboxes.copying import copied_ioc, copies_of, lay_anew
from linacre.operations.sandboxes.declaring import Chosen, chosen, sandbox_text, used_networks
from linacre.operations.sandboxes.subnets import POOL, free_subnets

EXAMPLE = Path(__file__).parents[4] / "examples/clara/facility.yaml"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJxyBjFyBmSd7rrsXyL7MmBGIVFz0Dum5DLY3oK7ZlJX me"
TEXT = f"""\
facility: lab
engine: process
autostart: true
networks:
  controls: {{subnet: 10.9.0.0/24, routes: [{{to: office}}]}}
  office: {{subnet: 10.9.1.0/24}}
access: {{ssh_keys: [{KEY}]}}
defaults: {{ioc: {{area: S02, environment: {{IOC_PASSWORD: geheim}}}}}}
iocs:
  mag: {{kind: softioc, source: mag, address: 10.9.0.11, network: controls, after: [bpm]}}
  bpm: {{kind: softioc, source: mag, address: 10.9.0.12, network: controls, area: S01,
    devices: [{{path: /dev/ttyS0}}], persistent: [data]}}
services:
  log: {{command: [x], address: 10.9.1.51, network: office, files: {{/etc/x.conf: x.conf}}}}
archivers:
  drift: {{address: 10.9.1.71, network: office, pvs: [A]}}
"""


@pytest.fixture
def declaration(tmp_path: Path) -> Declaration:
    folder = tmp_path / "lab"
    (folder / "mag").mkdir(parents=True)
    (folder / "mag/st.cmd").write_text("iocInit\n")
    (folder / "x.conf").write_text("x\n")
    (folder / "facility.yaml").write_text(TEXT)
    return load(folder / "facility.yaml")


def state_of(declaration: Declaration, name: str, kept: KeptFiles) -> State:
    """Return the state that an IOC has once it is up."""
    tree = {"st.cmd": TreeFile(0o644, b"iocInit\n")}
    machine = Machine(name, "ioc", MachineState.RUNNING, "host", {})
    draft = found_draft(declaration, name, machine, tree)
    return State(
        ioc=name,
        verb="up",
        task_id=None,
        user="me",
        at=0.0,
        source="",
        revision="",
        digest="",
        settings=draft.settings,
        files=keep_tree(draft.tree, kept),
        number=1,
    )


def sandbox_of(declaration: Declaration, folder: Path, parts: Chosen) -> Declaration:
    """Return what the facility file of a sandbox declares."""
    kept = KeptFiles(folder / "files")
    states = {name: state_of(declaration, name, kept) for name in parts.names[IOCS.key]}
    written = {"bpm": {"data/set.sav": TreeFile(0o644, b"4\n")}}
    copies = copies_of(declaration, kept, parts, states, written)
    networks = used_networks(declaration.facility, parts)
    wanted = [each.subnet for each in networks.values()]
    access = dict(zip(networks, free_subnets(wanted, taken=[], name="x"), strict=True))
    text = sandbox_text(
        declaration.facility,
        name="lab.one",
        access=access,
        entries={k: {n: c.entry for n, c in each.items()} for k, each in copies.items()},
    )
    files = {p: f for each in copies.values() for c in each.values() for p, f in c.files.items()}
    lay_anew(folder / "declared", files | {"facility.yaml": TreeFile(0o600, text.encode())})
    return load(folder / "declared/facility.yaml")


def test_a_sandbox_declares_the_same_machines(declaration: Declaration, tmp_path: Path) -> None:
    parts = chosen(declaration.facility, (), without=(ARCHIVERS.key,))
    made = sandbox_of(declaration, tmp_path, parts)
    facility = made.facility
    assert facility.facility == "lab.one"
    assert not facility.autostart
    assert facility.engine.kind == "incus"
    assert facility.access == declaration.facility.access
    assert {n: i.address for n, i in facility.programs.items()} == {
        "mag": IPv4Address("10.9.0.11"),
        "bpm": IPv4Address("10.9.0.12"),
        "log": IPv4Address("10.9.1.51"),
    }
    mag, theirs = facility.iocs["mag"], declaration.facility.iocs["mag"]
    assert mag.environment == theirs.environment == {"IOC_PASSWORD": "geheim"}
    assert (mag.area, mag.after) == ("S02", ("bpm",))
    assert (made.folder / "iocs/mag/st.cmd").read_text() == "iocInit\n"
    assert (made.folder / "iocs/bpm/data/set.sav").read_text() == "4\n"
    assert (made.folder / "files/log/etc/x.conf").read_text() == "x\n"


def test_no_network_of_a_sandbox_has_the_host_on_it(
    declaration: Declaration, tmp_path: Path
) -> None:
    made = sandbox_of(declaration, tmp_path, chosen(declaration.facility, ()))
    for name, network in made.facility.networks.items():
        theirs = declaration.facility.networks[name]
        assert network.host_address is None
        assert network.gateway == theirs.host_address
        assert network.routes == ()
        assert network.access is not None and network.access.subnet_of(POOL)


def test_hardware_is_left_out_and_said(declaration: Declaration, tmp_path: Path) -> None:
    kept = KeptFiles(tmp_path / "files")
    copied = copied_ioc(declaration, state_of(declaration, "bpm", kept), kept, persistent={})
    assert copied.without == ("devices",)
    assert "devices" not in copied.entry


def test_a_part_is_chosen_by_area_or_name(declaration: Declaration, tmp_path: Path) -> None:
    parts = chosen(declaration.facility, ("S02",))
    assert parts.names == {IOCS.key: {"mag"}}
    made = sandbox_of(declaration, tmp_path, parts)
    assert [*made.facility.networks] == ["controls"]
    assert made.facility.iocs["mag"].after == ()
    assert chosen(declaration.facility, ("mag", "log")).names == {
        IOCS.key: {"mag"},
        SERVICES.key: {"log"},
    }
    with pytest.raises(UserError, match="no IOC and no area S9; its areas: S01, S02"):
        chosen(declaration.facility, ("S9",))
    with pytest.raises(UserError, match="there would be no IOC in the sandbox"):
        chosen(declaration.facility, ("log",))


def test_subnets_overlap_nothing_that_is_there() -> None:
    wanted = [IPv4Network("10.61.2.0/24"), IPv4Network("10.250.0.0/16")]
    first = free_subnets(wanted, taken=[], name="x")
    again = free_subnets(wanted, taken=first, name="x")
    assert [each.prefixlen for each in first] == [24, 16]
    everything = [*first, *again, *wanted]
    assert not any(a.overlaps(b) for n, a in enumerate(everything) for b in everything[:n])
    with pytest.raises(LinacreError, match=r"no subnet of 10\.192\.0\.0/10"):
        free_subnets([IPv4Network("10.0.0.0/9")], taken=[], name="x")
