"""The walls of a facility as nftables' text: what cables may carry, what bridges let through.

There are three tables of one name. That of the bridge family looks at frames between a machine and
its bridge, by the cable's name. That of the ip family looks at packets that the host itself takes
or forwards, by the bridge's name and the machine's address, which the other has made sure of: what
passes is opened one by one. On a network with an uplink the site's own computers are no machines.
The third, of the arp family, is for networks that the host is not on (`walls_closed`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address

from linacre.engines.incus.walls_closed import ASKING, PACKET_RULES, asking_rules, closed_set
from linacre.engines.incus.walls_parts import Gate, Port

CABLES, GATES = "bridge", "ip"
"""The families of two of the tables; the third's is `ASKING`."""
_BROADCASTS_A_SECOND, _BURST = 2000, 4000
_EPICS_TCP, _EPICS_UDP = "5064, 5075", "5064, 5065, 5075, 5076"
"""Channel Access with its repeater's port, and pvAccess: servers of either may be on the host."""

DROPPED = {
    "foreign_mac": "with another's MAC address",
    "foreign_address": "with another's IP address",
    "foreign_kind": "that are neither IP nor ARP",
    "too_many": f"of broadcast beyond {_BROADCASTS_A_SECOND} a second",
}
"""The sets that count what a cable's machine sent and was dropped, and the words for it."""
STOPPED = {
    "to_elsewhere": "to other networks",
    "to_host": "to programs of the host",
}
"""The sets that count, by a machine's address, what a bridge did not let through."""
_GATE_SETS = {
    "bridges": "type ifname",
    "within": "type ifname . ifname",
    "gates": "type ifname . ipv4_addr",
    "opened": "type ifname . ipv4_addr . inet_proto . inet_service; flags interval",
    "answered": "type ifname . ipv4_addr; flags interval",
    "sources": "type ifname . ipv4_addr; flags interval",
}
"""Bridges, each with itself, with the addresses of the host, with where machines may begin
connections to, with whom they answer, and with who may send to them through the host."""
_ANSWER_S = 60
_ASKED_SETS = {
    "asked": "type ifname . ipv4_addr . inet_service",
    "called": "type ifname . inet_service",
    "asked_through": "type ipv4_addr . ipv4_addr . inet_service",
}
"""From which ports was asked in UDP of late: by the host of one, of all, and through the host."""


def table_name(facility: str) -> str:
    """Return the name of a facility's table: nftables takes fewer letters than we do."""
    return f"linacre_{hashlib.sha256(facility.encode()).hexdigest()[:10]}"


def port_elements(ports: Iterable[Port]) -> Mapping[str, list[str]]:
    """Return the elements of the sets that cables stand in."""
    there = list(ports)
    return {
        "ports": [f'"{p.link}"' for p in there],
        "macs": [f'"{p.link}" . {p.mac}' for p in there],
        "addresses": [f'"{p.link}" . {p.address}' for p in there],
    }


MACHINES = "machines"
"""The set, in the table of gates, of the addresses of machines."""


def _laid(elements: Iterable[str]) -> str:
    found = ", ".join(elements)
    return f" elements = {{ {found} }};" if found else ""


def ruleset(table: str, ports: Iterable[Port], gates: Iterable[Gate]) -> str:
    """Return nftables' text that lays the walls of a facility anew, in one transaction."""
    there, known = list(ports), list(gates)
    closed = [gate.bridge for gate in known if gate.network.is_closed]
    asking = f"{_begun(ASKING, table)}\n{asking_rules(closed)}"
    machines = {port.address for port in there}
    return _cables(table, there) + asking + _gates(table, known, machines, closed)


def _begun(family: str, table: str) -> str:
    return f"add table {family} {table}\ndelete table {family} {table}\ntable {family} {table} {{"


def _counting(names: Iterable[str], key: str) -> str:
    each = f"type {key}; size 65535; flags dynamic; counter;"
    return "\n".join(f"  set {name} {{ {each} }}" for name in names)


def _cables(table: str, ports: Iterable[Port]) -> str:
    """Return the table that holds each cable to its addresses.

    A machine may send from its own addresses, and say by ARP that they are its own; it gets what
    is sent to them, and broadcasts. ARP without an address of the sender asks whether an address
    is free (RFC 5227), and may ask for its own alone. IPv6 is off, and not counted: every kernel
    sends some by itself.
    """
    each = {name: _laid(found) for name, found in port_elements(ports).items()}
    drop = {name: f"update @{name} {{ iifname }} drop" for name in DROPPED}
    group = "ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00"
    rate = f"limit rate over {_BROADCASTS_A_SECOND}/second burst {_BURST} packets"
    return f"""\
{_begun(CABLES, table)}
  set ports {{ type ifname;{each["ports"]} }}
  set macs {{ type ifname . ether_addr;{each["macs"]} }}
  set addresses {{ type ifname . ipv4_addr;{each["addresses"]} }}
  set rates {{ type ifname; size 65535; flags dynamic; }}
{_counting(DROPPED, "ifname")}
  chain leaving {{
    iifname . ether saddr != @macs {drop["foreign_mac"]}
    {group} update @rates {{ iifname {rate} }} {drop["too_many"]}
    ether type ip iifname . ip saddr @addresses accept
    ether type ip {drop["foreign_address"]}
    ether type arp jump leaving_arp
    ether type ip6 drop
    {drop["foreign_kind"]}
  }}
  chain leaving_arp {{
    iifname . arp saddr ether != @macs {drop["foreign_mac"]}
    iifname . arp saddr ip @addresses accept
    arp saddr ip 0.0.0.0 iifname . arp daddr ip @addresses accept
    {drop["foreign_address"]}
  }}
  chain entering {{
    {group} ether type {{ ip, arp }} accept
    oifname . ether daddr @macs ether type arp accept
    oifname . ether daddr @macs ether type ip oifname . ip daddr @addresses accept
    drop
  }}
  chain prerouting {{
    type filter hook prerouting priority -350; policy accept;
    iifname @ports jump leaving
  }}
  chain postrouting {{
    type filter hook postrouting priority 350; policy accept;
    oifname @ports jump entering
  }}
}}
"""


def _gates(
    table: str, gates: Iterable[Gate], machines: Iterable[IPv4Address], closed: Iterable[str]
) -> str:
    """Return the table that keeps networks apart, and machines from what the host serves.

    No connections are tracked, so that no machine can fill the host's table of them: who begins one
    is told by TCP's SYN, and what answers in UDP by what was asked from its port a while ago.
    """
    of_gates = [gate.elements() for gate in gates]
    sets = "\n".join(
        f"  set {name} {{ {kind};{_laid(e for found in of_gates for e in found[name])} }}"
        for name, kind in _GATE_SETS.items()
    )
    asked = "\n".join(
        f"  set {name} {{ {kind}; size 65535; flags dynamic, timeout; timeout {_ANSWER_S}s; }}"
        for name, kind in _ASKED_SETS.items()
    )
    stop = {name: f"update @{name} {{ ip saddr }} drop" for name in STOPPED}
    # Answers, and what tells of packets that were lost (RFC 792).
    icmp = "echo-reply, destination-unreachable, time-exceeded, parameter-problem"
    everybody = "255.255.255.255, 224.0.0.0/4"
    return f"""\
{_begun(GATES, table)}
  set {MACHINES} {{ type ipv4_addr;{_laid(map(str, sorted(machines)))} }}
{sets}
{asked}
{closed_set(closed)}
{_counting(STOPPED, "ipv4_addr")}
  chain answering {{
    tcp flags & (syn | ack) != syn accept
    icmp type {{ {icmp} }} accept
  }}
  chain taken {{
    iifname . ip daddr . ip protocol . th dport @opened accept
    iifname . ip daddr @gates goto programs
    ip daddr {{ {everybody} }} goto programs
    {stop["to_host"]}
  }}
  chain programs {{
    jump answering
    iifname . ip saddr . udp dport @asked accept
    iifname . udp dport @called accept
    icmp type echo-request accept
    ip protocol igmp accept
    tcp dport {{ {_EPICS_TCP} }} accept
    udp dport {{ {_EPICS_UDP} }} accept
    {stop["to_host"]}
  }}
  chain asking {{
    oifname . ip daddr @gates update @called {{ oifname . udp sport }} return
    ip daddr {{ {everybody} }} update @called {{ oifname . udp sport }} return
    update @asked {{ oifname . ip daddr . udp sport }}
  }}
  chain led {{
    iifname . ip daddr . ip protocol . th dport @opened goto opened
    iifname . ip daddr @answered jump answering
    iifname . ip daddr @answered ip daddr . ip saddr . udp dport @asked_through accept
    {stop["to_elsewhere"]}
  }}
  chain opened {{
    update @asked_through {{ ip saddr . ip daddr . udp sport }}
    accept
  }}
  chain input {{
    type filter hook input priority -350; policy accept;
    iifname @bridges ip saddr @machines jump taken
  }}
  chain output {{
    type filter hook output priority -350; policy accept;
    oifname @bridges meta l4proto udp jump asking
  }}
  chain forward_from {{
    type filter hook forward priority -351; policy accept;
    iifname . oifname @within accept
    iifname @bridges ip saddr @machines jump led
  }}
  chain forward_to {{
    type filter hook forward priority -350; policy accept;
    iifname . oifname @within accept
    oifname @bridges oifname . ip saddr != @sources drop
  }}
{PACKET_RULES}}}
"""
