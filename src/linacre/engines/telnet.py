"""The telnet that procServ speaks on its console, taken off and put on."""

from __future__ import annotations

from enum import Enum, auto

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240
_CR, _NUL = 13, 0
_ECHO, _SUPPRESS_GO_AHEAD = 1, 3
_WELCOME = frozenset({_ECHO, _SUPPRESS_GO_AHEAD})


class _State(Enum):
    DATA = auto()
    COMMAND = auto()
    OPTION = auto()
    SUBNEGOTIATION = auto()
    SUBNEGOTIATION_COMMAND = auto()


class TelnetFilter:
    """The client's half of a telnet session: commands out, clean bytes through.

    The far side may echo and suppress go-ahead; everything else it offers or asks is refused.
    Each answer is given once, so that two polite sides never talk for ever.
    """

    def __init__(self) -> None:
        self._state = _State.DATA
        self._verb = 0
        self._after_cr = False
        self._answered: set[tuple[int, int]] = set()

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the clean bytes in `data`, and what to send back to the far side."""
        clean, reply = bytearray(), bytearray()
        for byte in data:
            if self._state is _State.DATA:
                self._data(byte, clean)
            elif self._state is _State.COMMAND:
                self._command(byte, clean)
            elif self._state is _State.OPTION:
                reply += self._answer(self._verb, byte)
                self._state = _State.DATA
            elif self._state is _State.SUBNEGOTIATION:
                if byte == IAC:
                    self._state = _State.SUBNEGOTIATION_COMMAND
            else:
                self._state = _State.DATA if byte == SE else _State.SUBNEGOTIATION
        return bytes(clean), bytes(reply)

    def _data(self, byte: int, clean: bytearray) -> None:
        after_cr, self._after_cr = self._after_cr, byte == _CR
        if byte == IAC:
            self._state = _State.COMMAND
        elif not (after_cr and byte == _NUL):  # RFC 854: a bare CR travels as CR NUL
            clean.append(byte)

    def _command(self, byte: int, clean: bytearray) -> None:
        self._state = _State.DATA
        if byte == IAC:
            clean.append(IAC)
        elif byte in (DO, DONT, WILL, WONT):
            self._verb = byte
            self._state = _State.OPTION
        elif byte == SB:
            self._state = _State.SUBNEGOTIATION

    def _answer(self, verb: int, option: int) -> bytes:
        if verb in (DONT, WONT) or (verb, option) in self._answered:
            return b""
        self._answered.add((verb, option))
        if verb == WILL:
            return bytes((IAC, DO if option in _WELCOME else DONT, option))
        return bytes((IAC, WILL if option == _SUPPRESS_GO_AHEAD else WONT, option))


def escape(data: bytes) -> bytes:
    """Return bytes as they travel over telnet: IAC doubled."""
    return data.replace(b"\xff", b"\xff\xff")
