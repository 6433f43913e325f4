"""Resetting the TCP clients of a machine, by the kernel's own order for it.

`SOCK_DESTROY` of sock_diag(7) aborts a socket: the peer gets a RST at once, and the server sees an
error as when its client had died. Structures are those of <linux/inet_diag.h>.
"""

from __future__ import annotations

import socket
import struct
from pathlib import Path

from linacre.engines.connections import Socket, served, sockets
from linacre.engines.incus.netns import socket_in

_NETLINK_SOCK_DIAG = 4
_SOCK_DESTROY = 21
_NLM_F_REQUEST, _NLM_F_ACK = 1, 4
_NO_COOKIE = b"\xff" * 8
_ANY_STATE = 0xFFFFFFFF
_ENOENT = 2


def connections_of(pid: int) -> list[Socket]:
    """Return the connections from elsewhere to servers in the network of a process."""
    tables = [Path(f"/proc/{pid}/net/{name}").read_text() for name in ("tcp", "tcp6")]
    return served(sockets(*tables))


def _order(each: Socket, family: int) -> bytes:
    def wide(packed: bytes) -> bytes:
        # An IPv4 client of a server on IPv6 stands there under a mapped address.
        return (
            packed.ljust(16, b"\0")
            if family == socket.AF_INET
            else bytes(10) + b"\xff\xff" + packed
        )

    request = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, _ANY_STATE)
    request += struct.pack("!HH", each.port, each.peer_port)
    request += wide(each.address.packed) + wide(each.peer.packed) + bytes(4) + _NO_COOKIE
    flags = _NLM_F_REQUEST | _NLM_F_ACK
    return struct.pack("=IHHII", 16 + len(request), _SOCK_DESTROY, flags, 1, 0) + request


class Resetter:
    """Resets the clients of the machine whose init is process `pid`."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._netlink = socket_in(pid, socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)
        self._netlink.settimeout(1.0)

    def close(self) -> None:
        """Let go of the namespace."""
        self._netlink.close()

    def reset(self) -> int:
        """Reset every client connected now and return how many there were."""
        found = connections_of(self._pid)
        return sum(self._destroy(each) for each in found)

    def _destroy(self, each: Socket) -> bool:
        families = (socket.AF_INET, socket.AF_INET6)
        return any(self._ask(_order(each, family)) for family in families)

    def _ask(self, order: bytes) -> bool:
        self._netlink.send(order)
        answer = self._netlink.recv(4096)
        (status,) = struct.unpack_from("=i", answer, 16)
        if status not in (0, -_ENOENT):
            raise OSError(-status, "the kernel resets no connection (CONFIG_INET_DIAG_DESTROY)")
        return status == 0
