"""A packet capture of our own on all links of this host: whose frames pass where."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from linacre.engines.incus.cable import VETH

_ALL = 0x0003
# <asm-generic/socket.h> and <linux/if_packet.h>; the socket module has none of them.
_RCVBUFFORCE, _SOL_PACKET, _STATISTICS = 33, 263, 6
_ARP, _IP = b"\x08\x06", b"\x08\x00"


@dataclass(frozen=True)
class Frame:
    """One frame on one link."""

    link: str
    source: str
    """The sender's MAC address."""
    kind: bytes
    """Its EtherType."""
    addresses: tuple[str, ...] = field(default=())
    """IPv4 sender and receiver, of IP and ARP."""
    is_of_cable: bool = False
    """Whether the host's end of a cable said it itself, to the machine at the other end alone."""


class Watch:
    """Keeps each different frame that passes on any link, until it is ended."""

    def __init__(self) -> None:
        self.frames: dict[Frame, int] = {}
        self._ends: dict[str, str] = {}
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, 64 << 20)
        self._socket.settimeout(0.2)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                data, (link, *_) = self._socket.recvfrom(65535)
                source = data[6:12].hex(":")
                frame = Frame(
                    link, source, data[12:14], _addresses(data), self._is_of_cable(link, source)
                )
                self.frames[frame] = self.frames.get(frame, 0) + 1

    def _is_of_cable(self, link: str, source: str) -> bool:
        """Tell whether a cable's end is the sender; every kernel sends some IPv6 by itself."""
        if not link.startswith(VETH):
            return False
        with contextlib.suppress(OSError):
            # While it is there: it goes with its machine.
            self._ends[link] = Path(f"/sys/class/net/{link}/address").read_text().strip()
        return self._ends.get(link) == source

    def end(self) -> None:
        """Stop listening."""
        self._over.set()
        self._thread.join()
        told = self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 8)
        self._socket.close()
        _, dropped = struct.unpack("II", told)
        assert dropped == 0, f"{dropped} frames were not seen"

    def on(self, links: Collection[str]) -> list[Frame]:
        """Return the different frames that passed on some links."""
        return [frame for frame in list(self.frames) if frame.link in links]


def _addresses(data: bytes) -> tuple[str, ...]:
    if data[12:14] == _IP and len(data) >= 34:
        return (socket.inet_ntoa(data[26:30]), socket.inet_ntoa(data[30:34]))
    if data[12:14] == _ARP and len(data) >= 42:
        return (socket.inet_ntoa(data[28:32]), socket.inet_ntoa(data[38:42]))
    return ()


@contextlib.contextmanager
def watching() -> Iterator[Watch]:
    """Watch all links for the block."""
    watch = Watch()
    try:
        yield watch
    finally:
        watch.end()
