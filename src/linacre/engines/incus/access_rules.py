"""What a gateway lets through between this host and a network that the host is not on.

It translates addresses one by one, keeping no state but from which ports was asked in UDP a while
ago: the host's own address on one side is that of the gateway on the other, and the rest of an
address stays. Nobody but the host's own programs comes in, and only what answers them comes out.
"""

from __future__ import annotations

from ipaddress import IPv4Network

from linacre.engines.model import Access

INSIDE, OUTSIDE = "in", "out"
"""The gateway's own links: into the network's bridge, and to the host."""
_ANSWER_S = 60
# Answers, and what tells of packets that were lost (RFC 792).
_ICMP = "echo-reply, destination-unreachable, time-exceeded, parameter-problem"

SETTINGS = {
    "ip_forward": 1,
    # A search that was sent to all of a network goes to all of the other.
    "conf/all/bc_forwarding": 1,
    f"conf/{OUTSIDE}/bc_forwarding": 1,
    # It answers for every address that it translates, at once.
    f"conf/{OUTSIDE}/proxy_arp": 1,
    f"neigh/{OUTSIDE}/proxy_delay": 0,
    # What it has translated comes from its own address.
    f"conf/{OUTSIDE}/accept_local": 1,
    f"conf/{OUTSIDE}/send_redirects": 0,
    "conf/all/send_redirects": 0,
    "conf/all/rp_filter": 0,
    f"conf/{INSIDE}/rp_filter": 0,
    f"conf/{OUTSIDE}/rp_filter": 0,
    # Of its own addresses it tells each side its own.
    f"conf/{INSIDE}/arp_ignore": 1,
}
"""Of the gateway's namespace, below /proc/sys/net/ipv4."""


def _moved(field: str, to: IPv4Network) -> str:
    """Return the order that puts an address of one network to its place in another of its size."""
    return f"ip {field} set ip {field} & {to.hostmask} | {to.network_address}"


def gateway_rules(subnet: IPv4Network, access: Access) -> str:
    """Return nftables' text for the namespace of the gateway of a network.

    Raises `ValueError` where the two networks are not of one size.
    """
    if subnet.prefixlen != access.subnet.prefixlen:
        raise ValueError(f"{subnet} and {access.subnet} are not of one size")
    host, gateway = access.host_address, access.gateway
    return f"""\
table ip access {{
  set asked {{ type inet_service; size 65535; flags dynamic, timeout; timeout {_ANSWER_S}s; }}
  chain prerouting {{
    type filter hook prerouting priority -300; policy drop;
    iifname "{OUTSIDE}" ip saddr {host} ip daddr {access.subnet} goto asking
    iifname "{INSIDE}" ip saddr {subnet} ip daddr {{ {gateway}, {host} }} goto answering
  }}
  chain asking {{
    meta l4proto udp update @asked {{ udp sport }}
    ip saddr set {gateway}
    {_moved("daddr", subnet)}
    accept
  }}
  chain answering {{
    ip saddr {gateway} drop
    tcp flags & (syn | ack) == syn drop
    meta l4proto udp udp dport != @asked drop
    ip protocol icmp icmp type != {{ {_ICMP} }} drop
    ip protocol != {{ tcp, udp, icmp }} drop
    ip daddr set {host}
    {_moved("saddr", access.subnet)}
    accept
  }}
  chain input {{ type filter hook input priority 0; policy drop; }}
  chain output {{ type filter hook output priority 0; policy drop; }}
}}
"""
