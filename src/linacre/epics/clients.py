"""How EPICS clients find servers that no broadcast reaches."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address

_PVA_PORT = 5075


def client_environment(addresses: Iterable[IPv4Address]) -> dict[str, str]:
    """Return the EPICS variables with which a client searches exactly these loopback addresses.

    pvAccess uses name servers, for its search by UDP does not work between loopback addresses.
    """
    found = [str(address) for address in sorted(addresses)]
    return {
        "EPICS_CA_ADDR_LIST": " ".join(found),
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_PVA_ADDR_LIST": "",
        "EPICS_PVA_AUTO_ADDR_LIST": "NO",
        "EPICS_PVA_NAME_SERVERS": " ".join(f"{address}:{_PVA_PORT}" for address in found),
    }
