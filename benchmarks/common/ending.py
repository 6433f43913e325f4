"""How a benchmark ends when it is told to: in order, with what it measured and nothing left."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Told(BaseException):
    """A signal told the benchmark to end: nothing but who clears up should catch it."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.exit_status = 128 + number


@contextmanager
def ending_in_order() -> Generator[None]:
    """Raise `Told` in the block at Ctrl-C, SIGTERM or SIGHUP."""

    def end(number: int, _frame: object) -> None:
        raise Told(number)

    with _handled(end):
        yield


@contextmanager
def undisturbed() -> Generator[None]:
    """Let no signal stop the block half-way, nor the commands that it runs."""
    with _handled(signal.SIG_IGN):
        yield


@contextmanager
def _handled(handler: Callable[[int, object], None] | signal.Handlers) -> Generator[None]:
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, found in before.items():
        # What nohup, or a shell in the background, has it ignore stays so.
        if found is not signal.SIG_IGN:
            signal.signal(number, handler)
    try:
        yield
    finally:
        for number, found in before.items():
            signal.signal(number, found)
