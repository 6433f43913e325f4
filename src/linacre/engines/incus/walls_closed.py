"""Walls between this host and networks that it is not on: sandboxes.

A host answers ARP for each of its addresses on each of its bridges, and takes what is sent there to
them: a machine of a closed network could take the host for its gateway. So the host hears nothing
of such a network, and says nothing but a question of ours (`arp.owners`).
"""

from __future__ import annotations

from collections.abc import Iterable

ASKING = "arp"
"""The family of the table that holds the host's questions and answers for addresses."""
CLOSED = "closed"
"""The set, in that table and in that of gates, of the bridges of such networks."""


def asking_rules(bridges: Iterable[str]) -> str:
    """Return the chains, in a table of the arp family, that keep the host from answering."""
    return f"""\
{closed_set(bridges)}
  chain input {{
    type filter hook input priority -350; policy accept;
    iifname @{CLOSED} arp operation != reply drop
  }}
  chain output {{
    type filter hook output priority -350; policy accept;
    oifname @{CLOSED} arp operation != request drop
  }}
}}
"""


def closed_set(bridges: Iterable[str]) -> str:
    """Return the set of closed bridges for either table."""
    names = ", ".join(f'"{bridge}"' for bridge in bridges)
    elements = f" elements = {{ {names} }};" if names else ""
    return f"  set {CLOSED} {{ type ifname;{elements} }}"


PACKET_RULES = f"""\
  chain closed_input {{
    type filter hook input priority -352; policy accept;
    iifname @{CLOSED} drop
  }}
  chain closed_output {{
    type filter hook output priority -352; policy accept;
    oifname @{CLOSED} drop
  }}
  chain closed_forward {{
    type filter hook forward priority -352; policy accept;
    iifname . oifname @within accept
    iifname @{CLOSED} drop
    oifname @{CLOSED} drop
  }}
"""
"""The chains, in the table of gates, that pass no packet between a closed bridge and the host."""
