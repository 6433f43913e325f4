"""An IOC of waveforms: `wave_ioc.py PREFIX PVS ELEMENTS HZ`.

Each of `PREFIX0`, `PREFIX1`, ... is a digitiser's trace: a decaying sine in steps of 14 bits with
noise in the last three. Its first element counts, so that a reader sees what it missed.
It ends when its standard input does.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

import numpy as np
from softioc import asyncio_dispatcher, builder, softioc

_SIGNALS, _NOISE = 16, 1 << 22


def main() -> None:
    prefix, pvs, elements = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    hz = float(sys.argv[4])
    traces = _traces(elements)
    records = [
        builder.WaveformOut(f"{prefix}{number}", initial_value=traces(0)) for number in range(pvs)
    ]
    builder.LoadDatabase()
    softioc.iocInit(asyncio_dispatcher.AsyncioDispatcher())
    ended = threading.Event()
    threading.Thread(target=_wait_for_end, args=(ended,), daemon=True).start()
    posted = 0
    begun = time.monotonic()
    while not ended.is_set():
        posted += 1
        trace = traces(posted)
        for record in records:
            record.set(trace)
        time.sleep(max(0.0, begun + posted / hz - time.monotonic()))


def _traces(elements: int) -> Callable[[int], np.ndarray]:
    rng = np.random.default_rng(elements)
    x = np.linspace(0, 20, elements)
    signals = [6000 * np.exp(-x / 8) * np.sin(x * 3 + k) for k in range(_SIGNALS)]
    # Drawing so many new numbers each time would take a core.
    noise = rng.normal(0, 3, _NOISE + elements)

    def trace(number: int) -> np.ndarray:
        begin = int(rng.integers(_NOISE))
        made = signals[number % _SIGNALS] + noise[begin : begin + elements]
        np.rint(made, out=made)
        made /= 8192
        made[0] = number
        return made

    return trace


def _wait_for_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


if __name__ == "__main__":
    main()
