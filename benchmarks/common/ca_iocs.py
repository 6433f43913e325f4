"""IOCs that post much, each on a loopback address of its own; this process's clients find them."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import linacre.epics

PERIOD_S = 0.1
"""The shortest period of records in a softIoc."""
_SOFTIOC = Path(linacre.epics.__file__).parent / "bin" / "softIoc"

_WAVES = Path(__file__).with_name("wave_ioc.py")


@dataclass(frozen=True)
class FastIoc:
    """An IOC whose PVs count: each event of one, or its first element, is one more."""

    address: str
    pvs: Sequence[str]
    pid: int
    events_hz: float
    """Events a second that it means to post, of all PVs."""


@contextmanager
def fast_ioc(records: int = 20_000, *, program: Path = _SOFTIOC) -> Iterator[FastIoc]:
    """Run a softIoc that posts `records` events each tenth of a second; 20,000 make 200,000/s."""
    pvs = [f"LOAD:{n}" for n in range(records)]
    fields = '{ field(SCAN, ".1 second") field(CALC, "VAL+1") }'
    with tempfile.TemporaryDirectory() as name:
        database, script = Path(name, "db"), Path(name, "cmd")
        database.write_text("".join(f'record(calc, "{pv}") {fields}\n' for pv in pvs))
        script.write_text(f'dbLoadRecords("{database}")\niocInit\n')
        with _running([str(program), str(script)], pvs, records / PERIOD_S) as ioc:
            yield ioc


@contextmanager
def wave_ioc(elements: int, *, pvs: int = 1, hz: float = 100.0) -> Iterator[FastIoc]:
    """Run a softioc that posts waveforms of doubles: a digitiser's, but for the first element."""
    names = [f"WAVE:{n}" for n in range(pvs)]
    command = [sys.executable, "-W", "ignore", str(_WAVES), "WAVE:", str(pvs), str(elements)]
    with _running([*command, str(hz)], names, pvs * hz) as ioc:
        yield ioc


@contextmanager
def _running(command: list[str], pvs: list[str], events_hz: float) -> Iterator[FastIoc]:
    chosen = random.SystemRandom()
    address = f"127.{chosen.randrange(100, 250)}.{chosen.randrange(250)}.1"
    os.environ |= {"EPICS_CA_ADDR_LIST": address, "EPICS_CA_AUTO_ADDR_LIST": "NO"}
    environment = os.environ | {
        "EPICS_CAS_INTF_ADDR_LIST": address,
        "EPICS_CAS_BEACON_ADDR_LIST": "127.0.0.1",
        "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
        "EPICS_PVAS_INTF_ADDR_LIST": address,
        "PVXS_QSRV_ENABLE": "NO",
    }
    nowhere = subprocess.DEVNULL
    # Its standard input stays open: an IOC's shell ends with it.
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere
    )
    try:
        yield FastIoc(address, pvs, process.pid, events_hz)
    finally:
        process.kill()
        process.wait()
