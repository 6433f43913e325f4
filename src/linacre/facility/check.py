"""What must fit between the items of a facility file, and between it and the files beside it."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

from linacre.base.errors import UserError
from linacre.engines.process.addresses import check_distinct
from linacre.facility.document import Problem
from linacre.facility.models import (
    BinaryIoc,
    Facility,
    FolderSource,
    IncusEngine,
    Network,
    ProcessEngine,
    PythonIoc,
    SoftIoc,
    desk_name,
)
from linacre.facility.models.telling import nearest, one_of
from linacre.facility.order import cycles

AnyIoc = SoftIoc | PythonIoc | BinaryIoc


def check(facility: Facility, folder: Path, *, names: Names) -> list[Problem]:
    """Return what does not fit together; paths in the file are relative to `folder`.

    `facility` is settled and may lack items that are wrong by themselves; `names` has all.
    """
    return [
        *_networks(facility),
        *_addresses(facility),
        *_references(facility, names),
        *_machine_names(facility),
        *_cycles(facility),
        *_sources(facility, folder),
        *_access_files(facility, folder),
        *_engine_files(facility, folder),
        *_loopback(facility),
    ]


class Names:
    """The names that the file gives, those of items that are wrong by themselves included."""

    def __init__(self, *, hosts: list[str], networks: list[str], iocs: list[str]) -> None:
        self.hosts = hosts
        self.networks = networks
        self.iocs = iocs


def free_address(facility: Facility, network: Network) -> IPv4Address | None:
    """Return an address of a network that nothing has; from the eleventh on, if it has so many."""
    taken = {ioc.address for ioc in facility.iocs.values()}
    taken |= {network.host_address, network.gateway, network.desk_address}
    size = min(network.subnet.num_addresses, 4096)
    order = [*range(min(11, size - 2), size - 1), *range(1, min(11, size - 2))]
    return next((network.subnet[n] for n in order if network.subnet[n] not in taken), None)


def address_advice(facility: Facility, network: Network) -> str:
    """Return what to write instead of an address that is wrong."""
    free = free_address(facility, network)
    return f"write one of {network.subnet}" + (f", such as {free}" if free else "")


def _networks(facility: Facility) -> Iterator[Problem]:
    seen: dict[str, Network] = {}
    for name, network in facility.networks.items():
        path = ("networks", name, "subnet")
        for other, earlier in seen.items():
            if network.subnet.overlaps(earlier.subnet):
                yield Problem(
                    path,
                    f"{network.subnet} overlaps network {other} ({earlier.subnet}); "
                    "write a subnet of its own",
                )
        seen[name] = network
        yield from _network_addresses(name, network, facility)
    yield from _uplinks(facility)


def _network_addresses(name: str, network: Network, facility: Facility) -> Iterator[Problem]:
    path, advice = ("networks", name), address_advice(facility, network)
    own = {"host_address": network.host_address}
    if network.gateway != network.host_address:
        own["gateway"] = network.gateway
    if needs_desk_address(network):
        message = f"missing; with an uplink, write one of {network.subnet} that the site keeps free"
        yield Problem((*path, "desk_address"), message)
    else:
        own["desk_address"] = network.desk_address
    for key, address in own.items():
        if address is not None and (wrong := _unfit(address, network)) is not None:
            yield Problem((*path, key), f"{address} {wrong}; {advice}")
    for key, whose in (("host_address", "the host's"), ("gateway", "the gateway's")):
        if own.get(key) is not None and own[key] == own.get("desk_address"):
            message = f"{network.desk_address} is also {whose}; {advice}"
            yield Problem((*path, "desk_address"), message)
            return


def needs_desk_address(network: Network) -> bool:
    """Tell whether a network lacks its desk's address: on the site's, none can be assumed free."""
    return network.uplink is not None and "desk_address" not in network.model_fields_set


def _uplinks(facility: Facility) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for name, network in facility.networks.items():
        if network.uplink is None:
            continue
        if (other := seen.setdefault(network.uplink, name)) != name:
            message = f"{network.uplink} is the uplink of network {other}; write another, or none"
            yield Problem(("networks", name, "uplink"), message)


def _unfit(address: IPv4Address, network: Network) -> str | None:
    """Return why an address cannot be a machine's on a network, or None."""
    if address not in network.subnet:
        return f"is outside {network.subnet}"
    if address == network.subnet.network_address:
        return f"is the network address of {network.subnet}"
    if address == network.subnet.broadcast_address:
        return f"is the broadcast address of {network.subnet}"
    return None


def _addresses(facility: Facility) -> Iterator[Problem]:
    owners: dict[IPv4Address, str] = {}
    for name, network in facility.networks.items():
        if network.gateway is not None:
            owners[network.gateway] = f"the gateway of network {name}"
        if network.host_address is not None:
            owners[network.host_address] = f"the host on network {name}"
        if not needs_desk_address(network):
            owners[network.desk_address] = f"{desk_name(name)}, the desk of network {name}"
    for name, ioc in facility.iocs.items():
        network = facility.networks.get(ioc.network or "")
        wrong = _unfit(ioc.address, network) if network else None
        if wrong is None and (owner := owners.get(ioc.address)):
            wrong = f"is also the address of {owner}"
        if wrong is not None:
            advice = address_advice(facility, network) if network else "write another"
            yield Problem(("iocs", name, "address"), f"{ioc.address} {wrong}; {advice}")
        owners.setdefault(ioc.address, name)


def _references(facility: Facility, names: Names) -> Iterator[Problem]:
    default = facility.defaults.ioc
    for name, ioc in facility.iocs.items():
        own = ("iocs", name)
        if ioc.network is None:
            if names.networks:
                advice = _network_advice(ioc, facility, names)
                yield Problem((*own, "network"), f"missing; {advice}")
        elif ioc.network not in names.networks and ioc.network != default.network:
            yield _unknown((*own, "network"), ioc.network, "network", names.networks)
        if ioc.host is not None and ioc.host not in names.hosts and ioc.host != default.host:
            yield _unknown((*own, "host"), ioc.host, "host", names.hosts)
        for place, earlier in enumerate(ioc.after):
            if earlier not in names.iocs:
                yield _unknown((*own, "after", place), earlier, "IOC", names.iocs)
    base = ("defaults", "ioc")
    if default.network is not None and default.network not in names.networks:
        yield _unknown((*base, "network"), default.network, "network", names.networks)
    if default.host is not None and default.host not in names.hosts:
        yield _unknown((*base, "host"), default.host, "host", names.hosts)


def _network_advice(ioc: AnyIoc, facility: Facility, names: Names) -> str:
    fitting = [n for n, net in facility.networks.items() if ioc.address in net.subnet]
    if fitting:
        return f"write network: {fitting[0]} ({ioc.address} is in its subnet)"
    return f"write network: {one_of(names.networks)}"


def _unknown(path: tuple[str | int, ...], given: str, what: str, known: list[str]) -> Problem:
    if not known:
        return Problem(path, f"there is no {what} {given}; add it to {what}s, or remove this line")
    meant = nearest(given, known)
    advice = meant if meant else one_of(known[:8])
    return Problem(path, f"there is no {what} {given}; write {advice}")


def _machine_names(facility: Facility) -> Iterator[Problem]:
    for network in facility.networks:
        if desk_name(network) in facility.iocs:
            yield Problem(
                ("iocs", desk_name(network)),
                f"this is the name of the desk of network {network}; give the IOC another name",
            )


def _cycles(facility: Facility) -> Iterator[Problem]:
    after = {name: [*ioc.after] for name, ioc in facility.iocs.items()}
    for ring in cycles(after):
        shown = " -> ".join(ring)
        message = f"{shown} is a cycle, so none of them can start first; remove one"
        yield Problem(("iocs", ring[0], "after"), message)


def _sources(facility: Facility, folder: Path) -> Iterator[Problem]:
    for name, ioc in facility.iocs.items():
        if not isinstance(ioc.source, FolderSource):
            continue
        path, tree = ("iocs", name), folder / ioc.source.folder
        if not tree.is_dir():
            what = "is not a folder" if tree.exists() else "is not there"
            message = (
                f"{ioc.source.folder} {what} (looked for {tree}); make it, or correct the path"
            )
            yield Problem((*path, "source"), message)
            continue
        start = ioc.script if isinstance(ioc, PythonIoc) else ioc.start
        key = "script" if isinstance(ioc, PythonIoc) else "start"
        if start is not None and not (tree / start).is_file():
            message = f"{start} is not in {ioc.source.folder}; write {_start_advice(ioc, tree)}"
            yield Problem((*path, key), message)
        elif isinstance(ioc, BinaryIoc) and not _has_program(tree / ioc.start):
            yield Problem(
                (*path, key),
                f"{start} does not begin with the IOC's program; "
                "let its first line be one like #!../../bin/linux-x86_64/s02scr",
            )


def _has_program(script: Path) -> bool:
    with script.open("rb") as file:
        return file.read(2) == b"#!"


def _start_advice(ioc: AnyIoc, tree: Path) -> str:
    """Return a file of the tree that may be the one meant, else what is usual."""
    pattern = "*.py" if isinstance(ioc, PythonIoc) else "st.cmd"
    deep = "iocBoot/*/st.cmd" if isinstance(ioc, BinaryIoc) else pattern
    found = sorted(str(f.relative_to(tree)) for f in tree.glob(deep))
    return one_of(found[:4]) if found else f"the path of one that is there, such as {pattern}"


def _access_files(facility: Facility, folder: Path) -> Iterator[Problem]:
    default = facility.defaults.ioc.access_security
    missing_default = False
    for name, ioc in facility.iocs.items():
        file = ioc.access_security
        # A git source is looked into when it is fetched, not here.
        if file is None or (folder / file).is_file() or not _can_look(ioc):
            continue
        if isinstance(ioc.source, FolderSource) and (folder / ioc.source.folder / file).is_file():
            continue
        if file == default and missing_default:
            continue
        own = file != default
        missing_default = missing_default or not own
        path = ("iocs", name) if own else ("defaults", "ioc")
        yield Problem(
            (*path, "access_security"),
            f"{file} is neither beside the facility file nor in the files of {name}; "
            "make it, or correct the path",
        )


def _can_look(ioc: AnyIoc) -> bool:
    return ioc.source is None or isinstance(ioc.source, FolderSource)


def _engine_files(facility: Facility, folder: Path) -> Iterator[Problem]:
    if not isinstance(facility.engine, IncusEngine):
        return
    for key in ("certificate", "key", "server_certificate"):
        file: str | None = getattr(facility.engine, key)
        if file is not None and not (folder / file).is_file():
            message = f"{file} is not there (looked for {folder / file}); correct the path"
            yield Problem(("engine", key), message)


def _loopback(facility: Facility) -> Iterator[Problem]:
    if not isinstance(facility.engine, ProcessEngine):
        return
    earlier: dict[str, IPv4Address] = {}
    for name, ioc in facility.iocs.items():
        try:
            check_distinct(name, ioc.address, earlier)
        except UserError as error:
            yield Problem(("iocs", name, "address"), str(error))
        else:
            earlier[name] = ioc.address
