"""A packet capture of our own on all links of this host: whose frames pass where."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

_ALL = 0x0003
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


class Watch:
    """Keeps each different frame that passes on any link, until it is ended."""

    def __init__(self) -> None:
        self.frames: dict[Frame, int] = {}
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUFFORCE, 64 << 20)
        self._socket.settimeout(0.2)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                data, (link, *_) = self._socket.recvfrom(65535)
                frame = Frame(link, data[6:12].hex(":"), data[12:14], _addresses(data))
                self.frames[frame] = self.frames.get(frame, 0) + 1

    def end(self) -> None:
        """Stop listening."""
        self._over.set()
        self._thread.join()
        self._socket.close()

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
