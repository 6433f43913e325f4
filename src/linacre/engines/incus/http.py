"""aiohttp, imported without reading the certificate authorities of the host.

It makes a context of all of them when it is imported, a tenth of a second for each command. A
daemon elsewhere is reached with a context of our own, and one on this host by a socket.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, suppress

_NOWHERE = {"SSL_CERT_FILE": os.devnull, "SSL_CERT_DIR": os.devnull}
_before = {name: os.environ.get(name) for name in _NOWHERE}
os.environ.update(_NOWHERE)
try:
    import aiohttp
finally:
    for _name, _value in _before.items():
        if _value is None:
            del os.environ[_name]
        else:
            os.environ[_name] = _value

__all__ = ["aiohttp", "unless_gone"]


def unless_gone() -> AbstractContextManager[None]:
    """Let what is sent in the block be lost where the far side has gone already."""
    return suppress(ConnectionError, aiohttp.ClientError)
