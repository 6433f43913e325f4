"""Channel Access over a connection to a server that is known: nothing is searched.

A search is heard by every server of the network, so reading all PVs of a large facility by search
costs its machines the square of their number. What one server serves is read here from it alone,
by the same protocol (EPICS Channel Access Protocol Specification, version 4.13).
"""

from __future__ import annotations

import errno
import getpass
import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterator

from linacre.epics.libca import Channel, Circuit

_VERSION, _ERROR, _READ_NOTIFY, _CREATE, _CLIENT, _HOST, _CREATE_FAIL = 0, 11, 15, 18, 20, 21, 26
_MINOR = 13
_HEADER, _MORE = struct.Struct(">HHHHII"), struct.Struct(">II")
_LARGE = 0xFFFF
_ECA_NORMAL, _ECA_NORDACCESS = 1, 368
_DBR_STRING, _DBR_DOUBLE = 0, 6
_LARGEST = 1 << 20
_PIECE = 1 << 16


class ProtocolError(ValueError):
    """A server sent what Channel Access does not know."""


def message(
    command: int,
    payload: bytes = b"",
    *,
    kind: int = 0,
    count: int = 0,
    first: int = 0,
    rest: int = 0,
) -> bytes:
    """Return one message of Channel Access, its payload filled up to eight bytes."""
    payload += bytes(-len(payload) % 8)
    return _HEADER.pack(command, len(payload), kind, count, first, rest) + payload


def messages(taken: bytearray) -> Iterator[tuple[int, int, int, int, int, bytes]]:
    """Yield the whole messages at the head of what was taken, and drop them from it.

    Of each: command, type, count, the two parameters and the payload. Raises `ProtocolError` for
    one larger than any answer to what is asked here.
    """
    while len(taken) >= _HEADER.size:
        command, size, kind, count, first, rest = _HEADER.unpack_from(taken)
        begin = _HEADER.size
        if size == _LARGE and count == 0:
            if len(taken) < begin + _MORE.size:
                return
            size, count = _MORE.unpack_from(taken, begin)
            begin += _MORE.size
        if size > _LARGEST:
            raise ProtocolError(f"a message of {size} bytes")
        if len(taken) < begin + size:
            return
        payload = bytes(taken[begin : begin + size])
        del taken[: begin + size]
        yield command, kind, count, first, rest, payload


class DirectAccess:
    """Connections to known servers. Everything happens inside `poll`, in the calling thread."""

    def __init__(
        self, *, describe: Callable[[int], str], now: Callable[[], float] = time.monotonic
    ) -> None:
        """Make the client; `describe` tells a status of Channel Access in words."""
        self.describe = describe
        self.now = now
        self._selector = selectors.DefaultSelector()

    def server(self, host: str, port: int) -> Server:
        """Return a server to read from, of a numeric address."""
        return Server(self, host, port)

    def watch(self, connection: _Connection) -> None:
        """Hear of a connection when something is to be done with it."""
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.to_send else 0)
        if (known := self._selector.get_map().get(connection.socket)) is None:
            self._selector.register(connection.socket, wanted, connection)
        elif known.events != wanted:
            self._selector.modify(connection.socket, wanted, connection)

    def close(self, connection: _Connection) -> None:
        """End a connection; what was not told stays untold."""
        if connection.socket.fileno() >= 0:
            self._selector.unregister(connection.socket)
            connection.socket.close()

    def poll(self) -> None:
        """Send what can be sent and take what has come, without waiting."""
        for key, _ in self._selector.select(0):
            connection: _Connection = key.data
            try:
                connection.go_on()
            except (OSError, ProtocolError):
                # It ends, refuses or talks nonsense: what it has not told then is not known.
                self.close(connection)
            else:
                self.watch(connection)


class Server:
    """Reads PVs from one server; made by `DirectAccess.server`."""

    def __init__(self, access: DirectAccess, host: str, port: int) -> None:
        self._access = access
        self._place = (host, port)
        self._open: dict[int, _Connection] = {}

    def circuit(self, priority: int) -> Circuit:
        """Return a new circuit, which is a connection of its own."""
        return Circuit(priority, self._access.now())

    def read(self, circuit: Circuit, names: list[str]) -> None:
        """Ask for PVs, once a circuit, and each that there is for its value."""
        host = "{}:{}".format(*self._place)
        circuit.channels += [Channel(name, circuit, host=host) for name in names]
        circuit.searching.update({channel.name: channel for channel in circuit.channels})
        self._open[id(circuit)] = _Connection(self._place, circuit, self._access)
        self._access.watch(self._open[id(circuit)])

    def clear(self, circuit: Circuit) -> None:
        """Let go of a circuit's PVs, which closes it."""
        if (connection := self._open.pop(id(circuit), None)) is not None:
            self._access.close(connection)
        circuit.channels = []


class _Connection:
    """The connection of one circuit."""

    def __init__(self, place: tuple[str, int], circuit: Circuit, access: DirectAccess) -> None:
        self._circuit = circuit
        self._channels = circuit.channels
        self._access = access
        self.to_send = bytearray(
            message(_VERSION, kind=circuit.priority, count=_MINOR)
            + message(_CLIENT, getpass.getuser().encode() + b"\0")
            + message(_HOST, socket.gethostname().encode() + b"\0")
        )
        for number, channel in enumerate(self._channels):
            name = channel.name.encode() + b"\0"
            self.to_send += message(_CREATE, name, first=number, rest=_MINOR)
        self._taken = bytearray()
        self.socket = socket.socket()
        self.socket.setblocking(False)
        # Where it fails at once, that is told when it is looked at.
        self.socket.connect_ex(place)

    def go_on(self) -> None:
        """Send and take what is possible without waiting.

        Raises `OSError` where the server has gone, `ProtocolError` where it is none.
        """
        self._send()
        self._take()
        for each in messages(self._taken):
            self._told(*each)
        self._send()

    def _send(self) -> None:
        try:
            while self.to_send:
                del self.to_send[: self.socket.send(self.to_send)]
        except BlockingIOError:
            return

    def _take(self) -> None:
        try:
            while piece := self.socket.recv(_PIECE):
                self._taken += piece
        except BlockingIOError:
            return
        raise ConnectionResetError(errno.ECONNRESET, "the server ended the connection")

    def _told(
        self, command: int, kind: int, count: int, first: int, rest: int, payload: bytes
    ) -> None:
        del count
        if command == _CREATE:
            self._found(first, rest, kind)
        elif command == _CREATE_FAIL and (channel := self._of(first)) is not None:
            if self._circuit.searching.pop(channel.name, None) is not None:
                self._circuit.unknown.append(channel.name)
        elif command == _READ_NOTIFY and (channel := self._of(rest)) is not None:
            self._read(channel, first)
        elif command == _ERROR and len(payload) >= _HEADER.size:
            # With the head of what was asked.
            asked, _, _, _, _, number = _HEADER.unpack_from(payload)
            if asked == _READ_NOTIFY and (channel := self._of(number)) is not None:
                self._read(channel, rest)

    def _of(self, number: int) -> Channel | None:
        return self._channels[number] if number < len(self._channels) else None

    def _found(self, number: int, server_id: int, kind: int) -> None:
        channel = self._of(number)
        circuit = self._circuit
        if channel is None or circuit.searching.pop(channel.name, None) is None:
            return
        circuit.changed_at = self._access.now()
        circuit.waiting[channel.name] = channel
        kind = kind if _DBR_STRING <= kind <= _DBR_DOUBLE else _DBR_STRING
        # One element tells as much as all of a large array.
        self.to_send += message(_READ_NOTIFY, kind=kind, count=1, first=server_id, rest=number)

    def _read(self, channel: Channel, status: int) -> None:
        circuit = self._circuit
        if circuit.waiting.pop(channel.name, None) is None:
            return
        circuit.changed_at = self._access.now()
        if status in (_ECA_NORMAL, _ECA_NORDACCESS):
            circuit.answered[channel.name] = channel
        else:
            circuit.refused[channel.name] = self._access.describe(status)
