"""aiohttp, imported when it is first asked for, without the certificate authorities of the host.

It takes a tenth of a second to import, and what only looks at a daemon of this host has no use for
it. It also makes a context of all authorities then, a tenth of a second more: a daemon elsewhere is
reached with a context of our own.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, suppress
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiohttp

__all__ = ["aiohttp", "body_of", "unless_gone"]

_CHUNK = 1 << 16
_NOWHERE = {"SSL_CERT_FILE": os.devnull, "SSL_CERT_DIR": os.devnull}


def __getattr__(name: str) -> object:
    if name != "aiohttp":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    before = {each: os.environ.get(each) for each in _NOWHERE}
    os.environ.update(_NOWHERE)
    try:
        return import_module(name)
    finally:
        for each, value in before.items():
            if value is None:
                del os.environ[each]
            else:
                os.environ[each] = value


def unless_gone() -> AbstractContextManager[None]:
    """Let what is sent in the block be lost where the far side has gone already."""
    return suppress(ConnectionError, import_module("aiohttp").ClientError)


async def body_of(response: aiohttp.ClientResponse, *, largest: int | None) -> bytes:
    """Return the body of an answer; raises `ValueError` where it is more than the `largest`."""
    found = bytearray()
    async for data in response.content.iter_chunked(_CHUNK):
        found += data
        if largest is not None and len(found) > largest:
            raise ValueError("its answer has no end")
    return bytes(found)
