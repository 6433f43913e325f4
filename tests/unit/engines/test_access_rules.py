"""The rules of a gateway: what they translate, and what they let through."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest

from linacre.engines.base import NetworkSpec
from linacre.engines.incus.access import links, namespace
from linacre.engines.incus.access_rules import gateway_rules
from linacre.engines.incus.machines import access_environment
from linacre.engines.incus.walls_parts import Gate, Port
from linacre.engines.incus.walls_rules import ruleset
from linacre.engines.labels import network_record, recorded_networks
from linacre.engines.model import Access

SUBNET = IPv4Network("10.61.2.0/24")
ACCESS = Access(IPv4Network("10.201.7.0/24"), IPv4Address("10.61.2.254"))
CLOSED = NetworkSpec("controls", SUBNET, None, access=ACCESS)


def test_the_hosts_own_address_stands_for_the_gateways() -> None:
    assert ACCESS.host_address == IPv4Address("10.201.7.254")


def test_addresses_are_translated_one_by_one() -> None:
    rules = gateway_rules(SUBNET, ACCESS)
    assert "ip saddr set 10.61.2.254\n" in rules
    assert "ip daddr set ip daddr & 0.0.0.255 | 10.61.2.0\n" in rules
    assert "ip daddr set 10.201.7.254\n" in rules
    assert "ip saddr set ip saddr & 0.0.0.255 | 10.201.7.0\n" in rules


def test_nobody_but_the_host_comes_in() -> None:
    rules = gateway_rules(SUBNET, ACCESS)
    assert "prerouting priority -300; policy drop" in rules
    entering = [line for line in rules.splitlines() if "goto asking" in line]
    assert entering == [
        '    iifname "out" ip saddr 10.201.7.254 ip daddr 10.201.7.0/24 goto asking'
    ]


def test_networks_of_two_sizes_cannot_stand_for_one_another() -> None:
    with pytest.raises(ValueError, match="not of one size"):
        gateway_rules(IPv4Network("10.61.0.0/16"), ACCESS)


def test_a_client_asks_one_address_and_nothing_else() -> None:
    assert access_environment(ACCESS) == {
        "EPICS_CA_ADDR_LIST": "10.201.7.255",
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_CA_NAME_SERVERS": "",
        "EPICS_PVA_ADDR_LIST": "10.201.7.255",
        "EPICS_PVA_AUTO_ADDR_LIST": "NO",
        "EPICS_PVA_NAME_SERVERS": "",
    }


def test_the_record_of_a_facility_tells_of_the_gateway() -> None:
    key, words = network_record(CLOSED)
    assert words == "10.61.2.0/24 - - by,10.201.7.0/24,10.61.2.254"
    assert [*recorded_networks({key: words})] == [CLOSED]


def test_names_of_links_are_short_enough_for_the_kernel() -> None:
    assert all(len(name) <= 15 for name in links("lnb-0123456789"))
    assert namespace("lnb-0123456789") == "lns-0123456789"


def test_a_host_answers_nothing_on_a_bridge_that_it_is_not_on() -> None:
    port = Port("mag", "lnv-1", "02:00:00:00:00:01", IPv4Address("10.61.2.11"))
    own = NetworkSpec("office", IPv4Network("10.61.3.0/24"), IPv4Address("10.61.3.1"))
    site = NetworkSpec("site", IPv4Network("10.61.4.0/24"), None, uplink="eth1")
    gates = [Gate("lnb-closed", CLOSED), Gate("lnb-own", own), Gate("lnb-site", site)]
    text = ruleset("linacre_x", [port], gates)
    closed = '  set closed { type ifname; elements = { "lnb-closed" }; }'
    assert text.count(closed) == 2
    asking, packets = text.split("table arp linacre_x {")[1].split("table ip linacre_x {")
    assert "iifname @closed arp operation != reply drop" in asking
    assert "iifname @closed drop" in packets
    assert "oifname @closed drop" in packets
