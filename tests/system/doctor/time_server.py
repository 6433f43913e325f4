"""A time server that is wrong by as much as a test wants (RFC 4330)."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

from linacre.observing.doctor.sntp import SIZE, to_ntp


@contextlib.contextmanager
def time_server(address: str, *, off_s: float, port: int = 123) -> Iterator[int]:
    """Answer on an address for the block; gives the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, port))
        server.settimeout(0.1)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                with contextlib.suppress(TimeoutError):
                    question, client = server.recvfrom(SIZE)
                    at = to_ntp(time.time() + off_s)
                    head = bytes([4 << 3 | 4, 2, 0, 0]).ljust(24, b"\0")
                    server.sendto(head + question[40:48] + at + at, client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            thread.join()
