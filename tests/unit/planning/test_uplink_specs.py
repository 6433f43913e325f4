"""A network with an uplink: what is made of it, and which engines make none."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from linacre.base.errors import UnsupportedError, UserError
from linacre.base.paths import FacilityPaths
from linacre.declaration.load import load
from linacre.engines.base import Engine, NetworkSpec
from linacre.engines.incus.client import Remote
from linacre.engines.incus.connection import IncusSettings
from linacre.engines.incus.engine import IncusEngine
from linacre.engines.incus.machines import network_config
from linacre.engines.labels import NIC_DIGEST, network_record, recorded_networks
from linacre.engines.process.engine import ProcessEngine
from linacre.planning.specs import Declared, declared_facility, network_spec

SITE = "uplink: lt-none, desk_address: 10.9.0.250"


async def declared(folder: Path, network: str, engine: Engine | None = None) -> Declared:
    file = folder / "facility.yaml"
    file.write_text(f"facility: lab\nnetworks:\n  controls: {{subnet: 10.9.0.0/24, {network}}}\n")
    paths = FacilityPaths(folder / "state")
    engine = engine or IncusEngine("lab", paths, IncusSettings())
    return await declared_facility(load(file), engine=engine, paths=paths, image="image")


async def test_a_missing_interface_is_told_with_its_place_in_the_file(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        await declared(tmp_path, SITE)
    assert str(caught.value).startswith(
        f"{tmp_path}/facility.yaml:3: networks.controls.uplink: "
        "there is no interface lt-none on this host; write "
    )


async def test_engines_without_uplinks_say_so(tmp_path: Path) -> None:
    paths = FacilityPaths(tmp_path / "state")
    remote = Remote(url="https://srv1:8443", certificate=tmp_path / "c", key=tmp_path / "k")
    engines = [
        ProcessEngine("lab", paths),
        IncusEngine("lab", paths, IncusSettings(remote=remote)),
    ]
    for engine in engines:
        with pytest.raises(UnsupportedError, match="take uplink out of controls, or use the incus"):
            await declared(tmp_path, SITE, engine)


async def test_the_host_has_no_address_on_the_sites_network(tmp_path: Path) -> None:
    (tmp_path / "facility.yaml").write_text(
        "facility: lab\n"
        "networks:\n"
        f"  controls: {{subnet: 10.9.0.0/24, {SITE}}}\n"
        "  own: {subnet: 10.10.0.0/24}\n"
    )
    facility = load(tmp_path / "facility.yaml").facility
    config = network_config(network_spec(facility, "controls"), facility="lab")
    assert config["ipv4.address"] == "none"
    assert config["user.linacre.uplink"] == "lt-none"
    assert config["user.linacre.subnet"] == "10.9.0.0/24"
    own = network_config(network_spec(facility, "own"), facility="lab")
    assert own["ipv4.address"] == "10.10.0.1/24"
    assert own["user.linacre.uplink"] == ""


async def test_a_router_of_its_own_is_what_machines_are_started_with(tmp_path: Path) -> None:
    before, same, other = [
        (await declared(tmp_path, network)).machine("desk-controls")
        for network in ("", "gateway: 10.9.0.1", "gateway: 10.9.0.254")
    ]
    assert before.gateway == IPv4Address("10.9.0.1")
    assert other.gateway == IPv4Address("10.9.0.254")
    settings = next(f for f in other.payload.files if f.path.name == "network")
    assert b"GATEWAY=10.9.0.254\n" in (settings.data or b"")
    assert before.labels[NIC_DIGEST] == same.labels[NIC_DIGEST] != other.labels[NIC_DIGEST]


async def test_routes_are_kept_in_the_record_as_they_are_made(tmp_path: Path) -> None:
    file = tmp_path / "facility.yaml"
    file.write_text(
        "facility: lab\nnetworks:\n"
        "  controls: {subnet: 10.9.0.0/24}\n"
        "  office:\n    subnet: 10.9.1.0/24\n    routes:\n"
        "      - {to: controls, ports: [5064/tcp, 5064/udp]}\n"
        "      - {to: host, ports: [5432/tcp]}\n"
        "  visitors: {subnet: 10.9.2.0/24, routes: [{to: controls}]}\n"
    )
    facility = load(file).facility
    made = [network_spec(facility, name) for name in facility.networks]
    controls, office, _ = made
    assert controls.answers == (IPv4Network("10.9.1.0/24"), IPv4Network("10.9.2.0/24"))
    assert [(str(way.to), way.ports) for way in office.ways] == [
        ("10.9.0.0/24", ("5064/tcp", "5064/udp")),
        ("10.9.1.1/32", ("5432/tcp",)),
    ]
    assert [*recorded_networks(dict(map(network_record, made)))] == made
    assert network_record(NetworkSpec("x", IPv4Network("10.9.0.0/24"), None)) == (
        "network.x",
        "10.9.0.0/24 -",
    )
