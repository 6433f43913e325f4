"""Networks that the host is not on, and by which subnet it reaches them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from linacre.base.errors import UnsupportedError
from linacre.base.paths import FacilityPaths
from linacre.declaration.load import Declaration, LoadError, load
from linacre.engines.model import Access
from linacre.engines.process.engine import ProcessEngine
from linacre.planning.specs import declared_facility, network_spec

CLOSED = "host_address: none, gateway: 10.9.0.1, desk_address: 10.9.0.2"


def declared(folder: Path, network: str, *, name: str = "lab") -> Declaration:
    file = folder / "facility.yaml"
    file.write_text(
        f"facility: {name}\nnetworks:\n  controls: {{subnet: 10.9.0.0/24, {network}}}\n"
    )
    return load(file)


def problem(folder: Path, network: str) -> str:
    with pytest.raises(LoadError) as caught:
        declared(folder, network)
    return str(caught.value).removeprefix(f"{folder}/facility.yaml:")


def test_a_host_may_have_no_address_on_a_network(tmp_path: Path) -> None:
    facility = declared(tmp_path, f"{CLOSED}, access: 10.201.7.0/24").facility
    made = network_spec(facility, "controls")
    assert made.host_address is None
    assert made.is_closed
    assert made.access == Access(IPv4Network("10.201.7.0/24"), IPv4Address("10.9.0.1"))


def test_a_sandbox_has_its_facilitys_name_before_its_own(tmp_path: Path) -> None:
    assert declared(tmp_path, CLOSED, name="lab.study1").facility.facility == "lab.study1"
    for wrong in ("lab.", ".study1", "lab.one.two", "lab.Study"):
        with pytest.raises(LoadError, match="is no host name"):
            declared(tmp_path, CLOSED, name=wrong)


def test_what_access_needs_is_told_with_its_place(tmp_path: Path) -> None:
    assert problem(tmp_path, "access: 10.201.7.0/24") == (
        "3: networks.controls.access: the host is on this network; write host_address: none, "
        "or no access"
    )
    assert problem(tmp_path, f"{CLOSED}, access: 10.201.0.0/16") == (
        "3: networks.controls.access: 10.201.0.0/16 is not as large as 10.9.0.0/24; "
        "write one that is"
    )
    assert problem(tmp_path, f"{CLOSED}, access: 10.9.0.0/24") == (
        "3: networks.controls.access: 10.9.0.0/24 overlaps network controls; "
        "write a subnet of its own"
    )
    lacking = "host_address: none, desk_address: 10.9.0.2, access: 10.201.7.0/24"
    assert "missing beside it: gateway" in problem(tmp_path, lacking)


async def test_an_engine_without_bridges_says_so(tmp_path: Path) -> None:
    made = declared(tmp_path, f"{CLOSED}, access: 10.201.7.0/24")
    paths = FacilityPaths(tmp_path / "state")
    with pytest.raises(UnsupportedError, match="take access out of controls"):
        await declared_facility(
            made, engine=ProcessEngine("lab", paths), paths=paths, image="image"
        )
