"""What is laid into a desk: the names of what stands on the networks."""

from __future__ import annotations

from linacre.declaration.models import Facility, desk_name
from linacre.engines.base import Part, PayloadFile
from linacre.epics.layout import Layout
from linacre.kinds.files import text_file


def hosts_file(facility: Facility, network: str, layout: Layout) -> PayloadFile:
    """Return the hosts file of a network's desk, which knows IOCs and services by name."""
    lines = ["127.0.0.1 localhost"]
    lines.append(f"{facility.networks[network].desk_address} {desk_name(network)}")
    lines += [f"{each.address} {name}" for name, each in facility.programs.items()]
    return text_file(layout.etc / "hosts", "\n".join(lines) + "\n", part=Part.ACCESS)
