"""Which names a PV can have, for both protocols."""

from __future__ import annotations

NAME_BYTES = 991
"""Longer names fit no search datagram of libca (MAX_UDP_SEND with two headers)."""


def encoded(pv: str) -> bytes:
    """Return a name as clients send it; `ValueError` that says why it can be none."""
    if not pv:
        raise ValueError("the name is empty")
    if any(ord(letter) < 0x20 or ord(letter) == 0x7F for letter in pv):
        raise ValueError("the name has control characters")
    try:
        name = pv.encode()
    except UnicodeEncodeError:
        raise ValueError("the name is no text") from None
    if len(name) > NAME_BYTES:
        raise ValueError(f"the name is longer than {NAME_BYTES} bytes")
    return name
