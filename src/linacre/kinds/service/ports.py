"""The ports that a service listens on: what is declared, and what is open in its machine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import PurePosixPath

from linacre.base.errors import EngineError
from linacre.engines.base import Capability, Engine
from linacre.engines.labels import PORTS

_TABLES = ("tcp", "tcp6", "udp", "udp6")
# The kernel's numbers of TCP_LISTEN, and of a UDP socket that is connected to nobody.
_LISTENS = {"tcp": "0A", "udp": "07"}


@dataclass(frozen=True)
class ClosedPort:
    """A declared port that nobody on the network reaches."""

    port: str
    """Such as `3306/tcp`."""
    only_inside: bool
    """Whether something listens on it, on the machine's loopback address alone."""

    def __str__(self) -> str:
        """Return it in words."""
        if self.only_inside:
            return f"{self.port} is open inside the machine alone (let it listen on 0.0.0.0)"
        return f"{self.port} is not open"


def ports_of(labels: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return the ports of a service by its machine's labels; None for what is no service."""
    ports = labels.get(PORTS)
    return None if ports is None else tuple(ports.split())


async def closed_ports(engine: Engine, name: str, ports: Iterable[str]) -> tuple[ClosedPort, ...]:
    """Return those of the ports that are not open in a running machine."""
    wanted = tuple(ports)
    if not wanted:
        return ()
    if Capability.OWN_ADDRESS not in engine.capabilities():
        # The tables are those of the host, and this user may not see whose a socket is.
        is_open = await asyncio.gather(*(_answers(engine, name, port) for port in wanted))
        shut = (port for port, there in zip(wanted, is_open, strict=True) if not there)
        return tuple(ClosedPort(port, only_inside=False) for port in shut)
    # Of the machine's first process: a link such as /proc/net is not followed.
    files = [PurePosixPath("/proc/1/net", table) for table in _TABLES]
    texts = await asyncio.gather(*(engine.read(name, file, limit=4 << 20) for file in files))
    found: dict[str, bool] = {}
    for table, text in zip(_TABLES, texts, strict=True):
        for port, is_inside in listening((text or b"").decode(errors="replace"), table[:3]):
            found[port] = found.get(port, True) and is_inside
    return tuple(
        ClosedPort(port, only_inside=port in found) for port in wanted if found.get(port, True)
    )


async def _answers(engine: Engine, name: str, port: str) -> bool:
    number, _, protocol = port.partition("/")
    if protocol != "tcp":
        return True
    try:
        _, writer = await engine.connect(name, int(number))
    except EngineError:
        return False
    writer.close()
    return True


def listening(table: str, protocol: str) -> Iterator[tuple[str, bool]]:
    """Yield the ports open in a table of /proc/net, and whether only to the machine itself.

    The table's format is that of proc_net_tcp(5): local address and port in hexadecimal, the
    address in words of the processor's byte order.
    """
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 4 or fields[3] != _LISTENS[protocol]:
            continue
        address, _, port = fields[1].partition(":")
        words = [bytes.fromhex(address[n : n + 8])[::-1] for n in range(0, len(address), 8)]
        yield f"{int(port, 16)}/{protocol}", ip_address(b"".join(words)).is_loopback
