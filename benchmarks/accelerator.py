"""How long the virtual accelerator takes for a pulse: `linacre bench accelerator`.

The machine of examples/clara without EPICS: centroid, moments, charge and losses from the gun to
the end of S02, and the readings of its monitors. What was set since the pulse before is what
costs: nothing, the source's jitter, one magnet, the linac's phase, or the gun's power, with which
every map is made anew. Beside it, in the same run, pyAT carries Twiss parameters, and particles,
through S02.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from common.beside_pyat import IS_HERE, PyAtLine, pyat
from common.conditions import ROOT, conditions, say
from common.report import Keep, Result, report, rounded
from linacre.accelerator.instruments.sources import Source
from linacre.accelerator.lattice.lattice import load_lattice
from linacre.accelerator.machine.machine import Machine
from linacre.accelerator.maps import HORIZONTAL, VERTICAL
from linacre.accelerator.model.moments import MomentModel
from linacre.accelerator.twiss import twiss_of

LATTICE = ROOT / "examples/clara/lattice/lattice.yaml"
FIRST = "CLA-S02-APER-01"
MAGNET = ("CLA-S02-MAG-QUAD-03", "READI")
PHASE = ("CLA-L01-RF-CTRL-01", "getPhase")
POWER = ("CLA-GUNS-RF-CTRL-01", "getPower")
AIM_MS = 5.0


def main() -> int:
    options = _options()
    return report(
        "accelerator",
        aim={"aim_pulse_ms": AIM_MS},
        repeat=options.repeat,
        conditions=lambda: _conditions(options),
        run=lambda keep: _run(options, keep),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="linacre bench accelerator", description=__doc__)
    parser.add_argument("-n", type=int, default=1000, help="pulses of each kind (1000)")
    parser.add_argument("--repeat", type=int, default=1, help="measure so many times (1)")
    parser.add_argument("--lattice", type=Path, default=LATTICE, help="another file of CLARA's")
    options = parser.parse_args()
    if min(options.n, options.repeat) < 1:
        parser.error("-n and --repeat are 1 or more")
    return options


def _conditions(options: argparse.Namespace) -> Result:
    about = {
        "pulses": options.n,
        "numpy": np.__version__,
        "measured": "in one process, from before a value is set to after the readings are there; "
        "cpu: CPU time of the process, which other programs of the host do not lengthen",
    }
    if IS_HERE:
        about["pyat"] = pyat().__version__
    return conditions(engine="none", n=options.n) | about


def _run(options: argparse.Namespace, keep: Keep) -> None:
    begun = time.perf_counter()
    lattice = load_lattice(options.lattice)
    keep({"elements": len(lattice.elements), "load_lattice_s": _s(time.perf_counter() - begun)})
    machine, steady = Machine(MomentModel(lattice), source=Source()), Machine(MomentModel(lattice))
    found: Result = {}
    for title, pulse in {
        "nothing changes": _pulses(steady, None, 0.0),
        "source jitters": _pulses(machine, None, 0.0),
        "and a magnet is set": _pulses(machine, MAGNET, 1e-3),
        "and the linac's phase is set": _pulses(machine, PHASE, 1e-3),
        "and the gun's power is set": _pulses(machine, POWER, 1e-5),
    }.items():
        say(f"accelerator: {title}")
        found[title] = _timed(pulse, options.n)
        keep({"pulse": found})
    keep({"longest_median_ms": max(each["median_ms"] for each in found.values())})
    tables = {"orbit": machine.orbit, "twiss": machine.twiss}
    keep({"arrays": {name: _timed(call, options.n) for name, call in tables.items()}})
    if IS_HERE:
        keep({"pyat": _pyat(steady, options.n)})
    else:
        say("accelerator: pyAT is left out, it is not installed (accelerator-toolbox)")


def _pulses(machine: Machine, key: tuple[str, str] | None, by: float) -> Callable[[], object]:
    """Return what lets a machine pulse once, with a value that was changed before."""
    if key is None:
        return machine.step
    value = machine.settings[key]

    def pulse() -> None:
        nonlocal value
        value += by
        machine.set(*key, value)
        machine.step()

    return pulse


def _pyat(machine: Machine, count: int) -> Result:
    say("accelerator: pyAT")
    line = PyAtLine(machine.lattice, "S02")
    line.set(machine.settings)
    sigma = machine.shown.passage.sigma[machine.lattice[FIRST].index]
    twiss = line.twiss(*(twiss_of(sigma, plane) for plane in (HORIZONTAL, VERTICAL)))
    return {
        "section": "S02",
        "elements": line.elements,
        "twiss": _timed(twiss, max(count // 10, 1)),
        "track 1 particle": _timed(line.track(1), count),
        "track 1000 particles": _timed(line.track(1000), max(count // 10, 1)),
    }


def _timed(call: Callable[[], object], count: int) -> Result:
    call()
    gc.collect()
    taken: list[float] = []
    cpu = time.process_time()
    for _ in range(count):
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    cpu = (time.process_time() - cpu) / count
    ordered = sorted(taken)
    return {
        "median_ms": _ms(statistics.median(ordered)),
        "p99_ms": _ms(ordered[min(int(0.99 * count), count - 1)]),
        "longest_ms": _ms(ordered[-1]),
        "cpu_ms": _ms(cpu),
    }


def _ms(seconds: float) -> float:
    return rounded(seconds * 1e3)


def _s(seconds: float) -> float:
    return rounded(seconds)


if __name__ == "__main__":
    raise SystemExit(main())
