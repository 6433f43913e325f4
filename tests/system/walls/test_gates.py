"""What bridges let through to the host and to other networks: real sockets between namespaces."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from wired import End, ip

from linacre.engines.base import NetworkSpec, Way
from linacre.engines.incus.walls import Walls
from linacre.engines.incus.walls_parts import Gate, Port

TCP = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1).close()
except OSError as error:
    print(type(error).__name__)
else:
    print("open")
"""
LISTEN = """
import socket, sys
one = socket.create_server(("0.0.0.0", int(sys.argv[1])))
print("ready", flush=True)
while True:
    one.accept()[0].close()
"""
ANSWER = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    one.bind(("0.0.0.0", int(sys.argv[1])))
    print("ready", flush=True)
    while True:
        said, asker = one.recvfrom(99)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as another:
            another.sendto(b"answered", asker)
"""
ASK = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    one.settimeout(1)
    one.bind(("0.0.0.0", int(sys.argv[3])))
    one.sendto(b"asked", (sys.argv[1], int(sys.argv[2])))
    try:
        print(one.recv(99).decode())
    except OSError as error:
        print(type(error).__name__)
"""
PING = """
import socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as one:
    one.settimeout(2)
    echo = struct.pack(">BBHHH", 8, 0, ~(0x0800 + 7) & 0xFFFF, 0, 7)
    one.sendto(echo, (sys.argv[1], 0))
    while True:
        answer = one.recv(99)[20:28]
        if answer[:1] == b"\\0" and answer[6:] == b"\\0\\7":
            break
"""
BLOCKED = "TimeoutError"
OPEN, OTHER_PORT = 3306, 3307


@dataclass
class Side:
    """A network with one machine on it, and the host's address."""

    tail: str
    subnet: IPv4Network
    folder: Path
    walls: Walls = field(init=False)
    machine: End = field(init=False)

    def __post_init__(self) -> None:
        self.walls = Walls(self.tail, self.folder)
        port = Port(f"far-{self.tail}", f"lnv-{self.tail}", "02:00:00:00:00:0b", self.subnet[11])
        self.machine = End(f"far-{self.tail}", f"lt-{self.tail}", port)

    @property
    def bridge(self) -> str:
        return f"lnb-{self.tail}"

    @property
    def host(self) -> IPv4Address:
        return self.subnet[1]

    def make(self) -> None:
        ip("link", "add", self.bridge, "up", "type", "bridge")
        ip("address", "add", f"{self.host}/24", "brd", "+", "dev", self.bridge)
        end, link = self.machine, self.machine.port.link
        ip("netns", "add", end.namespace)
        ip("link", "add", link, "type", "veth", "peer", "name", f"{link}x")
        ip("link", "set", f"{link}x", "netns", end.namespace, "name", "eth0")
        end.run("ip", "link", "set", "eth0", "address", end.port.mac, "up")
        end.run("ip", "address", "add", f"{end.port.address}/24", "brd", "+", "dev", "eth0")
        end.run("ip", "route", "add", "default", "via", str(self.host))
        ip("link", "set", link, "up", "master", self.bridge)

    def gate(self, *ways: Way, answers: tuple[IPv4Network, ...] = ()) -> Gate:
        network = NetworkSpec(self.tail, self.subnet, self.host, None, ways, answers)
        return Gate(self.bridge, network)

    async def close(self, *ways: Way, answers: tuple[IPv4Network, ...] = ()) -> None:
        await self.walls.open_gate(self.gate(*ways, answers=answers))
        await self.walls.admit(self.machine.port)

    def remove(self) -> None:
        asyncio.run(self.walls.remove())
        subprocess.run(["ip", "netns", "delete", self.machine.namespace], check=False)
        subprocess.run(["ip", "link", "delete", self.bridge], check=False)

    def says(self, script: str, *argv: object) -> str:
        """Run a script in the machine and return what it prints."""
        command = [sys.executable, "-c", script, *map(str, argv)]
        inside = ["ip", "netns", "exec", self.machine.namespace, *command]
        done = subprocess.run(inside, check=True, capture_output=True, text=True, timeout=30)
        return done.stdout.strip()

    def reaches(self, address: object, port: int) -> str:
        return self.says(TCP, address, port)

    @contextmanager
    def listening(self, port: int, how: str = LISTEN) -> Iterator[None]:
        command = ["ip", "netns", "exec", self.machine.namespace]
        listener = subprocess.Popen(
            [*command, sys.executable, "-c", how, str(port)], stdout=subprocess.PIPE, text=True
        )
        try:
            assert listener.stdout is not None and listener.stdout.readline() == "ready\n"
            yield
        finally:
            listener.kill()
            listener.communicate()


@pytest.fixture
def sides(tmp_path: Path) -> Iterator[tuple[Side, Side]]:
    if os.geteuid() != 0:
        pytest.skip("only root may make links")
    before = Path("/proc/sys/net/ipv4/ip_forward")
    # As Incus has it from its first bridge on.
    before.write_text("1")
    tail, number = secrets.token_hex(3), secrets.randbelow(100) + 100
    made = [
        Side(f"{tail}{name}", IPv4Network(f"10.{number}.{index}.0/24"), tmp_path / name)
        for index, name in enumerate("ab")
    ]
    try:
        for side in made:
            side.make()
        yield made[0], made[1]
    finally:
        for side in made:
            side.remove()


@contextmanager
def host_listens(port: int = 0, *, address: str = "0.0.0.0") -> Iterator[int]:
    with socket.create_server((address, port)) as server:
        yield server.getsockname()[1]


@contextmanager
def captured(bridge: str, source: IPv4Address) -> Iterator[list[bytes]]:
    """Capture on a bridge what comes from an address."""
    found: list[bytes] = []
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as raw:
        raw.bind((bridge, 3))
        raw.settimeout(0.1)
        ended = threading.Event()

        def hear() -> None:
            while not ended.is_set():
                try:
                    frame = raw.recv(2048)
                except TimeoutError:
                    continue
                if frame[26:30] == source.packed:
                    found.append(frame)

        thread = threading.Thread(target=hear)
        thread.start()
        try:
            yield found
        finally:
            ended.set()
            thread.join()


async def test_networks_are_apart(sides: tuple[Side, Side]) -> None:
    a, b = sides
    with b.listening(OPEN), captured(b.bridge, a.machine.port.address) as passed:
        assert a.reaches(b.machine.port.address, OPEN) == "open"
        assert passed
    await a.close()
    await b.close()
    with b.listening(OPEN), captured(b.bridge, a.machine.port.address) as passed:
        assert a.reaches(b.machine.port.address, OPEN) == BLOCKED
        assert a.says(ASK, b.machine.port.address, OPEN, 5064) == BLOCKED
    assert not passed
    (line,) = (await a.walls.standing()).dropped[a.machine.name]
    assert line.endswith(" to other networks")
    assert not (await b.walls.standing()).dropped


async def test_a_network_is_apart_from_what_has_no_walls(sides: tuple[Side, Side]) -> None:
    """Another facility's, another program's: what the host forwards into it is dropped too."""
    a, b = sides
    await b.close()
    with b.listening(OPEN), captured(b.bridge, a.machine.port.address) as passed:
        assert a.reaches(b.machine.port.address, OPEN) == BLOCKED
    assert not passed


async def test_what_the_host_serves_is_not_reached(sides: tuple[Side, Side]) -> None:
    a, b = sides
    with host_listens() as port:
        for address in (a.host, b.host):
            assert a.reaches(address, port) == "open"
        await a.close()
        for address in (a.host, b.host):
            assert a.reaches(address, port) == BLOCKED
    (line,) = (await a.walls.standing()).dropped[a.machine.name]
    assert line.endswith(" to programs of the host")


async def test_the_host_reaches_machines_and_machines_its_epics_servers(
    sides: tuple[Side, Side],
) -> None:
    a, _ = sides
    await a.close()
    with a.listening(OPEN):
        socket.create_connection((str(a.machine.port.address), OPEN), timeout=5).close()
    # Others of this host may serve on 5064: an answer of theirs is one too.
    assert a.reaches(a.host, 5064) in ("open", "ConnectionRefusedError")
    assert a.reaches(a.host, 5063) == BLOCKED
    for asked in (str(a.machine.port.address), str(a.subnet.broadcast_address)):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            client.bind((str(a.host), 0))
            port = client.getsockname()[1]
            client.settimeout(0.3)
            a.says(ASK, a.host, port, 5063)
            with pytest.raises(TimeoutError):
                client.recv(99)
            # A server may answer from another port than it was asked at, as TFTP's does.
            client.sendto(b"who is there", (asked, 5062))
            client.settimeout(5)
            a.says(ASK, a.host, port, 5063)
            assert client.recv(99) == b"asked"
    echo = [sys.executable, "-c", PING, str(a.machine.port.address)]
    subprocess.run(echo, check=True, timeout=30)


def of_one_facility(sides: tuple[Side, Side]) -> tuple[Side, Side]:
    a, b = sides
    b.walls = a.walls
    return a, b


async def test_routes_open_what_they_say_one_way(sides: tuple[Side, Side]) -> None:
    a, b = of_one_facility(sides)
    await a.close(Way(b.subnet, (f"{OPEN}/tcp",)), Way(IPv4Network(a.host), ("8086/tcp",)))
    await b.close(answers=(a.subnet,))
    with b.listening(OPEN), b.listening(OTHER_PORT), a.listening(OPEN):
        assert a.reaches(b.machine.port.address, OPEN) == "open"
        assert a.reaches(b.machine.port.address, OTHER_PORT) == BLOCKED
        assert b.reaches(a.machine.port.address, OPEN) == BLOCKED
    with host_listens(8086, address=str(a.host)):
        assert a.reaches(a.host, 8086) == "open"


async def test_what_a_route_leads_to_answers_in_udp_too(sides: tuple[Side, Side]) -> None:
    a, b = of_one_facility(sides)
    await a.close(Way(b.subnet, ("69/udp",)))
    await b.close(answers=(a.subnet,))
    with b.listening(69, ANSWER), a.listening(69, ANSWER):
        assert a.says(ASK, b.machine.port.address, 69, 4000) == "answered"
        assert b.says(ASK, a.machine.port.address, 69, 4000) == BLOCKED
        assert b.says(ASK, a.machine.port.address, 4001, 5064) == BLOCKED


async def test_a_route_without_ports_opens_all(sides: tuple[Side, Side]) -> None:
    a, b = of_one_facility(sides)
    await a.close(Way(b.subnet))
    await b.close(answers=(a.subnet,))
    with b.listening(OTHER_PORT):
        assert a.reaches(b.machine.port.address, OTHER_PORT) == "open"
    a.says(PING, b.machine.port.address)


async def test_a_site_beyond_an_uplink_is_no_machine(sides: tuple[Side, Side]) -> None:
    """The host's address on such a network is one of the site's: who works there reaches it."""
    a, _ = sides
    await a.walls.open_gate(a.gate())
    with host_listens() as port:
        assert a.reaches(a.host, port) == "open"
