"""The time of a time server: one question of the Simple Network Time Protocol (RFC 4330)."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address

PORT = 123
SIZE = 48
EPOCH = 2_208_988_800
"""Seconds from the epoch of NTP, 1900, to that of Unix, 1970."""

_CLIENT_HEAD = 4 << 3 | 3  # version 4, mode 3: client
_SERVER_MODE = 4
_UNKNOWN_LEAP = 3
_FRACTION = 1 << 32


@dataclass(frozen=True)
class Told:
    """What a time server said."""

    offset_s: float = 0.0
    """Its time less ours, half of the way there and back taken off."""
    error: str | None = None
    """Why it has no time for us; None where it has."""


class _Question(asyncio.DatagramProtocol):
    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._asked = b""
        self.answer: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        self._sent_at = 0.0

    def ask(self, transport: asyncio.DatagramTransport) -> None:
        """Send the question."""
        self._sent_at = self._now()
        self._asked = to_ntp(self._sent_at)
        transport.sendto(bytes([_CLIENT_HEAD]).ljust(SIZE - 8, b"\0") + self._asked)

    def datagram_received(self, data: bytes, addr: object) -> None:
        arrived_at = self._now()
        # Only an answer to this very question has our own time in it.
        if len(data) >= SIZE and data[24:32] == self._asked and not self.answer.done():
            self.answer.set_result(read_answer(data, self._sent_at, arrived_at))

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_result(Told(error=getattr(exc, "strerror", None) or str(exc)))


def to_ntp(at: float) -> bytes:
    """Return a time, in seconds since the Unix epoch, as NTP writes it."""
    whole = int(at // 1)
    return struct.pack("!II", (whole + EPOCH) % _FRACTION, int((at - whole) * _FRACTION))


def from_ntp(data: bytes, *, near: float) -> float:
    """Return a time of NTP in seconds since the Unix epoch, in the era (136 years) near `near`."""
    whole, fraction = struct.unpack("!II", data)
    at = whole - EPOCH + fraction / _FRACTION
    return at + round((near - at) / _FRACTION) * _FRACTION


def read_answer(data: bytes, sent_at: float, arrived_at: float) -> Told:
    """Return what an answer says, given when the question went and the answer came."""
    leap, mode, stratum = data[0] >> 6, data[0] & 7, data[1]
    if mode != _SERVER_MODE:
        return Told(error="it is no time server")
    if stratum == 0:
        return Told(error=f"it refuses ({data[12:16].decode('ascii', 'replace')})")
    if leap == _UNKNOWN_LEAP or stratum > 15:
        return Told(error="it does not know the time itself")
    received, sent = (from_ntp(data[n : n + 8], near=arrived_at) for n in (32, 40))
    return Told(offset_s=((received - sent_at) + (sent - arrived_at)) / 2)


async def ask(
    server: IPv4Address, *, now: Callable[[], float], limit_s: float, port: int = PORT
) -> Told:
    """Ask a time server; the answer says why where there is none in time."""
    loop = asyncio.get_running_loop()
    try:
        transport, question = await loop.create_datagram_endpoint(
            lambda: _Question(now), remote_addr=(str(server), port)
        )
    except OSError as error:
        return Told(error=error.strerror or str(error))
    try:
        question.ask(transport)
        async with asyncio.timeout(limit_s):
            return await question.answer
    except TimeoutError:
        return Told(error=f"no answer within {limit_s:g} s")
    finally:
        transport.close()
