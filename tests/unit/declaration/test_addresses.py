"""Rules for MAC addresses, and the order in which IOCs start."""

from __future__ import annotations

import itertools
import re
from graphlib import CycleError
from ipaddress import IPv4Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linacre.declaration.models import Facility
from linacre.declaration.order import cycles, dependency_order
from linacre.kinds.addresses import mac_address


def facility(iocs: dict[str, dict[str, Any]], **networks: str) -> Facility:
    return Facility.model_validate(
        {
            "facility": "test",
            "networks": {n: {"subnet": s} for n, s in networks.items()},
            "iocs": {n: {"kind": "python", "module": "x", **i} for n, i in iocs.items()},
        }
    )


def test_mac_address_is_stable_and_local() -> None:
    mac = mac_address("clara", IPv4Address("10.61.2.11"))
    assert mac == "02:c4:79:44:fd:72"
    assert mac != mac_address("clara", IPv4Address("10.61.2.12"))
    assert mac != mac_address("vela", IPv4Address("10.61.2.11"))


@given(st.ip_addresses(v=4), st.text("abc-", min_size=1, max_size=63))
def test_mac_address_is_unicast_and_locally_administered(address: IPv4Address, name: str) -> None:
    mac = mac_address(name, address)
    assert re.fullmatch("02(:[0-9a-f]{2}){5}", mac)


def test_dependency_order_is_in_batches() -> None:
    made = facility(
        {
            "d": {"address": "10.1.2.6", "after": ["b", "c"]},
            "c": {"address": "10.1.2.5", "after": ["a"]},
            "b": {"address": "10.1.2.4", "after": ["a"]},
            "a": {"address": "10.1.2.3"},
            "e": {"address": "10.1.2.7"},
        },
        x="10.1.2.0/24",
    )
    assert dependency_order(made) == [["a", "e"], ["b", "c"], ["d"]]


def test_dependency_order_of_none() -> None:
    assert dependency_order(facility({}, x="10.1.2.0/24")) == []


def test_cycles_are_written_in_the_order_of_after() -> None:
    after = {"a": ["b"], "b": ["c"], "c": ["a"], "d": ["d"], "e": ["a"]}
    assert sorted(cycles(after)) == [["a", "b", "c", "a"], ["d", "d"]]


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"))))
def test_without_the_cycles_found_there_is_an_order(after: dict[str, list[str]]) -> None:
    found = cycles(after)
    for ring in found:
        assert ring[0] == ring[-1]
        assert all(b in after[a] for a, b in itertools.pairwise(ring))
    made = {
        n: {"address": f"10.1.2.{k + 11}", "after": a} for k, (n, a) in enumerate(after.items())
    }
    if found:
        with pytest.raises(CycleError):
            dependency_order(facility(made, x="10.1.2.0/24"))
    else:
        dependency_order(facility(made, x="10.1.2.0/24"))
