"""Watches one PV from inside a machine's network, and prints a line of JSON for each sight of it.

Run in the network of a desk (`nsenter --net`). The role is the first argument:
`arp` asks each 10 ms who has an address, and tells each answer;
`search` is a new Channel Access client each 20 ms: search by broadcast, connect, read;
`ca` and `pva` are connected monitors, through libca (aioca) and p4p;
`caget` and `pvget` read each 20 ms by a connected client, and tell how long it took.
Times are those of CLOCK_MONOTONIC, in seconds, which all processes of the host share.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import sys
import time
from ipaddress import IPv4Address
from typing import Any

_ARP_PERIOD_S = 0.01
_SEARCH_PERIOD_S = 0.02
_GIVE_UP_S = 2.0
_READ_PERIOD_S = 0.02
_CA_PORT = 5064
_VERSION, _SEARCH, _READ, _CREATE, _USER, _HOST = 0, 6, 15, 18, 20, 21
_MINOR, _DOUBLE = 13, 6


def tell(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def main() -> None:
    role, address, broadcast, pv = sys.argv[1:5]
    if role == "arp":
        watch_arp(IPv4Address(address))
    elif role == "search":
        asyncio.run(watch_searches(broadcast, pv))
    elif role == "ca":
        watch_ca(broadcast, pv)
    elif role == "caget":
        asyncio.run(read_ca(address, pv))
    elif role == "pvget":
        read_pva(broadcast, pv)
    else:
        watch_pva(broadcast, pv)


# -- ARP (RFC 826): how many answer each question


def watch_arp(address: IPv4Address) -> None:
    own = bytes.fromhex(_file("/sys/class/net/eth0/address").replace(":", ""))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806)) as raw:
        raw.bind(("eth0", 0x0806))
        ask = b"\xff" * 6 + own + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1)
        ask += own + bytes(4) + bytes(6) + address.packed
        tell(ready=True)
        while True:
            asked = time.monotonic()
            raw.send(ask)
            tell(at=asked, owners=_answers(raw, address, end=asked + _ARP_PERIOD_S))


def _answers(raw: socket.socket, address: IPv4Address, *, end: float) -> list[str]:
    found: list[str] = []
    while (left := end - time.monotonic()) > 0:
        raw.settimeout(left)
        try:
            frame = raw.recv(2048)
        except TimeoutError:
            break
        if frame[20:22] == b"\0\2" and frame[28:32] == address.packed:
            found.append(frame[22:28].hex(":"))
    return found


def _file(path: str) -> str:
    with open(path) as file:  # noqa: PTH123
        return file.read().strip()


# -- Channel Access, each time as a client that knows nothing yet


async def watch_searches(broadcast: str, pv: str) -> None:
    tell(ready=True)
    running: set[asyncio.Task[None]] = set()
    begin = time.monotonic()
    for number in range(1 << 30):
        await asyncio.sleep(max(0.0, begin + number * _SEARCH_PERIOD_S - time.monotonic()))
        task = asyncio.create_task(_one_client(broadcast, pv))
        running.add(task)
        task.add_done_callback(running.discard)


async def _one_client(broadcast: str, pv: str) -> None:
    begun = time.monotonic()
    try:
        async with asyncio.timeout(_GIVE_UP_S):
            server = await _search(broadcast, pv)
            value = await _read(server, pv)
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        tell(begun=begun, failed=str(error) or type(error).__name__)
    else:
        tell(begun=begun, at=time.monotonic(), value=value)


def _message(
    command: int, *, payload: bytes = b"", kind: int = 0, count: int = 0, p1: int = 0, p2: int = 0
) -> bytes:
    padded = payload.ljust(-(-len(payload) // 8) * 8, b"\0")
    return struct.pack("!HHHHII", command, len(padded), kind, count, p1, p2) + padded


async def _search(broadcast: str, pv: str) -> tuple[str, int]:
    """Return the address and the TCP port of the server that has a PV."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        udp.setblocking(False)
        name = pv.encode() + b"\0"
        ask = _message(_VERSION, count=_MINOR)
        ask += _message(_SEARCH, payload=name, kind=5, count=_MINOR, p1=1, p2=1)
        udp.sendto(ask, (broadcast, _CA_PORT))
        loop = asyncio.get_running_loop()
        while True:
            answer, (server, _) = await loop.sock_recvfrom(udp, 1024)
            for at in range(0, len(answer), 16):
                command, _, port = struct.unpack_from("!HHH", answer, at)
                if command == _SEARCH:
                    return server, port


async def _read(server: tuple[str, int], pv: str) -> float:
    reader, writer = await asyncio.open_connection(*server)
    try:
        writer.write(
            _message(_VERSION, count=_MINOR)
            + _message(_USER, payload=b"bench\0")
            + _message(_HOST, payload=b"desk\0")
            + _message(_CREATE, payload=pv.encode() + b"\0", p1=1, p2=_MINOR)
        )
        sid = (await _await_message(reader, _CREATE))[1]
        writer.write(_message(_READ, kind=_DOUBLE, count=1, p1=sid, p2=1))
        payload = (await _await_message(reader, _READ))[2]
        return struct.unpack_from("!d", payload)[0]
    finally:
        writer.close()


async def _await_message(reader: asyncio.StreamReader, wanted: int) -> tuple[int, int, bytes]:
    while True:
        command, size, _, _, p1, p2 = struct.unpack("!HHHHII", await reader.readexactly(16))
        payload = await reader.readexactly(size)
        if command == wanted:
            return p1, p2, payload


# -- connected clients that read


async def read_ca(address: str, pv: str) -> None:
    reader, writer = await asyncio.open_connection(address, _CA_PORT)
    writer.write(_message(_VERSION, count=_MINOR))
    writer.write(_message(_CREATE, payload=pv.encode() + b"\0", p1=1, p2=_MINOR))
    sid = (await _await_message(reader, _CREATE))[1]
    tell(ready=True)
    while True:
        begun = time.monotonic()
        writer.write(_message(_READ, kind=_DOUBLE, count=1, p1=sid, p2=1))
        await _await_message(reader, _READ)
        _tell_read(begun)
        await asyncio.sleep(_READ_PERIOD_S)


def read_pva(broadcast: str, pv: str) -> None:
    os.environ |= {"EPICS_PVA_ADDR_LIST": broadcast, "EPICS_PVA_AUTO_ADDR_LIST": "NO"}
    from p4p.client.thread import Context

    with Context("pva") as context:
        context.get(pv, timeout=30)
        tell(ready=True)
        while True:
            begun = time.monotonic()
            context.get(pv, timeout=30)
            _tell_read(begun)
            time.sleep(_READ_PERIOD_S)


def _tell_read(begun: float) -> None:
    ended = time.monotonic()
    tell(at=ended, begun=begun, took=ended - begun)


# -- connected monitors


def watch_ca(broadcast: str, pv: str) -> None:
    os.environ |= {"EPICS_CA_ADDR_LIST": broadcast, "EPICS_CA_AUTO_ADDR_LIST": "NO"}
    import aioca

    async def work() -> None:
        aioca.camonitor(pv, lambda value: tell(at=time.monotonic(), value=float(value)))
        await asyncio.Event().wait()

    asyncio.run(work())


def watch_pva(broadcast: str, pv: str) -> None:
    os.environ |= {"EPICS_PVA_ADDR_LIST": broadcast, "EPICS_PVA_AUTO_ADDR_LIST": "NO"}
    from p4p.client.thread import Context

    context = Context("pva")
    subscription = context.monitor(
        pv, lambda value: tell(at=time.monotonic(), value=float(value)), notify_disconnect=False
    )
    try:
        while True:
            time.sleep(3600)
    finally:
        subscription.close()


if __name__ == "__main__":
    main()
