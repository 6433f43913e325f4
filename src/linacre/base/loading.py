"""Loading what is needed in a moment, while something else is waited for."""

from __future__ import annotations

from importlib import import_module
from threading import Thread


def load_soon(module: str) -> None:
    """Begin to import a module in a thread; who imports it meanwhile waits for its end."""
    Thread(target=import_module, args=(module,), daemon=True).start()
