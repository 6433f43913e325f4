"""Which ports of a machine are open to the network, from the kernel's own tables."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import cast

from linacre.engines.base import Capability, Engine
from linacre.kinds.service.ports import closed_ports, ports_of

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt\n"
# 0.0.0.0:3306 and 127.0.0.1:8080 listen; 10.64.40.6:22 is connected to somebody.
TCP = (
    "   0: 00000000:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000 100\n"
    "   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 100\n"
    "   2: 0628400A:0016 0128400A:B3D2 01 00000000:00000000 02:000A7214 00000000 0\n"
)
# [::]:80 and [::1]:9000 listen.
TCP6 = (
    f"   0: {'0' * 32}:0050 {'0' * 32}:0000 0A 00000000:00000000 00:00000000 00000000 0\n"
    f"   1: {'0' * 24}01000000:2328 {'0' * 32}:0000 0A 00000000:00000000 00:00000000 00000000 0\n"
)
UDP = "   0: 00000000:0043 00000000:0000 07 00000000:00000000 00:00000000 00000000 0\n"


class _Engine:
    """An engine with one machine and these tables."""

    def __init__(self, tables: dict[str, str]) -> None:
        self._tables = tables

    def capabilities(self) -> frozenset[Capability]:
        return frozenset(Capability)

    async def read(self, name: str, path: PurePosixPath, *, limit: int) -> bytes | None:
        assert (name, path.parent) == ("db", PurePosixPath("/proc/1/net"))
        text = self._tables.get(path.name)
        return None if text is None else (HEAD + text).encode()


async def closed(*ports: str, **tables: str) -> list[str]:
    found = await closed_ports(cast(Engine, _Engine(tables)), "db", ports)
    return [str(each) for each in found]


async def test_open_ports_of_both_protocols_and_versions() -> None:
    wanted = ("3306/tcp", "80/tcp", "67/udp")
    assert await closed(*wanted, tcp=TCP, tcp6=TCP6, udp=UDP) == []


async def test_a_closed_port_and_a_connected_one_are_told() -> None:
    assert await closed("22/tcp", "67/udp", tcp=TCP) == ["22/tcp is not open", "67/udp is not open"]


async def test_a_port_that_is_open_to_the_machine_alone_is_told_as_such() -> None:
    said = "is open inside the machine alone (let it listen on 0.0.0.0)"
    found = await closed("8080/tcp", "9000/tcp", tcp=TCP, tcp6=TCP6)
    assert found == [f"8080/tcp {said}", f"9000/tcp {said}"]


async def test_no_tables_no_open_ports() -> None:
    assert await closed("3306/tcp") == ["3306/tcp is not open"]


def test_only_a_service_has_ports() -> None:
    assert ports_of({"kind": "ioc"}) is None
    assert ports_of({"ports": ""}) == ()
    assert ports_of({"ports": "67/udp 69/udp"}) == ("67/udp", "69/udp")
