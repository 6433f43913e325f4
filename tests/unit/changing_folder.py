"""Somebody who changes a folder to a link and back while others use it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def changing_to_a_link(folder: Path, target: str) -> Iterator[None]:
    """Change a folder to a link to the target and back, again and again during the block."""
    away, stopped = folder.with_name("away"), threading.Event()

    def change() -> None:
        while not stopped.is_set():
            with suppress(OSError):
                folder.rename(away)
                folder.symlink_to(target)
                folder.unlink()
            with suppress(OSError):
                away.rename(folder)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
