from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from linacre.engines.telnet import DO, DONT, IAC, SB, SE, WILL, WONT, TelnetFilter, escape

ECHO, SUPPRESS, LINEMODE = 1, 3, 34


def test_plain_bytes_pass_unchanged() -> None:
    assert TelnetFilter().feed(b"epics> dbl\r\n") == (b"epics> dbl\r\n", b"")


def test_procserv_greeting_is_answered_and_taken_off() -> None:
    greeting = bytes((IAC, WILL, ECHO, IAC, DO, LINEMODE)) + b"@@@ Welcome"
    clean, reply = TelnetFilter().feed(greeting)
    assert clean == b"@@@ Welcome"
    assert reply == bytes((IAC, DO, ECHO, IAC, WONT, LINEMODE))


def test_an_option_is_answered_once() -> None:
    telnet = TelnetFilter()
    assert telnet.feed(bytes((IAC, WILL, 5)))[1] == bytes((IAC, DONT, 5))
    assert telnet.feed(bytes((IAC, WILL, 5)))[1] == b""


def test_refusals_are_not_answered() -> None:
    assert TelnetFilter().feed(bytes((IAC, WONT, 5, IAC, DONT, 6))) == (b"", b"")


def test_suppressing_go_ahead_is_agreed_both_ways() -> None:
    _, reply = TelnetFilter().feed(bytes((IAC, WILL, SUPPRESS, IAC, DO, SUPPRESS)))
    assert reply == bytes((IAC, DO, SUPPRESS, IAC, WILL, SUPPRESS))


def test_subnegotiation_is_skipped_with_an_escaped_byte_in_it() -> None:
    data = b"a" + bytes((IAC, SB, 24, 1, IAC, IAC, 7, IAC, SE)) + b"b"
    assert TelnetFilter().feed(data) == (b"ab", b"")


def test_a_bare_carriage_return_loses_its_nul() -> None:
    assert TelnetFilter().feed(b"a\r\0b\0") == (b"a\rb\0", b"")


@given(st.binary(), st.integers(min_value=1, max_value=7))
def test_cutting_a_stream_anywhere_changes_nothing(data: bytes, size: int) -> None:
    whole = TelnetFilter().feed(data)
    cut = TelnetFilter()
    parts = [cut.feed(data[i : i + size]) for i in range(0, len(data), size)]
    assert (b"".join(p[0] for p in parts), b"".join(p[1] for p in parts)) == whole


@given(st.binary().filter(lambda data: b"\r\0" not in data))
def test_escaped_bytes_arrive_as_they_were(data: bytes) -> None:
    assert TelnetFilter().feed(escape(data)) == (data, b"")
