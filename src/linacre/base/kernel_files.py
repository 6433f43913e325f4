"""Short files in which the kernel tells something, read in one stroke.

A command looks at a dozen of them for each machine: as paths and text files they would cost it more
than all else that it does.
"""

from __future__ import annotations

import os

_MOST_BYTES = 1 << 16


def kernel_text(path: str) -> str:
    """Return the text of a file of /proc, /sys or a control group; raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _MOST_BYTES).decode(errors="replace")
    finally:
        os.close(descriptor)
