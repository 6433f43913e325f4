"""Names that Linacre makes from declared ones: of twins and of their networks."""

from __future__ import annotations

TWIN_ENDING = "-twin"
TWINS_ENDING = "-twins"


def other_name(ioc: str, machine: str) -> str:
    """Return the name of the other machine of an IOC."""
    twin = f"{ioc}{TWIN_ENDING}"
    return ioc if machine == twin else twin


def twins_network(network: str) -> str:
    """Return the sandbox on which the twins of a network's IOCs are tested."""
    return f"{network}{TWINS_ENDING}"


def machine_names(ioc: str) -> tuple[str, str]:
    """Return the names that the machines of an IOC may have, whichever of them is live."""
    return (ioc, other_name(ioc, ioc))
