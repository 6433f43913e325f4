"""Resetting the TCP clients of a machine, by the kernel's own order for it.

`SOCK_DESTROY` of sock_diag(7) aborts a socket: the peer gets a RST at once, and the server sees an
error as when its client had died. Structures are those of <linux/inet_diag.h>.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Self

from linacre.engines.connections import ESTABLISHED, LISTENING, Socket, served
from linacre.engines.incus.netns import socket_in

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY, _SOCK_DESTROY = 20, 21
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_ERROR, _DONE = 2, 3
_HEADER = struct.Struct("=IHHII")
_STATES = 1 << ESTABLISHED | 1 << LISTENING
_ID_BYTES = 48
_GONE = {2, 116}  # ENOENT, ESTALE: it ended meanwhile


def _request(kind: int, flags: int, family: int, identity: bytes) -> bytes:
    body = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, _STATES) + identity
    return _HEADER.pack(_HEADER.size + len(body), kind, flags | _REQUEST, 1, 0) + body


def _socket(state: int, identity: bytes) -> Socket | None:
    """Return what the kernel's name of a socket says; None where it is not over IPv4."""
    port, peer_port = struct.unpack_from("!HH", identity)

    def address(packed: bytes) -> IPv4Address | None:
        if not any(packed[4:]):
            return IPv4Address(packed[:4])
        # A server that listens on IPv6 has its IPv4 clients there.
        return IPv6Address(packed).ipv4_mapped

    own, peer = address(identity[4:20]), address(identity[20:36])
    if own is None or peer is None:
        return None
    return Socket(own, port, peer, peer_port, state)


class Resetter:
    """Resets the clients of the machine whose init is process `pid`."""

    def __init__(self, pid: int) -> None:
        self._netlink = socket_in(pid, socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)
        self._netlink.settimeout(1.0)

    def __enter__(self) -> Self:
        """Return the resetter."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the namespace."""
        self._netlink.close()

    def reset(self) -> int:
        """Reset every client connected now and return how many there were; `OSError` if refused."""
        found: dict[Socket, tuple[int, bytes]] = {}
        for family in (socket.AF_INET, socket.AF_INET6):
            for state, identity in self._dump(family):
                if (each := _socket(state, identity)) is not None:
                    found[each] = (family, identity)
        return sum(self._destroy(*found[each]) for each in served(found))

    def _dump(self, family: int) -> Iterator[tuple[int, bytes]]:
        """Yield state and name of each socket; the name holds a cookie of the kernel's.

        A socket must be named with its cookie: by addresses alone, the kernel takes one that ended
        meanwhile for the listening socket, and the server would serve nobody any more.
        """
        self._netlink.send(_request(_SOCK_DIAG_BY_FAMILY, _DUMP, family, bytes(_ID_BYTES)))
        while True:
            answer = self._netlink.recv(1 << 16)
            at = 0
            while at < len(answer):
                size, kind, *_ = _HEADER.unpack_from(answer, at)
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    self._check(answer[at:])
                body = answer[at + _HEADER.size : at + size]
                yield body[1], body[4 : 4 + _ID_BYTES]
                at += -(-size // 4) * 4

    def _destroy(self, family: int, identity: bytes) -> bool:
        self._netlink.send(_request(_SOCK_DESTROY, _ACK, family, identity))
        return self._check(self._netlink.recv(4096))

    @staticmethod
    def _check(answer: bytes) -> bool:
        (status,) = struct.unpack_from("=i", answer, _HEADER.size)
        if status and -status not in _GONE:
            raise OSError(-status, "the kernel resets no connection (CONFIG_INET_DIAG_DESTROY)")
        return status == 0
