"""Who has an address on a network: ARP probes from the host's side of a bridge (RFC 5227)."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct
import time
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path

from linacre.base.errors import EngineError

_ETHERTYPE = 0x0806
_REQUEST, _REPLY = 1, 2
_BROADCAST = b"\xff" * 6
_PROBES = 2
_LONGEST = 2048


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _probe(own: bytes, address: IPv4Address) -> bytes:
    # The sender's address is 0.0.0.0: a probe must change nobody's table.
    head = _BROADCAST + own + struct.pack("!H", _ETHERTYPE)
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, _REQUEST)
    return head + body + own + bytes(4) + bytes(6) + address.packed


def _reply(frame: bytes) -> tuple[IPv4Address, str] | None:
    """Return the address that an ARP reply claims, and for which MAC address."""
    if len(frame) < 42 or struct.unpack_from("!H", frame, 20)[0] != _REPLY:
        return None
    return IPv4Address(frame[28:32]), frame[22:28].hex(":")


async def owners(
    interface: str, addresses: Sequence[IPv4Address], *, wait_s: float
) -> dict[IPv4Address, tuple[str, ...]]:
    """Ask on an interface who has these addresses; return the MAC addresses that answer for each.

    Who has not answered a first probe is sent a second one, in the time given. Raises
    `EngineError` where the interface is not there or this user may not.
    """
    found: dict[IPv4Address, set[str]] = {address: set() for address in addresses}
    try:
        own = _mac(Path(f"/sys/class/net/{interface}/address").read_text().strip())
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETHERTYPE))
    except OSError as error:
        raise EngineError(f"ARP on {interface} is out of reach: {error.strerror}") from error
    with raw:
        raw.setblocking(False)
        raw.bind((interface, _ETHERTYPE))
        for _ in range(_PROBES):
            # Each probe goes to every port of the bridge: it is sent where it can tell more.
            for address in [each for each in addresses if not found[each]]:
                await _send(raw, _probe(own, address))
                # Else the replies of hundreds would overflow the socket meanwhile.
                _take(raw, found)
            await _listen(raw, found, end=time.monotonic() + wait_s / _PROBES)
    return {address: tuple(sorted(macs)) for address, macs in found.items()}


async def _send(raw: socket.socket, frame: bytes) -> None:
    while True:
        try:
            raw.send(frame)
            return
        except OSError as error:
            if error.errno not in (errno.ENOBUFS, errno.EAGAIN):
                raise EngineError(f"no ARP probe can be sent: {error.strerror}") from error
            await asyncio.sleep(0.005)


def _take(raw: socket.socket, found: dict[IPv4Address, set[str]]) -> None:
    """Take what has come."""
    with contextlib.suppress(BlockingIOError):
        while True:
            _note(raw.recv(_LONGEST), found)


async def _listen(raw: socket.socket, found: dict[IPv4Address, set[str]], *, end: float) -> None:
    loop = asyncio.get_running_loop()
    while (left := end - time.monotonic()) > 0:
        try:
            frame = await asyncio.wait_for(loop.sock_recv(raw, _LONGEST), left)
        except TimeoutError:
            return
        _note(frame, found)


def _note(frame: bytes, found: dict[IPv4Address, set[str]]) -> None:
    if (told := _reply(frame)) is not None and told[0] in found:
        found[told[0]].add(told[1])
